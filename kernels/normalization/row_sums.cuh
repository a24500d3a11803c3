// Sums over rows for the gradients of a norm's weights: what the backward kernels of LayerNorm and
// RMSNorm share.
//
//   1. Rows are cut into runs, a block each. A warp adds its rows' terms to its own sums in shared
//      memory, [width] floats, between begin_row_sums and end_row_sums.
//   2. end_row_sums adds the warps' sums in order, thread t columns t, t + 32W, ..., and leaves
//      them in row b of partial [runs, width].
//   3. A second kernel adds the runs in order, a thread a column: sum_of_runs.
//
// No atomics, and an order that rows, width and nothing else decide: bitwise repeatable.
#pragma once

#include "kernels/core/launch.h"
#include "kernels/core/warp.cuh"

namespace FETTLE_DEVICE {

constexpr int kMaxSumWarps = 8;
constexpr int kSharedBytes = 64 * 1024;  // three blocks on an SM of sm_90, two of sm_80
constexpr int kMaxSumWidth = 40 * 1024;  // one warp's sums are then 160 KiB, what sm_80 has
constexpr int kColumnsPerBlock = 256;

// One block a run: of as many warps, 8, 4, 2 or 1, as have room for their sums in kSharedBytes.
inline LaunchShape row_sums_shape(int runs, int width, StreamView stream) {
    const int bytes_per_warp = width * static_cast<int>(sizeof(float));
    int warps = kMaxSumWarps;
    while (warps > 1 && warps * bytes_per_warp > kSharedBytes) warps /= 2;
    return {.grid = static_cast<unsigned>(runs),
            .block = static_cast<unsigned>(warps * kWarpSize),
            .shared_bytes = static_cast<size_t>(warps * bytes_per_warp),
            .stream = stream};
}

inline LaunchShape sum_of_runs_shape(int width, StreamView stream) {
    return {.grid = static_cast<unsigned>(ceil_div(width, kColumnsPerBlock)),
            .block = kColumnsPerBlock,
            .stream = stream};
}

// Clears the block's sums [warps, width] and returns the calling warp's.
__device__ inline float* begin_row_sums(float* sums, int width) {
    const int warps = blockDim.x / kWarpSize;
    for (int i = threadIdx.x; i < warps * width; i += blockDim.x) sums[i] = 0.0f;
    __syncthreads();
    return sums + threadIdx.x / kWarpSize * width;
}

// Every warp of the block is done: their sums become this run's row of `partial` [runs, width].
__device__ inline void end_row_sums(void* partial, const float* sums, int width) {
    __syncthreads();
    const int warps = blockDim.x / kWarpSize;
    float* run = static_cast<float*>(partial) + int64_t{blockIdx.x} * width;  // [width]
    for (int i = threadIdx.x; i < width; i += blockDim.x) {
        float sum = sums[i];
        for (int w = 1; w < warps; ++w) sum += sums[w * width + i];
        run[i] = sum;
    }
}

__device__ inline float sum_of_runs(const void* partial, int runs, int width, int column) {
    const float* first = static_cast<const float*>(partial) + column;
    float sum = 0.0f;
    for (int run = 0; run < runs; ++run) sum += first[int64_t{run} * width];
    return sum;
}

}  // namespace FETTLE_DEVICE
