// What the wrappers of instructions share.
#pragma once

#include "kernels/core/launch.h"

// A wrapper's last parameter: on simt, the line that calls it, for messages; on cuda nothing.
#if !defined(__CUDACC__)
#define FETTLE_PLACE FETTLE_CALLER
#define FETTLE_AND_PLACE , FETTLE_CALLER
#else
#define FETTLE_PLACE
#define FETTLE_AND_PLACE
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 900
#define FETTLE_SM90_ASM(...) asm volatile(__VA_ARGS__)
#else
#define FETTLE_SM90_ASM(...) __trap()
#endif

namespace FETTLE_DEVICE {

// The address of shared memory that instructions take.
__device__ __forceinline__ uint32_t shared_address(const void* pointer) {
    return static_cast<uint32_t>(__cvta_generic_to_shared(pointer));
}

}  // namespace FETTLE_DEVICE
#endif
