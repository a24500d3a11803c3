// mbarriers and bulk copies of sm_90, one function an instruction: kernels/simt/mbarrier.h and
// tensor_copy.h say what each does and emulate it. Code for older GPUs compiles, and traps.
//
//   if (threadIdx.x == 0) mbarrier_init(full, 1), fence_mbarrier_init();
//   __syncthreads();
//   if (threadIdx.x == 0) {
//       mbarrier_arrive_expect_bytes(full, bytes);
//       load_box(tile, &map, column, row, full);
//   }
//   mbarrier_wait(full, 0);   // parity of the phase: 0, 1, 0, ...
#pragma once

#include "kernels/core/instruction.cuh"

#if !defined(__CUDACC__)
#include "kernels/simt/mbarrier.h"
#include "kernels/simt/tensor_copy.h"
#else
#include <cuda.h>
#endif

namespace FETTLE_DEVICE {

#if defined(__CUDACC__)
using TensorMap = CUtensorMap;
#else
using TensorMap = simt::TensorMap;
#endif

// For `count` arrivals in each phase. Others may use it after a barrier of the block.
__device__ __forceinline__ void mbarrier_init(uint64_t* mbarrier, uint32_t count FETTLE_AND_PLACE) {
#if defined(__CUDACC__)
    FETTLE_SM90_ASM("mbarrier.init.shared::cta.b64 [%0], %1;" ::"r"(shared_address(mbarrier)),
                    "r"(count)
                    : "memory");
#else
    simt::mbarrier_init(mbarrier, count, {file, line});
#endif
}

// After its last wait: the memory may be used for something else.
__device__ __forceinline__ void mbarrier_invalidate(uint64_t* mbarrier FETTLE_AND_PLACE) {
#if defined(__CUDACC__)
    FETTLE_SM90_ASM("mbarrier.inval.shared::cta.b64 [%0];" ::"r"(shared_address(mbarrier))
                    : "memory");
#else
    simt::mbarrier_invalidate(mbarrier, {file, line});
#endif
}

// By the thread that initialised, so that copies may use it.
__device__ __forceinline__ void fence_mbarrier_init() {
#if defined(__CUDACC__)
    FETTLE_SM90_ASM("fence.mbarrier_init.release.cluster;" ::: "memory");
#else
    simt::fence_mbarrier_init();
#endif
}

__device__ __forceinline__ void mbarrier_arrive(uint64_t* mbarrier FETTLE_AND_PLACE) {
#if defined(__CUDACC__)
    FETTLE_SM90_ASM("mbarrier.arrive.shared::cta.b64 _, [%0];" ::"r"(shared_address(mbarrier))
                    : "memory");
#else
    simt::mbarrier_arrive(mbarrier, {file, line});
#endif
}

// `bytes` more will come by copies in this phase.
__device__ __forceinline__ void mbarrier_expect_bytes(uint64_t* mbarrier,
                                                      uint32_t bytes FETTLE_AND_PLACE) {
#if defined(__CUDACC__)
    FETTLE_SM90_ASM(
        "mbarrier.expect_tx.relaxed.cta.shared::cta.b64 [%0], %1;" ::"r"(shared_address(mbarrier)),
        "r"(bytes)
        : "memory");
#else
    simt::mbarrier_expect_bytes(mbarrier, bytes, {file, line});
#endif
}

// Likewise, and an arrival.
__device__ __forceinline__ void mbarrier_arrive_expect_bytes(uint64_t* mbarrier,
                                                             uint32_t bytes FETTLE_AND_PLACE) {
#if defined(__CUDACC__)
    FETTLE_SM90_ASM(
        "mbarrier.arrive.expect_tx.shared::cta.b64 _, [%0], %1;" ::"r"(shared_address(mbarrier)),
        "r"(bytes)
        : "memory");
#else
    simt::mbarrier_arrive_expect_bytes(mbarrier, bytes, {file, line});
#endif
}

// Whether the phase of `parity` is over.
__device__ __forceinline__ bool mbarrier_test_wait(uint64_t* mbarrier,
                                                   uint32_t parity FETTLE_AND_PLACE) {
#if defined(__CUDACC__)
    uint32_t is_over = 0;
    FETTLE_SM90_ASM(
        "{\n.reg .pred p;\n"
        "mbarrier.test_wait.parity.shared::cta.b64 p, [%1], %2;\n"
        "selp.u32 %0, 1, 0, p;\n}"
        : "=r"(is_over)
        : "r"(shared_address(mbarrier)), "r"(parity)
        : "memory");
    return is_over != 0;
#else
    return simt::mbarrier_test_wait(mbarrier, parity, {file, line});
#endif
}

// Likewise, after waiting for a while if it is not.
__device__ __forceinline__ bool mbarrier_try_wait(uint64_t* mbarrier,
                                                  uint32_t parity FETTLE_AND_PLACE) {
#if defined(__CUDACC__)
    uint32_t is_over = 0;
    FETTLE_SM90_ASM(
        "{\n.reg .pred p;\n"
        "mbarrier.try_wait.parity.shared::cta.b64 p, [%1], %2;\n"
        "selp.u32 %0, 1, 0, p;\n}"
        : "=r"(is_over)
        : "r"(shared_address(mbarrier)), "r"(parity)
        : "memory");
    return is_over != 0;
#else
    return simt::mbarrier_try_wait(mbarrier, parity, {file, line});
#endif
}

// Until the phase of `parity` is over.
__device__ __forceinline__ void mbarrier_wait(uint64_t* mbarrier,
                                              uint32_t parity FETTLE_AND_PLACE) {
#if defined(__CUDACC__)
    while (!mbarrier_try_wait(mbarrier, parity)) {
    }
#else
    simt::mbarrier_try_wait(mbarrier, parity, {file, line});
#endif
}

// A run of bytes from device to shared memory; all of it in multiples of 16.
__device__ __forceinline__ void load_bytes(void* to, const void* from, uint32_t bytes,
                                           uint64_t* mbarrier FETTLE_AND_PLACE) {
#if defined(__CUDACC__)
    FETTLE_SM90_ASM(
        "cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::bytes [%0], [%1], %2, [%3];" ::
            "r"(shared_address(to)),
        "l"(__cvta_generic_to_global(from)), "r"(bytes), "r"(shared_address(mbarrier))
        : "memory");
#else
    simt::load_bytes(to, from, bytes, mbarrier, {file, line});
#endif
}

// So that the first box of the map does not wait for the map. It is a kernel's parameter.
__device__ __forceinline__ void prefetch_tensor_map([[maybe_unused]] const TensorMap* map) {
#if defined(__CUDACC__)
    FETTLE_SM90_ASM("prefetch.tensormap [%0];" ::"l"(map) : "memory");
#endif
}

// The map's box whose first element is (row, column), which may lie outside the matrix.
__device__ __forceinline__ void load_box(void* to, const TensorMap* map, int column, int row,
                                         uint64_t* mbarrier FETTLE_AND_PLACE) {
#if defined(__CUDACC__)
    FETTLE_SM90_ASM(
        "cp.async.bulk.tensor.2d.shared::cluster.global.mbarrier::complete_tx::bytes "
        "[%0], [%1, {%2, %3}], [%4];" ::"r"(shared_address(to)),
        "l"(map), "r"(column), "r"(row), "r"(shared_address(mbarrier))
        : "memory");
#else
    simt::load_box(to, *map, column, row, mbarrier, {file, line});
#endif
}

}  // namespace FETTLE_DEVICE
