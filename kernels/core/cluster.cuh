// Clusters of sm_90: blocks that are alive together and use each other's shared memory. One
// function an instruction; kernels/simt/cluster.h says what each does and emulates it. Code for
// older GPUs compiles, and traps. LaunchShape::cluster is how many blocks a cluster has.
//
//   cluster_sync();   // all blocks have begun
//   float* theirs = cluster_map(sums, (cluster_rank() + 1) % cluster_size());
//   ... theirs[i] ...
//   cluster_sync();   // no block is over before others have left its memory
#pragma once

#include "kernels/core/instruction.cuh"

#if !defined(__CUDACC__)
#include "kernels/simt/cluster.h"
#endif

namespace FETTLE_DEVICE {

// Of the block in its cluster: 0, 1, ...
__device__ __forceinline__ uint32_t cluster_rank() {
#if defined(__CUDACC__)
    uint32_t rank = 0;
    FETTLE_SM90_ASM("mov.u32 %0, %%cluster_ctarank;" : "=r"(rank));
    return rank;
#else
    return simt::cluster_rank();
#endif
}

__device__ __forceinline__ uint32_t cluster_size() {
#if defined(__CUDACC__)
    uint32_t size = 0;
    FETTLE_SM90_ASM("mov.u32 %0, %%cluster_nctarank;" : "=r"(size));
    return size;
#else
    return simt::cluster_size();
#endif
}

// Where the block `rank` has what this one has at `mine`, in dynamic shared memory.
template <typename T>
__device__ __forceinline__ T* cluster_map(T* mine, uint32_t rank FETTLE_AND_PLACE) {
#if defined(__CUDACC__)
    T* theirs = nullptr;
    FETTLE_SM90_ASM("mapa.u64 %0, %1, %2;" : "=l"(theirs) : "l"(mine), "r"(rank));
    return theirs;
#else
    return static_cast<T*>(simt::cluster_map(mine, rank, {file, line}));
#endif
}

// What this thread did is seen by those who wait behind the arrival of all threads of the cluster.
__device__ __forceinline__ void cluster_arrive(FETTLE_PLACE) {
#if defined(__CUDACC__)
    FETTLE_SM90_ASM("barrier.cluster.arrive.release;" ::: "memory");
#else
    simt::cluster_arrive({file, line});
#endif
}

__device__ __forceinline__ void cluster_wait(FETTLE_PLACE) {
#if defined(__CUDACC__)
    FETTLE_SM90_ASM("barrier.cluster.wait.acquire;" ::: "memory");
#else
    simt::cluster_wait({file, line});
#endif
}

__device__ __forceinline__ void cluster_sync(FETTLE_PLACE) {
#if defined(__CUDACC__)
    cluster_arrive(), cluster_wait();
#else
    simt::cluster_arrive({file, line});
    simt::cluster_wait({file, line});
#endif
}

}  // namespace FETTLE_DEVICE
