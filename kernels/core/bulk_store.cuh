// Bulk stores of sm_90, one function an instruction: kernels/simt/tensor_store.h says what each
// does and emulates it. Code for older GPUs compiles, and traps.
//
//   tile[i] = value;            // every thread
//   fence_async_proxy();
//   __syncthreads();
//   if (threadIdx.x == 0) {
//       store_box(&map, column, row, tile);
//       commit_stores();
//       wait_stores_read<0>();  // then tile may be written again, and the block may end
//   }
#pragma once

#include "kernels/core/mbarrier.cuh"
#include "kernels/core/warpgroup_matrix.cuh"  // fence_async_proxy

#if !defined(__CUDACC__)
#include "kernels/simt/tensor_store.h"
#endif

namespace FETTLE_DEVICE {

// A run of bytes from shared to device memory; all of it in multiples of 16.
__device__ __forceinline__ void store_bytes(void* to, const void* from,
                                            uint32_t bytes FETTLE_AND_PLACE) {
#if defined(__CUDACC__)
    FETTLE_SM90_ASM("cp.async.bulk.global.shared::cta.bulk_group [%0], [%1], %2;" ::"l"(
                        __cvta_generic_to_global(to)),
                    "r"(shared_address(from)), "r"(bytes)
                    : "memory");
#else
    simt::store_bytes(to, from, bytes, {file, line});
#endif
}

// To the map's box whose first element is (row, column); what lies outside the matrix is left out.
__device__ __forceinline__ void store_box(const TensorMap* map, int column, int row,
                                          const void* from FETTLE_AND_PLACE) {
#if defined(__CUDACC__)
    FETTLE_SM90_ASM(
        "cp.async.bulk.tensor.2d.global.shared::cta.bulk_group [%0, {%2, %3}], [%1];" ::"l"(map),
        "r"(shared_address(from)), "r"(column), "r"(row)
        : "memory");
#else
    simt::store_box(*map, column, row, from, {file, line});
#endif
}

// The thread's stores so far are a group.
__device__ __forceinline__ void commit_stores() {
#if defined(__CUDACC__)
    FETTLE_SM90_ASM("cp.async.bulk.commit_group;" ::: "memory");
#else
    simt::commit_stores();
#endif
}

// Until all groups of this thread but the last kLeft have read shared memory.
template <int kLeft>
__device__ __forceinline__ void wait_stores_read() {
#if defined(__CUDACC__)
    FETTLE_SM90_ASM("cp.async.bulk.wait_group.read %0;" ::"n"(kLeft) : "memory");
#else
    simt::wait_stores_read(kLeft);
#endif
}

// Until this thread sees in device memory what all groups but the last kLeft stored.
template <int kLeft>
__device__ __forceinline__ void wait_stores() {
#if defined(__CUDACC__)
    FETTLE_SM90_ASM("cp.async.bulk.wait_group %0;" ::"n"(kLeft) : "memory");
#else
    simt::wait_stores(kLeft);
#endif
}

}  // namespace FETTLE_DEVICE
