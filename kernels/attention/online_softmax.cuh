// What attention's tensor-core forms share: online softmax in a warp's registers, and the way of
// its rows to memory.
//
// A warp holds tiles of 16 rows (queries) by columns in the fragments that mma.m16n8k16 and wgmma
// leave: lane l has rows l / 4 [half 0] and l / 4 + 8 [half 1], and of 8 columns 8 n .. those at
// 2 (l % 4) and 2 (l % 4) + 1; element e of fragment n belongs to half e / 2.
#pragma once

#include "kernels/attention/attention.h"
#include "kernels/attention/query_tile.cuh"
#include "kernels/core/launch.h"
#include "kernels/core/pack.cuh"
#include "kernels/core/warp.cuh"
#include "kernels/core/warp_matrix.cuh"

namespace FETTLE_DEVICE {

constexpr int kFragmentRows = 16;
constexpr int kChunk = 8;  // bf16 in 16 bytes
constexpr float kLog2E = 1.44269504f;

// What is known so far of 16 queries.
template <int kDim>
struct SoftmaxRows {
    float sums[kDim / 8][4] = {};
    float largest[2] = {-INFINITY, -INFINITY};  // m, by half
    float weight[2] = {};                       // l: of this lane's columns only
};

// Scores of keys that a query does not see become -inf. `visible` keys are seen by row 0, and there
// are `keys` in all, both counted from the tile's first.
template <int kFragments>
__device__ __forceinline__ void mask(float (&scores)[kFragments][4], int visible, int keys) {
    const int lane = threadIdx.x % kWarpSize;
#pragma unroll
    for (int n = 0; n < kFragments; ++n)
#pragma unroll
        for (int e = 0; e < 4; ++e) {
            const int row = e / 2 * 8 + lane / 4;
            if (8 * n + lane % 4 * 2 + e % 2 >= min(visible + row, keys)) scores[n][e] = -INFINITY;
        }
}

// Scores to probabilities under the largest score so far; `factor` is scale / ln 2.
template <int kFragments, int kDim>
__device__ __forceinline__ void softmax(float (&scores)[kFragments][4], SoftmaxRows<kDim>& rows,
                                        float factor) {
#pragma unroll
    for (int half = 0; half < 2; ++half) {
        float largest = rows.largest[half];
#pragma unroll
        for (int n = 0; n < kFragments; ++n)
            largest = fmaxf(largest, fmaxf(scores[n][2 * half], scores[n][2 * half + 1]));
        largest = fmaxf(largest, __shfl_xor_sync(kAllLanes, largest, 1));
        largest = fmaxf(largest, __shfl_xor_sync(kAllLanes, largest, 2));
        // -inf - -inf is NaN
        const float origin = largest == -INFINITY ? 0.0f : largest * factor;
        const float correction = exp2f(rows.largest[half] * factor - origin);
        float weight = rows.weight[half] * correction;
#pragma unroll
        for (int n = 0; n < kFragments; ++n) {
#pragma unroll
            for (int e = 2 * half; e < 2 * half + 2; ++e) {
                scores[n][e] = exp2f(scores[n][e] * factor - origin);
                weight += scores[n][e];
            }
        }
#pragma unroll
        for (int n = 0; n < kDim / 8; ++n) {
            rows.sums[n][2 * half] *= correction;
            rows.sums[n][2 * half + 1] *= correction;
        }
        rows.largest[half] = largest;
        rows.weight[half] = weight;
    }
}

// Probabilities of 16 keys as a left operand: two fragments side by side are one as they stand.
__device__ __forceinline__ void left_operand(uint32_t (&p)[4], const float (&first)[4],
                                             const float (&second)[4]) {
    p[0] = pack_bf16(first[0], first[1]);
    p[1] = pack_bf16(first[2], first[3]);
    p[2] = pack_bf16(second[0], second[1]);
    p[3] = pack_bf16(second[2], second[3]);
}

// Divides the sums by their weights, and writes the logarithm of the latter. The tile begins at the
// warp's first row.
template <int kDim>
__device__ __forceinline__ void normalize(SoftmaxRows<kDim>& rows,
                                          const AttentionForward<bf16>& args,
                                          const QueryTile& tile) {
    const int lane = threadIdx.x % kWarpSize;
#pragma unroll
    for (int half = 0; half < 2; ++half) {
        float weight = rows.weight[half];
        weight += __shfl_xor_sync(kAllLanes, weight, 1);
        weight += __shfl_xor_sync(kAllLanes, weight, 2);
        const float inverse = weight == 0.0f ? 0.0f : 1.0f / weight;
#pragma unroll
        for (int n = 0; n < kDim / 8; ++n) {
            rows.sums[n][2 * half] *= inverse;
            rows.sums[n][2 * half + 1] *= inverse;
        }
        const int row = 8 * half + lane / 4;
        if (lane % 4 == 0 && row < tile.count && args.lse != nullptr)
            args.lse[(tile.first + row) * args.heads + tile.head] =
                rows.largest[half] * float(args.scale) + logf(weight);
    }
}

// 16 rows to `out`: the sums, or what rounding takes from them. They pass through shared memory,
// chunk c of row r by `chunk_at(r, c)`, so that a row leaves in whole sectors; only this warp may
// use it.
template <bool kRest, int kDim, class ChunkAt>
__device__ __forceinline__ void store(bf16* out, const SoftmaxRows<kDim>& rows,
                                      const AttentionForward<bf16>& args, const QueryTile& tile,
                                      const ChunkAt& chunk_at) {
    using Pair = Pack<bf16, 2>;
    using Chunk = Pack<bf16, kChunk>;
    const int lane = threadIdx.x % kWarpSize;
#pragma unroll
    for (int n = 0; n < kDim / 8; ++n)
#pragma unroll
        for (int half = 0; half < 2; ++half) {
            const float* value = &rows.sums[n][2 * half];
            auto pair = std::bit_cast<Pair>(pack_bf16(value[0], value[1]));
            if (kRest)
                pair = std::bit_cast<Pair>(
                    pack_bf16(value[0] - float(pair.values[0]), value[1] - float(pair.values[1])));
            *reinterpret_cast<Pair*>(chunk_at(8 * half + lane / 4, n) + lane % 4 * 2) = pair;
        }
    __syncwarp();
    constexpr int kChunks = kDim / kChunk;
#pragma unroll 4
    for (int i = lane; i < kFragmentRows * kChunks; i += kWarpSize) {
        const int row = i / kChunks, chunk = i % kChunks;
        if (row >= tile.count) break;
        *reinterpret_cast<Chunk*>(out + (tile.first + row) * args.out_stride + tile.head * kDim +
                                  chunk * kChunk) =
            *reinterpret_cast<const Chunk*>(chunk_at(row, chunk));
    }
    __syncwarp();  // before the rows are written again
}

}  // namespace FETTLE_DEVICE
