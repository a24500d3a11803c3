// Causal attention, forward, on the tensor cores of sm_80: one block per tile of queries of a head,
// with online softmax; attention.cu has the formula and the same contract for any shape.
//
//   s[i,j] = q[i].k[j]; over tiles of keys, with m and l a row's largest s and sum so far:
//   m' = max(m, max_j s[i,j]), p[i,j] = 2^(c (s[i,j] - m')), c = scale / ln 2,
//   l' = l 2^(c (m - m')) + sum_j p[i,j], and likewise out' with bf16(p[i,j]) v[j]
//
// Shapes    q, out, out_rest [N,H,D]; k, v [M,Hkv,D], bf16; lse [N,H] float; row strides.
// Threads   Four warps; a warp owns 32 queries of the tile (16 for D = 128) and all their scores
//           and sums, in registers. Block (r, h, s) owns query tiles s, s+S, ... of row r and head
//           h, as in attention.cu. Every thread copies.
// Traffic   q and out once, k and v once a query tile, out of L2, by cp.async: tile j + 1 flies
//           while tile j is used. 4 D flops a visible pair of tokens; a warp reads its 64 keys and
//           values from shared memory once for all its queries. Bound by tensor cores and exp2.
// Numerics  Products are exact, sums float. p is rounded to bf16 before it multiplies v, l sums it
//           unrounded: |out - exact| <= 2^-8 sum_j P[i,j] |v[j]|, then out is rounded. No atomics,
//           one order: bitwise repeatable, independent of S. Keys that a query does not see weigh
//           0, and 0 x NaN is NaN: a value that is not finite reaches earlier queries, within a
//           tile of 64 keys. A query that sees nothing has out = 0 and lse = -inf.
// Requires  rows > 0; head_dim 64 or 128; scale > 0; q, k, v, out, out_rest and their strides whole
//           multiples of 16 bytes.
// Shared    bf16: queries, later out, [queries][D]; two stages of keys and of values [64][D]: 48
//           KiB for D = 64, 80 for 128. Chunk c of 16 bytes of row r lies at c ^ (r % 8), so that
//           the 8 rows of a matrix, and the 8 chunks of a row, are in different banks.
//
// Deliberately absent: a second block for the keys of a lone query, as in attention.cu.

#include "kernels/attention/attention.h"
#include "kernels/attention/tile.cuh"
#include "kernels/core/async_copy.cuh"
#include "kernels/core/launch.h"
#include "kernels/core/pack.cuh"
#include "kernels/core/warp.cuh"
#include "kernels/core/warp_matrix.cuh"

namespace FETTLE_DEVICE {  // on_cuda or on_simt: this file is compiled for both
namespace {

constexpr int kThreads = 128;
constexpr int kWarps = kThreads / kWarpSize;
constexpr int kKeys = 64;  // of a tile
constexpr int kChunk = 8;  // elements in 16 bytes
constexpr float kLog2E = 1.44269504f;

// The tiles of a head size, in shared memory.
template <int kDim>
struct Tile {
    static constexpr int kRowTiles = kDim == 64 ? 2 : 1;  // of 16 queries, of a warp
    static constexpr int kWarpQueries = 16 * kRowTiles;
    static constexpr int kQueries = kWarpQueries * kWarps;
    static constexpr int kStage = kKeys * kDim;
    static constexpr int kElements = kQueries * kDim + 4 * kStage;

    bf16* queries;  // [kQueries][kDim]
    bf16* keys;     // [2][kKeys][kDim]
    bf16* values;   // [2][kKeys][kDim]

    __device__ explicit Tile(bf16* shared)
        : queries(shared), keys(queries + kQueries * kDim), values(keys + 2 * kStage) {}
};

template <int kDim>
__device__ __forceinline__ bf16* chunk_at(bf16* tile, int row, int chunk) {
    return tile + row * kDim + (chunk ^ row % 8) * kChunk;
}

// What a block works on: some queries of a row, one head.
struct Work {
    const bf16* q;  // of the first query
    const bf16* k;  // of the row's first key
    const bf16* v;
    int64_t first_query;  // token
    int num_queries;      // of the tile
    int keys;             // of the row
    int seen;  // keys that the tile's query 0 sees; query i sees i more. May be negative.
    int head;
};

// Begins copies of kRows rows; those from `count` on become zeros.
template <int kDim, int kRows>
__device__ __forceinline__ void copy_rows(bf16* tile, const bf16* source, int64_t stride,
                                          int count) {
    constexpr int kChunks = kDim / kChunk;
    static_assert(kRows * kChunks % kThreads == 0);
#pragma unroll
    for (int i = 0; i < kRows * kChunks / kThreads; ++i) {
        const int row = (i * kThreads + int(threadIdx.x)) / kChunks;
        const int chunk = threadIdx.x % kChunks;
        const bool exists = row < count;
        copy_async_16(chunk_at<kDim>(tile, row, chunk),
                      source + (exists ? row * stride : 0) + chunk * kChunk, exists ? 16 : 0);
    }
}

template <int kDim>
__device__ __forceinline__ void copy_keys(const Tile<kDim>& tile, int stage, const Work& work,
                                          const AttentionForward<bf16>& args, int first, int end) {
    const int offset = stage * Tile<kDim>::kStage;
    copy_rows<kDim, kKeys>(tile.keys + offset, work.k + first * args.k_stride, args.k_stride,
                           end - first);
    copy_rows<kDim, kKeys>(tile.values + offset, work.v + first * args.v_stride, args.v_stride,
                           end - first);
}

// A warp's queries and what it knows of them so far. Lane l has rows l / 4 and l / 4 + 8 of each
// tile of 16, and of 8 columns those at 2 (l % 4) and 2 (l % 4) + 1.
template <int kDim>
struct Rows {
    static constexpr int kTiles = Tile<kDim>::kRowTiles;
    float sums[kTiles][kDim / 8][4] = {};
    float largest[kTiles][2];
    float weight[kTiles][2] = {};  // l: of this lane's columns only
};
template <int kDim>
struct Scores {
    float at[Tile<kDim>::kRowTiles][kKeys / 8][4] = {};
};

template <int kDim>
__device__ __forceinline__ void multiply_keys(Scores<kDim>& scores, bf16* queries, bf16* keys) {
    const int lane = threadIdx.x % kWarpSize;
#pragma unroll
    for (int d = 0; d < kDim / 16; ++d) {
        uint32_t q[Tile<kDim>::kRowTiles][4];  // again each time: registers are short
#pragma unroll
        for (int t = 0; t < Tile<kDim>::kRowTiles; ++t)
            load_matrix(q[t], chunk_at<kDim>(queries, 16 * t + lane % 16, 2 * d + lane / 16));
#pragma unroll
        for (int j = 0; j < kKeys / 16; ++j) {
            uint32_t k[4];  // keys 16 j + (0..7, 8..15), each of dimensions 16 d + (0..7, 8..15)
            load_matrix(
                k, chunk_at<kDim>(keys, 16 * j + lane / 16 * 8 + lane % 8, 2 * d + lane / 8 % 2));
#pragma unroll
            for (int t = 0; t < Tile<kDim>::kRowTiles; ++t) {
                multiply_matrices(scores.at[t][2 * j], q[t], k[0], k[1]);
                multiply_matrices(scores.at[t][2 * j + 1], q[t], k[2], k[3]);
            }
        }
    }
}

// Scores of keys that a query does not see become -inf. `visible` keys are seen by row 0.
template <int kDim>
__device__ __forceinline__ void mask(Scores<kDim>& scores, int visible, int keys) {
    const int lane = threadIdx.x % kWarpSize;
#pragma unroll
    for (int t = 0; t < Tile<kDim>::kRowTiles; ++t)
#pragma unroll
        for (int n = 0; n < kKeys / 8; ++n)
#pragma unroll
            for (int e = 0; e < 4; ++e) {
                const int row = 16 * t + e / 2 * 8 + lane / 4;
                if (8 * n + lane % 4 * 2 + e % 2 >= min(visible + row, keys))
                    scores.at[t][n][e] = -INFINITY;
            }
}

// Scores to probabilities under the largest score so far.
template <int kDim>
__device__ __forceinline__ void softmax(Scores<kDim>& scores, Rows<kDim>& rows, float factor) {
#pragma unroll
    for (int t = 0; t < Rows<kDim>::kTiles; ++t) {
#pragma unroll
        for (int half = 0; half < 2; ++half) {
            float largest = rows.largest[t][half];
#pragma unroll
            for (int n = 0; n < kKeys / 8; ++n)
                largest =
                    fmaxf(largest, fmaxf(scores.at[t][n][2 * half], scores.at[t][n][2 * half + 1]));
            largest = fmaxf(largest, __shfl_xor_sync(kAllLanes, largest, 1));
            largest = fmaxf(largest, __shfl_xor_sync(kAllLanes, largest, 2));
            // -inf - -inf is NaN
            const float origin = largest == -INFINITY ? 0.0f : largest * factor;
            const float correction = exp2f(rows.largest[t][half] * factor - origin);
            float weight = rows.weight[t][half] * correction;
#pragma unroll
            for (int n = 0; n < kKeys / 8; ++n) {
#pragma unroll
                for (int e = 2 * half; e < 2 * half + 2; ++e) {
                    scores.at[t][n][e] = exp2f(scores.at[t][n][e] * factor - origin);
                    weight += scores.at[t][n][e];
                }
            }
#pragma unroll
            for (int n = 0; n < kDim / 8; ++n) {
                rows.sums[t][n][2 * half] *= correction;
                rows.sums[t][n][2 * half + 1] *= correction;
            }
            rows.largest[t][half] = largest;
            rows.weight[t][half] = weight;
        }
    }
}

// Two tiles of 8 columns of probabilities side by side are a left operand as they stand.
template <int kDim>
__device__ __forceinline__ void add_values(Rows<kDim>& rows, const Scores<kDim>& scores,
                                           bf16* values) {
    const int lane = threadIdx.x % kWarpSize;
#pragma unroll
    for (int j = 0; j < kKeys / 16; ++j) {
        uint32_t p[Rows<kDim>::kTiles][4];
#pragma unroll
        for (int t = 0; t < Rows<kDim>::kTiles; ++t)
#pragma unroll
            for (int quarter = 0; quarter < 4; ++quarter) {
                const float* pair = &scores.at[t][2 * j + quarter / 2][quarter % 2 * 2];
                p[t][quarter] = pack_bf16(pair[0], pair[1]);
            }
#pragma unroll
        for (int n = 0; n < kDim / 16; ++n) {
            uint32_t v[4];  // columns 16 n + (0..7, 8..15), each of keys 16 j + (0..7, 8..15)
            load_matrix_transposed(v,
                                   chunk_at<kDim>(values, 16 * j + lane % 16, 2 * n + lane / 16));
#pragma unroll
            for (int t = 0; t < Rows<kDim>::kTiles; ++t) {
                multiply_matrices(rows.sums[t][2 * n], p[t], v[0], v[1]);
                multiply_matrices(rows.sums[t][2 * n + 1], p[t], v[2], v[3]);
            }
        }
    }
}

// Divides the sums by their weights, and writes the logarithm of the latter.
template <int kDim>
__device__ __forceinline__ void normalize(Rows<kDim>& rows, const AttentionForward<bf16>& args,
                                          const Work& work, int first_row) {
    const int lane = threadIdx.x % kWarpSize;
#pragma unroll
    for (int t = 0; t < Rows<kDim>::kTiles; ++t) {
#pragma unroll
        for (int half = 0; half < 2; ++half) {
            float weight = rows.weight[t][half];
            weight += __shfl_xor_sync(kAllLanes, weight, 1);
            weight += __shfl_xor_sync(kAllLanes, weight, 2);
            const float inverse = weight == 0.0f ? 0.0f : 1.0f / weight;
#pragma unroll
            for (int n = 0; n < kDim / 8; ++n) {
                rows.sums[t][n][2 * half] *= inverse;
                rows.sums[t][n][2 * half + 1] *= inverse;
            }
            const int row = first_row + 16 * t + 8 * half + lane / 4;
            if (lane % 4 == 0 && row < work.num_queries && args.lse != nullptr)
                args.lse[(work.first_query + row) * args.heads + work.head] =
                    rows.largest[t][half] * float(args.scale) + logf(weight);
        }
    }
}

// The warp's rows to `out`: the sums, or what rounding takes from them. They pass through its rows
// of the queries' tile, so that a row leaves in whole sectors.
template <int kDim, bool kRest>
__device__ __forceinline__ void store(bf16* out, const Rows<kDim>& rows,
                                      const AttentionForward<bf16>& args, const Tile<kDim>& tile,
                                      const Work& work, int first_row) {
    using Pair = Pack<bf16, 2>;
    using Chunk = Pack<bf16, kChunk>;
    const int lane = threadIdx.x % kWarpSize;
#pragma unroll
    for (int t = 0; t < Rows<kDim>::kTiles; ++t)
#pragma unroll
        for (int n = 0; n < kDim / 8; ++n)
#pragma unroll
            for (int half = 0; half < 2; ++half) {
                const float* value = &rows.sums[t][n][2 * half];
                auto pair = std::bit_cast<Pair>(pack_bf16(value[0], value[1]));
                if (kRest)
                    pair = std::bit_cast<Pair>(pack_bf16(value[0] - float(pair.values[0]),
                                                         value[1] - float(pair.values[1])));
                const int row = first_row + 16 * t + 8 * half + lane / 4;
                *reinterpret_cast<Pair*>(chunk_at<kDim>(tile.queries, row, n) + lane % 4 * 2) =
                    pair;
            }
    __syncwarp();
    constexpr int kChunks = kDim / kChunk;
#pragma unroll 4
    for (int i = lane; i < Tile<kDim>::kWarpQueries * kChunks; i += kWarpSize) {
        const int row = first_row + i / kChunks, chunk = i % kChunks;
        if (row >= work.num_queries) break;
        *reinterpret_cast<Chunk*>(out + (work.first_query + row) * args.out_stride +
                                  work.head * kDim + chunk * kChunk) =
            *reinterpret_cast<const Chunk*>(chunk_at<kDim>(tile.queries, row, chunk));
    }
    __syncwarp();  // before the rows are written again
}

template <int kDim>
__device__ __forceinline__ void attend(const AttentionForward<bf16>& args, const Tile<kDim>& tile,
                                       const Work& work) {
    using Shape = Tile<kDim>;
    const int first_row = threadIdx.x / kWarpSize * Shape::kWarpQueries;
    const int end = min(work.keys, work.seen + work.num_queries - 1);  // the last query's
    const int warp_rows = min(work.num_queries - first_row, Shape::kWarpQueries);
    const int warp_end = warp_rows > 0 ? min(end, work.seen + first_row + warp_rows - 1) : 0;
    const float factor = float(args.scale) * kLog2E;
    Rows<kDim> rows;
#pragma unroll
    for (auto& pair : rows.largest) pair[0] = pair[1] = -INFINITY;
    copy_rows<kDim, Shape::kQueries>(tile.queries, work.q, args.q_stride, work.num_queries);
    copy_keys(tile, 0, work, args, 0, end);
    commit_copies();
    int stage = 0;
    for (int first = 0; first < end; first += kKeys, stage ^= 1) {
        wait_for_copies<0>();
        __syncthreads();  // all copies of this stage are there, and nobody reads the other one
        if (first + kKeys < end) copy_keys(tile, stage ^ 1, work, args, first + kKeys, end);
        commit_copies();
        if (first >= warp_end) continue;
        Scores<kDim> scores;
        multiply_keys(scores, tile.queries + first_row * kDim, tile.keys + stage * Shape::kStage);
        const int visible = work.seen + first_row - first;  // to the warp's first row
        if (min(visible, work.keys - first) < kKeys) mask(scores, visible, work.keys - first);
        softmax(scores, rows, factor);
        add_values(rows, scores, tile.values + stage * Shape::kStage);
    }
    wait_for_copies<0>();  // of a tile that sees no key
    __syncthreads();
    normalize(rows, args, work, first_row);
    store<kDim, false>(args.out, rows, args, tile, work, first_row);
    if (args.out_rest != nullptr)
        store<kDim, true>(args.out_rest, rows, args, tile, work, first_row);
    __syncthreads();  // before the next tile's queries
}

template <int kDim>
__global__ void __launch_bounds__(kThreads, 2)
    attention_forward_sm80_block_per_query_tile(AttentionForward<bf16> args, int blocks_per_head) {
    FETTLE_DYNAMIC_SHARED(bf16, shared);
    const Tile<kDim> tile(shared);
    constexpr int kQueries = Tile<kDim>::kQueries;
    const int head = blockIdx.x / blocks_per_head % args.heads;
    const int row = blockIdx.x / blocks_per_head / args.heads;
    const int kv_head = head / (args.heads / args.kv_heads);
    const int64_t first = args.query_starts[row];
    const int queries = args.query_starts[row + 1] - int(first);
    const int keys = args.key_counts != nullptr ? args.key_counts[row] : queries;
    const int64_t first_key = args.key_starts != nullptr ? args.key_starts[row] : first;
    const int tiles = (queries + kQueries - 1) / kQueries;
    for (int t = tiles - 1 - int(blockIdx.x % blocks_per_head); t >= 0; t -= blocks_per_head) {
        const int64_t first_query = first + t * kQueries;
        attend(args, tile,
               {.q = args.q + first_query * args.q_stride + head * kDim,
                .k = args.k + first_key * args.k_stride + kv_head * kDim,
                .v = args.v + first_key * args.v_stride + kv_head * kDim,
                .first_query = first_query,
                .num_queries = min(queries - t * kQueries, kQueries),
                .keys = keys,
                .seen = keys - queries + t * kQueries + 1,
                .head = head});
    }
}

template <int kDim>
void launch_forward(const AttentionForward<bf16>& args, StreamView stream) {
    const int per_head = blocks_per_head("attention_forward", args.rows, args.heads);
    launch(attention_forward_sm80_block_per_query_tile<kDim>,
           {.grid = static_cast<unsigned>(int64_t{args.rows} * args.heads * per_head),
            .block = kThreads,
            .shared_bytes = Tile<kDim>::kElements * sizeof(bf16),
            .stream = stream},
           args, per_head);
}

}  // namespace

void attention_forward_sm80(const AttentionForward<bf16>& args, StreamView stream) {
    if (args.head_dim == 64)
        launch_forward<64>(args, stream);
    else
        launch_forward<128>(args, stream);
}

}  // namespace FETTLE_DEVICE
