// cp.async of sm_80, one function an instruction: kernels/simt/copies.h says what each does and
// emulates it.
//
//   copy_async_16(shared + i, global + i);      // begins; neither may be touched until the wait
//   commit_copies();                            // the copies so far are a group
//   wait_for_copies<0>();                       // this thread's; __syncthreads() for the others'
#pragma once

#include "kernels/core/instruction.cuh"

#if !defined(__CUDACC__)
#include "kernels/simt/copies.h"
#endif

namespace FETTLE_DEVICE {

// Copies kBytes = 4, 8 or 16 through L1, of which only `from_bytes` are read; the rest are zeros.
// Both addresses are multiples of kBytes.
template <int kBytes>
__device__ __forceinline__ void copy_async(void* to, const void* from,
                                           int from_bytes = kBytes FETTLE_AND_PLACE) {
    static_assert(kBytes == 4 || kBytes == 8 || kBytes == 16);
#if defined(__CUDACC__)
    asm volatile("cp.async.ca.shared.global [%0], [%1], %2, %3;" ::"r"(shared_address(to)),
                 "l"(__cvta_generic_to_global(from)), "n"(kBytes), "r"(from_bytes)
                 : "memory");
#else
    simt::copy_async(to, from, kBytes, from_bytes, {file, line});
#endif
}
// 16 bytes past L1, for what other blocks read rather than this one again.
__device__ __forceinline__ void copy_async_16(void* to, const void* from,
                                              int from_bytes = 16 FETTLE_AND_PLACE) {
#if defined(__CUDACC__)
    asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(shared_address(to)),
                 "l"(__cvta_generic_to_global(from)), "r"(from_bytes)
                 : "memory");
#else
    simt::copy_async(to, from, 16, from_bytes, {file, line});
#endif
}
__device__ __forceinline__ void commit_copies() {
#if defined(__CUDACC__)
    asm volatile("cp.async.commit_group;" ::: "memory");
#else
    simt::commit_copies();
#endif
}
// Until all of the thread's groups but the last kGroups are complete.
template <int kGroups>
__device__ __forceinline__ void wait_for_copies() {
#if defined(__CUDACC__)
    asm volatile("cp.async.wait_group %0;" ::"n"(kGroups) : "memory");
#else
    simt::wait_for_copies(kGroups);
#endif
}
__device__ __forceinline__ void wait_for_all_copies() {
#if defined(__CUDACC__)
    asm volatile("cp.async.wait_all;" ::: "memory");
#else
    simt::wait_for_all_copies();
#endif
}

}  // namespace FETTLE_DEVICE
