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
#include "kernels/attention/online_softmax.cuh"
#include "kernels/attention/tile.cuh"
#include "kernels/core/async_copy.cuh"
#include "kernels/core/launch.h"
#include "kernels/core/warp.cuh"
#include "kernels/core/warp_matrix.cuh"

namespace FETTLE_DEVICE {  // on_cuda or on_simt: this file is compiled for both
namespace {

constexpr int kThreads = 128;
constexpr int kWarps = kThreads / kWarpSize;
constexpr int kKeys = 64;  // of a tile

// The tiles of a head size, in shared memory.
template <int kDim>
struct Tile {
    static constexpr int kRowTiles = kDim == 64 ? 2 : 1;  // of 16 queries, of a warp
    static constexpr int kWarpQueries = kFragmentRows * kRowTiles;
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

// A row's keys and values under a head.
struct Keys {
    const bf16* k;  // of the first key
    const bf16* v;
};

template <int kDim>
__device__ __forceinline__ void copy_keys(const Tile<kDim>& tile, int stage, const Keys& keys,
                                          const AttentionForward<bf16>& args, int first, int end) {
    const int offset = stage * Tile<kDim>::kStage;
    copy_rows<kDim, kKeys>(tile.keys + offset, keys.k + first * args.k_stride, args.k_stride,
                           end - first);
    copy_rows<kDim, kKeys>(tile.values + offset, keys.v + first * args.v_stride, args.v_stride,
                           end - first);
}

// Of a warp's queries and a tile of keys.
template <int kDim>
struct Scores {
    float at[Tile<kDim>::kRowTiles][kKeys / 8][4] = {};
};
template <int kDim>
struct Rows {
    SoftmaxRows<kDim> at[Tile<kDim>::kRowTiles];
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

template <int kDim>
__device__ __forceinline__ void add_values(Rows<kDim>& rows, const Scores<kDim>& scores,
                                           bf16* values) {
    constexpr int kTiles = Tile<kDim>::kRowTiles;
    const int lane = threadIdx.x % kWarpSize;
#pragma unroll
    for (int j = 0; j < kKeys / 16; ++j) {
        uint32_t p[kTiles][4];
#pragma unroll
        for (int t = 0; t < kTiles; ++t)
            left_operand(p[t], scores.at[t][2 * j], scores.at[t][2 * j + 1]);
#pragma unroll
        for (int n = 0; n < kDim / 16; ++n) {
            uint32_t v[4];  // columns 16 n + (0..7, 8..15), each of keys 16 j + (0..7, 8..15)
            load_matrix_transposed(v,
                                   chunk_at<kDim>(values, 16 * j + lane % 16, 2 * n + lane / 16));
#pragma unroll
            for (int t = 0; t < kTiles; ++t) {
                multiply_matrices(rows.at[t].sums[2 * n], p[t], v[0], v[1]);
                multiply_matrices(rows.at[t].sums[2 * n + 1], p[t], v[2], v[3]);
            }
        }
    }
}

template <int kDim>
__device__ __forceinline__ void attend(const AttentionForward<bf16>& args, const Tile<kDim>& tile,
                                       const QueryTile& queries, const Keys& keys) {
    using Shape = Tile<kDim>;
    const int first_row = threadIdx.x / kWarpSize * Shape::kWarpQueries;
    const QueryTile mine = queries.after(first_row);
    const int end = queries.keys_of_first(Shape::kQueries);
    const int warp_end = mine.keys_of_first(Shape::kWarpQueries);
    const float factor = float(args.scale) * kLog2E;
    Rows<kDim> rows;
    copy_rows<kDim, Shape::kQueries>(tile.queries,
                                     args.q + queries.first * args.q_stride + queries.head * kDim,
                                     args.q_stride, queries.count);
    copy_keys(tile, 0, keys, args, 0, end);
    commit_copies();
    int stage = 0;
    for (int first = 0; first < end; first += kKeys, stage ^= 1) {
        wait_for_copies<0>();
        __syncthreads();  // all copies of this stage are there, and nobody reads the other one
        if (first + kKeys < end) copy_keys(tile, stage ^ 1, keys, args, first + kKeys, end);
        commit_copies();
        if (first >= warp_end) continue;
        Scores<kDim> scores;
        multiply_keys(scores, tile.queries + first_row * kDim, tile.keys + stage * Shape::kStage);
        const int visible = mine.seen - first;  // to the warp's first query
        if (min(visible, mine.keys - first) < kKeys) {
#pragma unroll
            for (int t = 0; t < Shape::kRowTiles; ++t)
                mask(scores.at[t], visible + kFragmentRows * t, mine.keys - first);
        }
#pragma unroll
        for (int t = 0; t < Shape::kRowTiles; ++t) softmax(scores.at[t], rows.at[t], factor);
        add_values(rows, scores, tile.values + stage * Shape::kStage);
    }
    wait_for_copies<0>();  // of a tile that sees no key
    __syncthreads();
#pragma unroll
    for (int t = 0; t < Shape::kRowTiles; ++t) {
        const int row = first_row + kFragmentRows * t;
        const auto at = [&](int r, int chunk) {
            return chunk_at<kDim>(tile.queries, row + r, chunk);
        };
        const QueryTile rest = mine.after(kFragmentRows * t);
        normalize(rows.at[t], args, rest);
        store<false>(args.out, rows.at[t], args, rest, at);
        if (args.out_rest != nullptr) store<true>(args.out_rest, rows.at[t], args, rest, at);
    }
    __syncthreads();  // before the next tile's queries
}

template <int kDim>
__global__ void __launch_bounds__(kThreads, 2)
    attention_forward_sm80_block_per_query_tile(AttentionForward<bf16> args, int blocks_per_head) {
    FETTLE_DYNAMIC_SHARED(bf16, shared);
    const Tile<kDim> tile(shared);
    constexpr int kQueries = Tile<kDim>::kQueries;
    const RowAndHead row = row_and_head(args, blocks_per_head);
    const Keys keys{.k = args.k + row.first_key * args.k_stride + row.kv_head * kDim,
                    .v = args.v + row.first_key * args.v_stride + row.kv_head * kDim};
    const int tiles = ceil_div(row.queries, kQueries);
    for (int t = tiles - 1 - int(blockIdx.x % blocks_per_head); t >= 0; t -= blocks_per_head)
        attend(args, tile, query_tile(row, t * kQueries, kQueries), keys);
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
