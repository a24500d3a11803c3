// Causal attention, forward: one block per tile of 64 queries of a head, with online softmax.
//
//   s[i,j] = scale * q[i].k[j];  over tiles of keys, with m and l a row's largest score and sum so
//   far: m' = max(m, max_j s[i,j]), l' = l exp(m - m') + sum_j exp(s[i,j] - m'), and likewise the
//   sum of values; at the end out[i] = sum / l, lse[i] = m + log(l)
//
// Shapes    q, out, out_rest [N,H,D]; k, v [M,Hkv,D]; lse [N,H]; tensors but lse with row strides.
// Threads   Block (r, h, s) owns query tiles s, s+S, ... of row r and head h, counted from the
//           row's end, where the work is. Host code knows neither rows' lengths nor tiles, so S is
//           a fixed number of blocks and those without a tile leave. For scores a thread owns 4
//           queries x 8 keys (2 x 8 for D > 128), for the softmax half a query's scores, for the
//           values 4 queries x D/8 columns.
// Traffic   q and out once, k and v once a query tile, out of L2. 2 D FMA a visible pair of tokens
//           against 12 shared floats read for 32 of them: bound by FMA and shared memory.
// Numerics  Float sums in a fixed order, no atomics: bitwise repeatable, and independent of S. The
//           largest score is subtracted before exp. A masked value is skipped, not multiplied by
//           zero: it may be a NaN. A query that sees nothing has out = 0 and lse = -inf.
// Requires  rows > 0; head_dim <= 256; strides of whole rows (never 0); any alignment.
// Shared    Floats: keys transposed [D][keys + 4] or values [keys][D], queries [64][D + 1],
//           probabilities [64][keys + 2], factors [64]; 50 KiB for D = 64, 83 for 128 and, with 32
//           keys a tile, 109 for 256. Paddings keep a warp's rows in different banks.
//
// Deliberately absent: a second block for the keys of a lone query (decoding reads a long cache
// with one block a head), tensor cores, 128-bit accesses to rows of unknown alignment.

#include "kernels/attention/attention.h"

#include "kernels/attention/query_tile.cuh"
#include "kernels/attention/tile.cuh"

namespace FETTLE_DEVICE {  // on_cuda or on_simt: this file is compiled for both
namespace {

constexpr int kThreads = kTileThreads;
constexpr int kQueries = 64;  // of a tile
constexpr int kVector = 8;    // keys, or columns of values, that a thread has side by side

// The tiles of a head size rounded up to kDim, and where they lie in shared memory.
template <int kDim>
struct Tile {
    static constexpr int kKeys = kDim > 128 ? 32 : 64;
    static constexpr int kKeyStride = kKeys + 4;   // of transposed keys
    static constexpr int kQueryStride = kDim + 1;  // of queries
    static constexpr int kScoreStride = kKeys + 2;
    static constexpr int kStaged = kDim * kKeyStride;
    static constexpr int kFloats =
        kStaged + kQueries * kScoreStride + kQueries * kQueryStride + kQueries;

    static constexpr int kScoreColumns = kKeys / kVector;  // threads side by side
    static constexpr int kScoreRows = kQueries * kScoreColumns / kThreads;
    static constexpr int kOutColumns = 8;
    static constexpr int kOutRows = kQueries * kOutColumns / kThreads;
    static constexpr int kOutVectors = kDim / (kOutColumns * kVector);

    float* staged;   // [kDim][kKeyStride] keys, then [kKeys][kDim] values
    float* scores;   // [kQueries][kScoreStride]
    float* queries;  // [kQueries][kQueryStride]
    float* factors;  // [kQueries]

    __device__ explicit Tile(float* shared)
        : staged(shared),
          scores(staged + kStaged),
          queries(scores + kQueries * kScoreStride),
          factors(queries + kQueries * kQueryStride) {}
};

// Scores of the staged keys; those that a query does not see are -inf.
template <int kDim>
__device__ void score_keys(const Tile<kDim>& tile, const QueryTile& queries, int first, int dim,
                           float scale) {
    using Shape = Tile<kDim>;
    const int column = threadIdx.x % Shape::kScoreColumns * kVector;
    const int row = threadIdx.x / Shape::kScoreColumns * Shape::kScoreRows;
    if (row / Shape::kOutRows * Shape::kOutRows >= queries.count) return;  // as add_values reads
    float sums[Shape::kScoreRows][kVector] = {};
    const float* rows = tile.queries + row * Shape::kQueryStride;
    for (int d = 0; d < dim; ++d) {
        const float* keys = aligned(tile.staged + d * Shape::kKeyStride + column);
#pragma unroll
        for (int i = 0; i < Shape::kScoreRows; ++i) {
            const float q = rows[i * Shape::kQueryStride + d];
#pragma unroll
            for (int j = 0; j < kVector; ++j) sums[i][j] += q * keys[j];
        }
    }
#pragma unroll
    for (int i = 0; i < Shape::kScoreRows; ++i) {
        const int visible = min(queries.seen + row + i, queries.keys) - first;
#pragma unroll
        for (int j = 0; j < kVector; ++j)
            tile.scores[(row + i) * Shape::kScoreStride + column + j] =
                column + j < visible ? sums[i][j] * scale : -INFINITY;
    }
}

// Scores to probabilities under the largest score so far. Threads 2i and 2i + 1 share query i: each
// has every other key, both have the same `largest` and `sum`.
template <int kDim>
__device__ void softmax(const Tile<kDim>& tile, const QueryTile& queries, float& largest,
                        float& sum) {
    using Shape = Tile<kDim>;
    const int row = threadIdx.x / 2;
    const int keys = row < queries.count ? Shape::kKeys : 0;  // other rows have no scores
    float* scores = tile.scores + row * Shape::kScoreStride;
    float tile_largest = largest;
    for (int j = threadIdx.x % 2; j < keys; j += 2) tile_largest = fmaxf(tile_largest, scores[j]);
    tile_largest = fmaxf(tile_largest, __shfl_xor_sync(kAllLanes, tile_largest, 1));
    const float origin = tile_largest == -INFINITY ? 0.0f : tile_largest;  // -inf - -inf is NaN
    float tile_sum = 0.0f;
    for (int j = threadIdx.x % 2; j < keys; j += 2) {
        const float p = expf(scores[j] - origin);
        scores[j] = p;
        tile_sum += p;
    }
    tile_sum += __shfl_xor_sync(kAllLanes, tile_sum, 1);
    const float factor = expf(largest - origin);
    if (threadIdx.x % 2 == 0) tile.factors[row] = factor;
    sum = sum * factor + tile_sum;
    largest = tile_largest;
}

template <int kDim>
struct OutSums {
    float at[Tile<kDim>::kOutRows][Tile<kDim>::kOutVectors][kVector] = {};
};

// Adds value j of the tile to the queries that see it: all four, or those with visible > j.
template <int kDim, bool kAll>
__device__ void add_value(OutSums<kDim>& sums, const Tile<kDim>& tile, int row, int column, int j,
                          const int* visible) {
    using Shape = Tile<kDim>;
#pragma unroll
    for (int i = 0; i < Shape::kOutRows; ++i) {
        if (!kAll && j >= visible[i]) continue;
        const float p = tile.scores[(row + i) * Shape::kScoreStride + j];
#pragma unroll
        for (int g = 0; g < Shape::kOutVectors; ++g) {
            const float* values =
                aligned(tile.staged + j * kDim + column + g * Shape::kOutColumns * kVector);
#pragma unroll
            for (int c = 0; c < kVector; ++c) sums.at[i][g][c] += p * values[c];
        }
    }
}

template <int kDim>
__device__ void add_values(OutSums<kDim>& sums, const Tile<kDim>& tile, const QueryTile& queries,
                           int first) {
    using Shape = Tile<kDim>;
    const int column = threadIdx.x % Shape::kOutColumns * kVector;
    const int row = threadIdx.x / Shape::kOutColumns * Shape::kOutRows;
    if (row >= queries.count) return;
    int visible[Shape::kOutRows];
#pragma unroll
    for (int i = 0; i < Shape::kOutRows; ++i) {
        visible[i] = min(min(queries.seen + row + i, queries.keys) - first, Shape::kKeys);
        const float factor = tile.factors[row + i];
#pragma unroll
        for (int g = 0; g < Shape::kOutVectors; ++g)
#pragma unroll
            for (int c = 0; c < kVector; ++c) sums.at[i][g][c] *= factor;
    }
    int j = 0;
    for (; j < visible[0]; ++j) add_value<kDim, true>(sums, tile, row, column, j, visible);
    for (; j < visible[Shape::kOutRows - 1]; ++j)  // the diagonal
        add_value<kDim, false>(sums, tile, row, column, j, visible);
}

// The sums over l, which the softmax's threads leave in factors.
template <int kDim, typename T>
__device__ void store(const AttentionForward<T>& args, const OutSums<kDim>& sums,
                      const Tile<kDim>& tile, const QueryTile& queries) {
    using Shape = Tile<kDim>;
    const int row = threadIdx.x / Shape::kOutColumns * Shape::kOutRows;
#pragma unroll
    for (int i = 0; i < Shape::kOutRows; ++i) {
        if (row + i >= queries.count) return;
        const float l = tile.factors[row + i];
        const float inverse = l == 0.0f ? 0.0f : 1.0f / l;
        const int64_t at =
            (queries.first + row + i) * args.out_stride + queries.head * args.head_dim;
#pragma unroll
        for (int g = 0; g < Shape::kOutVectors; ++g) {
#pragma unroll
            for (int c = 0; c < kVector; ++c) {
                const int d =
                    (g * Shape::kOutColumns + threadIdx.x % Shape::kOutColumns) * kVector + c;
                if (d >= args.head_dim) continue;
                const float value = sums.at[i][g][c] * inverse;
                args.out[at + d] = T(value);
                if (args.out_rest != nullptr) args.out_rest[at + d] = T(value - float(T(value)));
            }
        }
    }
}

template <int kDim, typename T>
__device__ void attend(const AttentionForward<T>& args, const Tile<kDim>& tile,
                       const RowAndHead& row, const QueryTile& queries) {
    using Shape = Tile<kDim>;
    const int dim = args.head_dim;
    const T* k = args.k + row.first_key * args.k_stride + row.kv_head * dim;
    const T* v = args.v + row.first_key * args.v_stride + row.kv_head * dim;
    stage<kDim>(tile.queries, Shape::kQueryStride, 1,
                args.q + queries.first * args.q_stride + row.head * dim, args.q_stride,
                queries.count, kQueries, dim);
    OutSums<kDim> sums;
    float largest = -INFINITY, sum = 0.0f;
    const int end = queries.keys_of_first(kQueries);
    for (int first = 0; first < end; first += Shape::kKeys) {
        const int count = min(end - first, Shape::kKeys);
        stage<kDim>(tile.staged, 1, Shape::kKeyStride, k + first * args.k_stride, args.k_stride,
                    count, Shape::kKeys, dim);
        __syncthreads();
        score_keys(tile, queries, first, dim, float(args.scale));
        __syncthreads();
        softmax(tile, queries, largest, sum);
        stage<kDim>(tile.staged, kDim, 1, v + first * args.v_stride, args.v_stride, count,
                    Shape::kKeys, dim);
        __syncthreads();
        add_values(sums, tile, queries, first);
        __syncthreads();
    }
    const int query = threadIdx.x / 2;
    if (threadIdx.x % 2 == 0) {
        tile.factors[query] = sum;
        if (query < queries.count && args.lse != nullptr)
            args.lse[(queries.first + query) * args.heads + row.head] = largest + logf(sum);
    }
    __syncthreads();
    store(args, sums, tile, queries);
    __syncthreads();  // before the next tile's queries and sums
}

template <int kDim, typename T>
__global__ void __launch_bounds__(kThreads)
    attention_forward_block_per_query_tile(AttentionForward<T> args, int blocks_per_head) {
    FETTLE_DYNAMIC_SHARED(float, shared);
    const Tile<kDim> tile(shared);
    const RowAndHead row = row_and_head(args, blocks_per_head);
    const int tiles = ceil_div(row.queries, kQueries);
    for (int t = tiles - 1 - int(blockIdx.x % blocks_per_head); t >= 0; t -= blocks_per_head)
        attend(args, tile, row, query_tile(row, t * kQueries, kQueries));
}

template <int kDim, typename T>
void launch_forward(const AttentionForward<T>& args, StreamView stream) {
    const int per_head = blocks_per_head("attention_forward", args.rows, args.heads);
    launch(attention_forward_block_per_query_tile<kDim, T>,
           {.grid = static_cast<unsigned>(int64_t{args.rows} * args.heads * per_head),
            .block = kThreads,
            .shared_bytes = Tile<kDim>::kFloats * sizeof(float),
            .stream = stream},
           args, per_head);
}

}  // namespace

template <typename T>
void attention_forward(const AttentionForward<T>& args, StreamView stream) {
    if (args.head_dim <= 64) {
        launch_forward<64>(args, stream);
    } else if (args.head_dim <= 128) {
        launch_forward<128>(args, stream);
    } else {
        launch_forward<256>(args, stream);
    }
}

template void attention_forward(const AttentionForward<float>&, StreamView);
template void attention_forward(const AttentionForward<bf16>&, StreamView);

}  // namespace FETTLE_DEVICE
