// CUDA C++ for g++ and clang++: what a .cu file uses of the language that is not C++. The same file
// compiled by nvcc uses the real thing (kernels/core/launch.h chooses).
//
//   this file           qualifiers, built-in variables, barriers, dynamic shared memory
//   warp_functions.h    shuffles, votes, __syncwarp
//   atomics.h, math.h   atomics; device functions that <cmath> lacks
//   capture.h           streams: launches that run at once, or are kept for a graph
//   grid.h              runs a kernel over a grid; below it:
//   block.h             the state of a running block: threads, warps, barrier
//   scheduler.cpp       which thread of the block runs next
//   collective.cpp      what the lanes of a warp do together
//   warp_matrix.h       tensor cores of sm_80: kernels/core/warp_matrix.cuh
//   copies.h            asynchronous copies: kernels/core/async_copy.cuh
//   mbarrier.h, tensor_copy.h, tensor_store.h    bulk copies of sm_90
//   warpgroup_matrix.h, named_barrier.h, register_pool.h    its products, and what goes with them
//   cluster.h           blocks that are alive together: kernels/core/cluster.cuh
//   fiber.h             a stack that can be left and come back to: one a thread
//   fault.cpp           a stray access becomes an Error
//   memory.h            device memory, ended by a guard page
//   check.h             in a check build, every access is judged: bounds, order, alignment
//
// A block runs on one OS thread from beginning to end, so static __shared__ memory is that
// thread's (static_shared.h). Deliberately absent: weak memory and timing.
#pragma once

#include "kernels/simt/atomics.h"
#include "kernels/simt/grid.h"
#include "kernels/simt/math.h"
#include "kernels/simt/place.h"
#include "kernels/simt/types.h"
#include "kernels/simt/warp_functions.h"

#define __global__
#define __device__
#define __host__
#define __shared__ static thread_local
#define __constant__ static const
#define __forceinline__ inline __attribute__((always_inline))
#define __launch_bounds__(...)
#define __grid_constant__

namespace simt {
unsigned char* dynamic_shared();  // 16-byte aligned; filled with NaNs when a block begins
void sync_threads(Place place);
void fence(bool is_for_grid);
}  // namespace simt

namespace on_simt {

// constinit: plain thread-local accesses, with no wrapper that checks for initialisation.
extern constinit thread_local uint3 threadIdx, blockIdx;
extern constinit thread_local dim3 blockDim, gridDim;

inline void __syncthreads(FETTLE_CALLER) { simt::sync_threads({file, line}); }
inline void __threadfence() {
    if constexpr (!simt::check::kOn) std::atomic_thread_fence(std::memory_order_seq_cst);
    simt::fence(/*is_for_grid=*/true);
    simt::yield();
}
inline void __threadfence_system() { __threadfence(); }
inline void __threadfence_block() { simt::fence(/*is_for_grid=*/false); }

}  // namespace on_simt
