// Causal attention, backward: first one block per tile of queries, for grad_q; then one block per
// tile of keys, for grad_k and grad_v. Both compute the probabilities anew, tile by tile.
//
//   delta[i] = grad_out[i] . (out[i] + out_rest[i]),  P[i,j] = exp(scale * q[i].k[j] - lse[i])
//   dS[i,j] = P[i,j] (grad_out[i] . v[j] - delta[i]) * scale
//   grad_q[i] = sum_j dS[i,j] k[j],  grad_k[j] = sum_i dS[i,j] q[i],
//   grad_v[j] = sum_i P[i,j] grad_out[i];  the latter two over the group's query heads too
//
// Shapes    q, out, out_rest, grad_out, grad_q [N,H,D]; k, v, grad_k, grad_v [N,Hkv,D], all with
//           row strides; lse and, in scratch, delta [N,H].
// Threads   Block (r, h, s) owns tiles s, s+S, ... of row r and head h, the longest first: those of
//           queries from the row's end, those of keys from its beginning. Of a tile's pairs a
//           thread owns queries t/8, t/8 + 16, ... and keys t%8, t%8 + 8, ...: 4 x 8 for D <= 64.
//           Of a tile's gradient it owns 4 rows (8 of grad_q for D > 128) x 8 columns.
// Traffic   q, grad_out, k and v once a pair of tiles, out of L2; 3 D FMA a visible pair of tokens
//           for grad_q, 4 D for the others, against 12 shared floats read for 32 of them: bound by
//           FMA and shared memory.
// Numerics  Float sums in a fixed order, no atomics: bitwise repeatable, and independent of S.
//           delta is written by the first kernel and read by the second. A masked pair is skipped,
//           not multiplied by zero: it may be a NaN. An lse of -inf, a query that sees nothing,
//           makes no gradient.
// Requires  rows > 0; head_dim <= 256; strides of whole rows (never 0); any alignment.
// Shared    Floats: keys, values, queries and grad_out [rows][D + 4], P or dS [queries][keys + 8],
//           lse and delta [queries]; 87 KiB for D = 64 with 64 queries and 64 keys a tile, 71 for
//           128 with 32 and 32, 101 for 256 with 32 and 16. Paddings keep what eight threads read
//           at once, a vector of 4 each, in different banks.
//
// Deliberately absent: tensor cores, copies that overlap with sums, 128-bit accesses to rows of
// unknown alignment.

#include "kernels/attention/attention.h"
#include "kernels/attention/tile.cuh"

namespace FETTLE_DEVICE {  // on_cuda or on_simt: this file is compiled for both
namespace {

constexpr int kThreads = kTileThreads;
constexpr int kVector = 4;       // floats that a thread reads at once
constexpr int kPairColumns = 8;  // threads side by side along the keys of a tile's pairs
constexpr int kPairRows = kThreads / kPairColumns;

// The tiles of a head size rounded up to kDim, and where they lie in shared memory.
template <int kDim>
struct Tile {
    static constexpr int kKeys = 4096 / kDim;
    static constexpr int kQueries = kDim > 64 ? 32 : 64;
    static constexpr int kRowStride = kDim + kVector;
    static constexpr int kPairStride = kKeys + kPairColumns;
    static constexpr int kFloats =
        2 * (kKeys + kQueries) * kRowStride + kQueries * kPairStride + 2 * kQueries;
    static constexpr int kColumns = kDim / (2 * kVector);  // threads side by side along a row
    static constexpr int kGroups = kThreads / kColumns;    // rows that they own at once

    float* keys;      // [kKeys][kRowStride]
    float* values;    // [kKeys][kRowStride]
    float* queries;   // [kQueries][kRowStride]
    float* grad_out;  // [kQueries][kRowStride]
    float* pairs;     // [kQueries][kPairStride]
    float* lse;       // [kQueries]
    float* delta;     // [kQueries]
    int dim;          // elements of a row that are not padding

    __device__ Tile(float* shared, int head_dim)
        : keys(shared),
          values(keys + kKeys * kRowStride),
          queries(values + kKeys * kRowStride),
          grad_out(queries + kQueries * kRowStride),
          pairs(grad_out + kQueries * kRowStride),
          lse(pairs + kQueries * kPairStride),
          delta(lse + kQueries),
          dim(head_dim) {}
};

// Some consecutive tokens under one head.
struct Part {
    int64_t token;
    int head;
    int count;
};

// A thread's pairs of a tile: queries t/8 + 16 i, keys t%8 + 8 j.
template <int kDim>
struct Pairs {
    static constexpr int kRows = Tile<kDim>::kQueries / kPairRows;
    static constexpr int kColumns = Tile<kDim>::kKeys / kPairColumns;
    float at[kRows][kColumns] = {};
};

// A thread's share of a gradient: rows g, g + kGroups, ..., two vectors of each.
template <int kDim, int kRows>
struct Sums {
    static constexpr int kOwned = kRows / Tile<kDim>::kGroups;
    float at[kOwned][2][kVector] = {};
};

template <int kDim, typename T>
__device__ void stage_keys(const Tile<kDim>& tile, const AttentionBackward<T>& args,
                           const Part& part) {
    using Shape = Tile<kDim>;
    const int dim = args.head_dim;
    stage<kDim>(tile.keys, Shape::kRowStride, 1,
                args.k + part.token * args.k_stride + part.head * dim, args.k_stride, part.count,
                Shape::kKeys, dim);
    stage<kDim>(tile.values, Shape::kRowStride, 1,
                args.v + part.token * args.v_stride + part.head * dim, args.v_stride, part.count,
                Shape::kKeys, dim);
}

template <int kDim, typename T>
__device__ void stage_queries(const Tile<kDim>& tile, const AttentionBackward<T>& args,
                              const Part& part) {
    using Shape = Tile<kDim>;
    const int dim = args.head_dim;
    stage<kDim>(tile.queries, Shape::kRowStride, 1,
                args.q + part.token * args.q_stride + part.head * dim, args.q_stride, part.count,
                Shape::kQueries, dim);
    stage<kDim>(tile.grad_out, Shape::kRowStride, 1,
                args.grad_out + part.token * args.out_stride + part.head * dim, args.out_stride,
                part.count, Shape::kQueries, dim);
    for (int i = threadIdx.x; i < Shape::kQueries; i += kThreads)
        tile.lse[i] =
            i < part.count ? args.lse[(part.token + i) * args.heads + part.head] : INFINITY;
}

// delta of the part's queries, to the tile and to scratch; a warp a query.
template <int kDim, typename T>
__device__ void find_delta(const Tile<kDim>& tile, const AttentionBackward<T>& args,
                           const Part& part) {
    const int lane = threadIdx.x % kWarpSize;
    for (int i = threadIdx.x / kWarpSize; i < Tile<kDim>::kQueries; i += kTileWarps) {
        const int64_t at = (part.token + i) * args.out_stride + part.head * args.head_dim;
        float sum = 0.0f;
        for (int d = lane; i < part.count && d < args.head_dim; d += kWarpSize) {
            const float rest = args.out_rest != nullptr ? float(args.out_rest[at + d]) : 0.0f;
            sum += float(args.grad_out[at + d]) * (float(args.out[at + d]) + rest);
        }
        sum = warp_sum(sum);
        if (lane > 0) continue;
        tile.delta[i] = sum;
        if (i < part.count)
            static_cast<float*>(args.scratch)[(part.token + i) * args.heads + part.head] = sum;
    }
}

// at[i][j] = left[query i] . right[key j]; zero for a thread without queries.
template <int kDim>
__device__ Pairs<kDim> multiply(const float* left, const float* right, int num_queries, int dim) {
    constexpr int kStride = Tile<kDim>::kRowStride;
    Pairs<kDim> pairs;
    const int row = threadIdx.x / kPairColumns;
    if (row >= num_queries) return pairs;
    left += row * kStride;
    right += threadIdx.x % kPairColumns * kStride;
    for (int d = 0; d < dim; d += kVector) {  // zeros fill the last vector
        float queries[Pairs<kDim>::kRows][kVector], key[kVector];
#pragma unroll
        for (int i = 0; i < Pairs<kDim>::kRows; ++i)
#pragma unroll
            for (int e = 0; e < kVector; ++e)
                queries[i][e] = aligned(left + i * kPairRows * kStride + d)[e];
#pragma unroll
        for (int j = 0; j < Pairs<kDim>::kColumns; ++j) {
#pragma unroll
            for (int e = 0; e < kVector; ++e)
                key[e] = aligned(right + j * kPairColumns * kStride + d)[e];
#pragma unroll
            for (int i = 0; i < Pairs<kDim>::kRows; ++i)
#pragma unroll
                for (int e = 0; e < kVector; ++e) pairs.at[i][j] += queries[i][e] * key[e];
        }
    }
    return pairs;
}

// Of the staged queries and keys: P to `probabilities`, dS to `gradients`. Those of masked pairs
// mean nothing.
template <int kDim>
__device__ void differentiate(Pairs<kDim>& probabilities, Pairs<kDim>& gradients,
                              const Tile<kDim>& tile, int num_queries, float scale) {
    probabilities = multiply<kDim>(tile.queries, tile.keys, num_queries, tile.dim);
    gradients = multiply<kDim>(tile.grad_out, tile.values, num_queries, tile.dim);
#pragma unroll
    for (int i = 0; i < Pairs<kDim>::kRows; ++i) {
        const int row = threadIdx.x / kPairColumns + i * kPairRows;
        const float lse = tile.lse[row], delta = tile.delta[row];
#pragma unroll
        for (int j = 0; j < Pairs<kDim>::kColumns; ++j) {
            const float p = lse == -INFINITY ? 0.0f : expf(scale * probabilities.at[i][j] - lse);
            probabilities.at[i][j] = p;
            gradients.at[i][j] = p * (gradients.at[i][j] - delta) * scale;
        }
    }
}

template <int kDim>
__device__ void put(const Tile<kDim>& tile, const Pairs<kDim>& pairs) {
    float* to = tile.pairs + threadIdx.x / kPairColumns * Tile<kDim>::kPairStride +
                threadIdx.x % kPairColumns;
#pragma unroll
    for (int i = 0; i < Pairs<kDim>::kRows; ++i)
#pragma unroll
        for (int j = 0; j < Pairs<kDim>::kColumns; ++j)
            to[i * kPairRows * Tile<kDim>::kPairStride + j * kPairColumns] = pairs.at[i][j];
}

// Does query `first_query + i` see key `first_key + j`, if distance = first_query - first_key?
template <bool kRowsAreKeys>
__device__ bool sees(int row, int step, int distance) {
    return kRowsAreKeys ? row <= step + distance : step <= row + distance;
}

// Adds pairs[row, step] * right[step] to the thread's rows: all, or those whose pair is visible.
template <bool kRowsAreKeys, bool kAll, int kDim, int kRows>
__device__ __forceinline__ void add_step(Sums<kDim, kRows>& sums, const Tile<kDim>& tile,
                                         const float* right, int step, int distance) {
    using Shape = Tile<kDim>;
    const int first = threadIdx.x / Shape::kColumns;
    float vectors[2][kVector];
#pragma unroll
    for (int g = 0; g < 2; ++g)
#pragma unroll
        for (int e = 0; e < kVector; ++e)
            vectors[g][e] = aligned(right + step * Shape::kRowStride + g * kDim / 2 +
                                    threadIdx.x % Shape::kColumns * kVector)[e];
#pragma unroll
    for (int i = 0; i < Sums<kDim, kRows>::kOwned; ++i) {
        const int row = first + i * Shape::kGroups;
        if (!kAll && !sees<kRowsAreKeys>(row, step, distance)) continue;
        const float pair = kRowsAreKeys ? tile.pairs[step * Shape::kPairStride + row]
                                        : tile.pairs[row * Shape::kPairStride + step];
#pragma unroll
        for (int g = 0; g < 2; ++g)
#pragma unroll
            for (int e = 0; e < kVector; ++e) sums.at[i][g][e] += pair * vectors[g][e];
    }
}

// Rows of keys: sums[j] += sum_i pairs[i,j] right[i]. Else sums[i] += sum_j pairs[i,j] right[j].
template <bool kRowsAreKeys, int kDim, int kRows>
__device__ void add_rows(Sums<kDim, kRows>& sums, const Tile<kDim>& tile, const float* right,
                         int steps, int distance) {
    const int first = threadIdx.x / Tile<kDim>::kColumns;
    const int last = first + kRows - Tile<kDim>::kGroups;
    const int begin = kRowsAreKeys ? max(first - distance, 0) : 0;
    const int end = kRowsAreKeys ? steps : min(last + distance + 1, steps);
    Sums<kDim, kRows> local = sums;  // what nothing refers to can stay in registers
    for (int step = begin; step < end; ++step) {
        if (sees<kRowsAreKeys>(kRowsAreKeys ? last : first, step, distance))
            add_step<kRowsAreKeys, true>(local, tile, right, step, distance);
        else  // the diagonal
            add_step<kRowsAreKeys, false>(local, tile, right, step, distance);
    }
    sums = local;
}

// The thread's sums to the part's rows of a gradient.
template <int kDim, int kRows, typename T>
__device__ void store(const Sums<kDim, kRows>& sums, T* gradient, int64_t stride, const Part& part,
                      int dim) {
    using Shape = Tile<kDim>;
#pragma unroll
    for (int i = 0; i < Sums<kDim, kRows>::kOwned; ++i) {
        const int row = threadIdx.x / Shape::kColumns + i * Shape::kGroups;
        if (row >= part.count) return;
        T* to = gradient + (part.token + row) * stride + part.head * dim;
#pragma unroll
        for (int g = 0; g < 2; ++g) {
#pragma unroll
            for (int e = 0; e < kVector; ++e) {
                const int d = threadIdx.x % Shape::kColumns * kVector + g * kDim / 2 + e;
                if (d < dim) to[d] = T(sums.at[i][g][e]);
            }
        }
    }
}

// grad_q of the row's queries first_query, ...; the row begins at token `start`.
template <int kDim, typename T>
__device__ void query_tile(const Tile<kDim>& tile, const AttentionBackward<T>& args, int64_t start,
                           int first_query, const Part& queries) {
    stage_queries(tile, args, queries);
    find_delta(tile, args, queries);
    Sums<kDim, Tile<kDim>::kQueries> sums;
    const int end = first_query + queries.count;
    for (int first_key = 0; first_key < end; first_key += Tile<kDim>::kKeys) {
        const Part keys{.token = start + first_key,
                        .head = queries.head / (args.heads / args.kv_heads),
                        .count = min(end - first_key, Tile<kDim>::kKeys)};
        stage_keys(tile, args, keys);
        __syncthreads();
        Pairs<kDim> probabilities, gradients;
        differentiate(probabilities, gradients, tile, queries.count, float(args.scale));
        put(tile, gradients);
        __syncthreads();
        add_rows<false>(sums, tile, tile.keys, keys.count, first_query - first_key);
        __syncthreads();
    }
    store(sums, args.grad_q, args.grad_q_stride, queries, args.head_dim);
}

template <int kDim, typename T>
__global__ void __launch_bounds__(kThreads, 2)
    attention_backward_block_per_query_tile(AttentionBackward<T> args, int blocks) {
    FETTLE_DYNAMIC_SHARED(float, shared);
    const Tile<kDim> tile(shared, args.head_dim);
    constexpr int kQueries = Tile<kDim>::kQueries;
    const int head = blockIdx.x / blocks % args.heads;
    const int row = blockIdx.x / blocks / args.heads;
    const int64_t start = args.query_starts[row];
    const int tokens = args.query_starts[row + 1] - int(start);
    const int tiles = (tokens + kQueries - 1) / kQueries;
    for (int t = tiles - 1 - int(blockIdx.x % blocks); t >= 0; t -= blocks) {
        const int first = t * kQueries;
        query_tile(tile, args, start, first,
                   {.token = start + first, .head = head, .count = min(tokens - first, kQueries)});
    }
}

template <int kDim>
struct KeySums {
    Sums<kDim, Tile<kDim>::kKeys> k, v;
};

// Adds to the sums what the staged keys get from some queries; distance as in sees().
template <int kDim, typename T>
__device__ void add_queries(KeySums<kDim>& sums, const Tile<kDim>& tile,
                            const AttentionBackward<T>& args, const Part& queries, int distance) {
    stage_queries(tile, args, queries);
    const auto* delta = static_cast<const float*>(args.scratch);
    for (int i = threadIdx.x; i < Tile<kDim>::kQueries; i += kThreads)
        tile.delta[i] =
            i < queries.count ? delta[(queries.token + i) * args.heads + queries.head] : 0.0f;
    __syncthreads();
    Pairs<kDim> probabilities, gradients;
    differentiate(probabilities, gradients, tile, queries.count, float(args.scale));
    put(tile, probabilities);
    __syncthreads();
    add_rows<true>(sums.v, tile, tile.grad_out, queries.count, distance);
    __syncthreads();
    put(tile, gradients);
    __syncthreads();
    add_rows<true>(sums.k, tile, tile.queries, queries.count, distance);
    __syncthreads();
}

// grad_k and grad_v of the row's keys first_key, ...; the row has `tokens` from token `start` on.
template <int kDim, typename T>
__device__ void key_tile(const Tile<kDim>& tile, const AttentionBackward<T>& args, int64_t start,
                         int tokens, int first_key, int kv_head) {
    constexpr int kQueries = Tile<kDim>::kQueries;
    const Part keys{.token = start + first_key,
                    .head = kv_head,
                    .count = min(tokens - first_key, Tile<kDim>::kKeys)};
    stage_keys(tile, args, keys);
    KeySums<kDim> sums;
    const int group_size = args.heads / args.kv_heads;
    for (int head = kv_head * group_size; head < (kv_head + 1) * group_size; ++head)
        for (int first = first_key / kQueries * kQueries; first < tokens; first += kQueries)
            add_queries(
                sums, tile, args,
                {.token = start + first, .head = head, .count = min(tokens - first, kQueries)},
                first - first_key);
    store(sums.k, args.grad_k, args.grad_k_stride, keys, args.head_dim);
    store(sums.v, args.grad_v, args.grad_v_stride, keys, args.head_dim);
}

template <int kDim, typename T>
__global__ void __launch_bounds__(kThreads, 2)
    attention_backward_block_per_key_tile(AttentionBackward<T> args, int blocks) {
    FETTLE_DYNAMIC_SHARED(float, shared);
    const Tile<kDim> tile(shared, args.head_dim);
    constexpr int kKeys = Tile<kDim>::kKeys;
    const int kv_head = blockIdx.x / blocks % args.kv_heads;
    const int row = blockIdx.x / blocks / args.kv_heads;
    const int64_t start = args.query_starts[row];
    const int tokens = args.query_starts[row + 1] - int(start);
    for (int first = blockIdx.x % blocks * kKeys; first < tokens; first += blocks * kKeys)
        key_tile(tile, args, start, tokens, first, kv_head);
}

template <int kDim, typename T>
void launch_backward(const AttentionBackward<T>& args, StreamView stream) {
    constexpr size_t kSharedBytes = Tile<kDim>::kFloats * sizeof(float);
    const auto grid = [&](int heads, int blocks) {
        return static_cast<unsigned>(int64_t{args.rows} * heads * blocks);
    };
    const int query_blocks = blocks_per_head("attention_backward", args.rows, args.heads);
    const int key_blocks = blocks_per_head("attention_backward", args.rows, args.kv_heads);
    launch(attention_backward_block_per_query_tile<kDim, T>,
           {.grid = grid(args.heads, query_blocks),
            .block = kThreads,
            .shared_bytes = kSharedBytes,
            .stream = stream},
           args, query_blocks);
    launch(attention_backward_block_per_key_tile<kDim, T>,
           {.grid = grid(args.kv_heads, key_blocks),
            .block = kThreads,
            .shared_bytes = kSharedBytes,
            .stream = stream},
           args, key_blocks);
}

}  // namespace

template <typename T>
void attention_backward(const AttentionBackward<T>& args, StreamView stream) {
    if (args.head_dim <= 64) {
        launch_backward<64>(args, stream);
    } else if (args.head_dim <= 128) {
        launch_backward<128>(args, stream);
    } else {
        launch_backward<256>(args, stream);
    }
}

template void attention_backward(const AttentionBackward<float>&, StreamView);
template void attention_backward(const AttentionBackward<bf16>&, StreamView);

}  // namespace FETTLE_DEVICE
