// What attention's forward and backward kernels share: a block of 128 threads that stages rows of
// q, k or v in shared memory as floats, and a fixed number of blocks for every row and head.
#pragma once

#include "kernels/core/check.h"
#include "kernels/core/launch.h"
#include "kernels/core/warp.cuh"

namespace FETTLE_DEVICE {

constexpr int kTileThreads = 128;
constexpr int kTileWarps = kTileThreads / kWarpSize;

// Rows of `source` to destination[row * row_stride + d * stride]; zeros beyond count and dim.
template <int kDim, typename T>
__device__ void stage(float* destination, int row_stride, int stride, const T* source,
                      int64_t source_stride, int count, int capacity, int dim) {
    for (int row = threadIdx.x / kWarpSize; row < capacity; row += kTileWarps)
        for (int d = threadIdx.x % kWarpSize; d < kDim; d += kWarpSize)
            destination[row * row_stride + d * stride] =
                row < count && d < dim ? float(source[row * source_stride + d]) : 0.0f;
}

__device__ inline const float* aligned(const float* vector) {
    return static_cast<const float*>(__builtin_assume_aligned(vector, 16));
}

// Host code knows neither rows' lengths nor how many tiles they have: every head of a row gets this
// many blocks, which share its tiles; those without a tile leave.
inline int blocks_per_head(const char* op, int rows, int heads) {
    constexpr int64_t kTargetBlocks = 512;  // a few for each of 132 SMs
    constexpr int64_t kMost = 32;
    const int64_t all = int64_t{rows} * heads;
    const int64_t wanted = ceil_div<int64_t>(kTargetBlocks, all);
    const int64_t each = wanted < kMost ? wanted : kMost;
    ENSURE(all * each <= INT32_MAX, "{}: {} rows of {} heads, expected at most {} together", op,
           rows, heads, INT32_MAX);
    return static_cast<int>(each);
}

}  // namespace FETTLE_DEVICE
