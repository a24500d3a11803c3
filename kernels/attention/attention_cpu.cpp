// Causal attention on the cpu, by tiles of 64 queries and 64 keys that stay in the L2 cache.
//
// Shapes    as the contract's. Tiles are fp32, their rows padded with zeros to whole vectors.
// Threads   forward: one task a (row, head, query tile). Backward: one task a (row, key head),
//           which holds the sums over its query heads, so no two tasks write one gradient.
// Traffic   forward reads K and V once a query tile: T^2 D / 64 floats a head against 2 T^2 D
//           FLOPs (causal): bound by the multiply-adds and the exponentials, one a (query, key).
// Numerics  fp32 sums, key tiles in order; a running maximum and sum for the softmax. Bitwise
//           repeatable whatever the number of threads.
// Requires  head_dim <= kMaxHeadDim; strides given.

#include <algorithm>
#include <cmath>
#include <limits>

#include "kernels/attention/attention.h"
#include "kernels/attention/tile_multiply.h"
#include "kernels/core/parallel.h"
#include "kernels/core/simd.h"

namespace on_cpu {
namespace {

constexpr int kTile = 64;  // queries, and keys, of a tile
constexpr float kMinusInfinity = -std::numeric_limits<float>::infinity();

constexpr int padded(int columns) {
    return (columns + kVectorFloats - 1) / kVectorFloats * kVectorFloats;
}

// to[i, d] = from[i * stride + d], rows `width` floats apart, zeros beyond `columns`.
template <typename T>
void load_rows(float* to, int width, const T* from, int64_t stride, int rows, int columns) {
    for (int i = 0; i < rows; ++i) {
        for (int d = 0; d < columns; ++d)
            to[i * width + d] = static_cast<float>(from[i * stride + d]);
        for (int d = columns; d < width; ++d) to[i * width + d] = 0.0f;
    }
}

// to[d, j] = from[j * stride + d]: [columns, kTile], zeros beyond `rows`.
template <typename T>
void load_transposed(float* to, const T* from, int64_t stride, int rows, int columns) {
    if (rows < kTile) std::fill(to, to + columns * kTile, 0.0f);
    for (int j = 0; j < rows; ++j)
        for (int d = 0; d < columns; ++d)
            to[d * kTile + j] = static_cast<float>(from[j * stride + d]);
}

struct alignas(64) ForwardTiles {
    float q[kTile * kMaxHeadDim];             // [queries, width]
    float k_transposed[kMaxHeadDim * kTile];  // [D, keys]
    float v[kTile * kMaxHeadDim];             // [keys, width]
    float scores[kTile * kTile];              // [queries, keys], then P
    float out[kTile * kMaxHeadDim];           // [queries, width]
    float largest[kTile];                     // [queries]
    float sum[kTile];                         // [queries]
};

// Scores of one query against a tile of keys become exp(score - largest so far); what was summed
// before is rescaled. `visible` keys count, the others get probability zero.
void softmax_row(float* scores, int visible, float& largest, float& sum, float* out, int width) {
    if (visible == 0) {  // perhaps none so far: -inf - -inf is NaN
        std::fill(scores, scores + kTile, 0.0f);
        return;
    }
    for (int j = visible; j < kTile; ++j) scores[j] = kMinusInfinity;
    float top = largest;
#pragma omp simd reduction(max : top)
    for (int j = 0; j < kTile; ++j) top = std::max(top, scores[j]);
    const float rescale = std::exp(largest - top);  // 0 at the first tile: exp(-inf)
    float added = 0.0f;
#pragma omp simd reduction(+ : added)
    for (int j = 0; j < kTile; ++j) {
        scores[j] = exp_fast(scores[j] - top);
        added += scores[j];
    }
    sum = sum * rescale + added;
    largest = top;
    if (rescale != 1.0f)
        for (int d = 0; d < width; ++d) out[d] *= rescale;
}

// The sums of a tile's queries, the first of which is `token`, divided and written.
template <typename T>
void store_tile(const AttentionForward<T>& args, int64_t token, int queries, int head,
                const ForwardTiles& tiles) {
    const int dim = args.head_dim, width = padded(dim);
    for (int i = 0; i < queries; ++i) {
        const int64_t at = (token + i) * args.out_stride + head * dim;
        for (int d = 0; d < dim; ++d) {
            const float sum = tiles.sum[i];  // 0 if the query sees no key
            const float out = sum == 0.0f ? 0.0f : tiles.out[i * width + d] / sum;
            args.out[at + d] = static_cast<T>(out);
            if (args.out_rest)
                args.out_rest[at + d] = static_cast<T>(out - static_cast<float>(args.out[at + d]));
        }
        if (args.lse)
            args.lse[(token + i) * args.heads + head] = tiles.largest[i] + std::log(tiles.sum[i]);
    }
}

// One tile of queries of one head: args.out and args.lse of those queries.
template <typename T>
void forward_tile(const AttentionForward<T>& args, int row, int head, int64_t first_query,
                  ForwardTiles& tiles) {
    const int64_t row_start = args.query_starts[row];
    const int64_t row_queries = args.query_starts[row + 1] - row_start;
    const int64_t keys = args.key_counts ? args.key_counts[row] : row_queries;
    const int64_t key_start = args.key_starts ? args.key_starts[row] : row_start;
    const int queries = static_cast<int>(std::min<int64_t>(kTile, row_queries - first_query));
    const int dim = args.head_dim;
    const int width = padded(dim);
    const int64_t group = head / (args.heads / args.kv_heads);
    const int64_t token = row_start + first_query;
    const int64_t history = keys - row_queries;  // keys that every query of the row sees

    load_rows(tiles.q, width, args.q + token * args.q_stride + head * dim, args.q_stride, queries,
              dim);
    for (int i = 0; i < queries * width; ++i) tiles.q[i] *= static_cast<float>(args.scale);
    std::fill(tiles.out, tiles.out + queries * width, 0.0f);
    std::fill(tiles.largest, tiles.largest + queries, kMinusInfinity);
    std::fill(tiles.sum, tiles.sum + queries, 0.0f);

    const int64_t last_visible = history + first_query + queries;  // keys the last query sees
    for (int64_t first_key = 0; first_key < last_visible; first_key += kTile) {
        const int count = static_cast<int>(std::min<int64_t>(kTile, last_visible - first_key));
        const int64_t key = key_start + first_key;
        load_transposed(tiles.k_transposed, args.k + key * args.k_stride + group * dim,
                        args.k_stride, count, dim);
        load_rows(tiles.v, width, args.v + key * args.v_stride + group * dim, args.v_stride, count,
                  dim);
        tile_multiply(tiles.scores, kTile, {tiles.q, width}, tiles.k_transposed, kTile, queries,
                      kTile, dim, /*accumulate=*/false);
        const auto visible = [&](int i) {
            const int64_t seen = history + first_query + i + 1 - first_key;
            return TileRange{0, static_cast<int>(std::clamp<int64_t>(seen, 0, count))};
        };
        for (int i = 0; i < queries; ++i)
            softmax_row(tiles.scores + i * kTile, visible(i).end, tiles.largest[i], tiles.sum[i],
                        tiles.out + i * width, width);
        tile_multiply_within(visible, tiles.out, width, {tiles.scores, kTile}, tiles.v, width,
                             queries, width);
    }
    store_tile(args, token, queries, head, tiles);
}

struct alignas(64) BackwardTiles {
    float q[kTile * kMaxHeadDim];             // [queries, width]
    float grad_out[kTile * kMaxHeadDim];      // [queries, width]
    float k[kTile * kMaxHeadDim];             // [keys, width]
    float k_transposed[kMaxHeadDim * kTile];  // [D, keys]
    float v_transposed[kMaxHeadDim * kTile];  // [D, keys]
    float grad_k[kTile * kMaxHeadDim];        // [keys, width]
    float grad_v[kTile * kMaxHeadDim];        // [keys, width]
    float p[kTile * kTile];                   // [queries, keys]
    float ds[kTile * kTile];                  // [queries, keys]
};

// P and dS of one query against a tile of keys, from scores (in p) and grad_out . v (in ds).
void probability_gradient_row(float* p, float* ds, int visible, float scale, float lse,
                              float delta) {
    if (lse == kMinusInfinity) visible = 0;
#pragma omp simd
    for (int j = 0; j < kTile; ++j) {
        const float probability = j < visible ? exp_fast(scale * p[j] - lse) : 0.0f;
        p[j] = probability;
        ds[j] = probability * (ds[j] - delta) * scale;
    }
}

// A task's share of the backward pass: one key head of one row, all its query heads.
template <typename T>
class BackwardTask {
public:
    BackwardTask(const AttentionBackward<T>& args, int row, int group, float* scratch)
        : args_(args),
          group_(group),
          group_size_(args.heads / args.kv_heads),
          dim_(args.head_dim),
          width_(padded(args.head_dim)),
          start_(args.query_starts[row]),
          count_(args.query_starts[row + 1] - start_),
          grad_q_(scratch),
          delta_(scratch + group_size_ * count_ * width_) {}

    void run(BackwardTiles& tiles) {
        std::fill(grad_q_, grad_q_ + group_size_ * count_ * width_, 0.0f);
        for (int h = 0; h < group_size_; ++h)
            for (int64_t i = 0; i < count_; ++i) delta_[h * count_ + i] = delta(h, i);
        for (int64_t first_key = 0; first_key < count_; first_key += kTile)
            key_tile(first_key, tiles);
        for (int h = 0; h < group_size_; ++h)
            for (int64_t i = 0; i < count_; ++i)
                store(args_.grad_q + (start_ + i) * args_.grad_q_stride + head(h) * dim_,
                      grad_q_ + (h * count_ + i) * width_);
    }

private:
    int64_t head(int h) const { return int64_t{group_} * group_size_ + h; }

    float delta(int h, int64_t i) const {
        const int64_t at = (start_ + i) * args_.out_stride + head(h) * dim_;
        float sum = 0.0f;
        for (int d = 0; d < dim_; ++d) {
            const float rest = args_.out_rest ? static_cast<float>(args_.out_rest[at + d]) : 0.0f;
            sum += static_cast<float>(args_.grad_out[at + d]) *
                   (static_cast<float>(args_.out[at + d]) + rest);
        }
        return sum;
    }

    void store(T* to, const float* from) const {
        for (int d = 0; d < dim_; ++d) to[d] = static_cast<T>(from[d]);
    }

    void key_tile(int64_t first_key, BackwardTiles& tiles) {
        const int keys = static_cast<int>(std::min<int64_t>(kTile, count_ - first_key));
        const int64_t token = start_ + first_key;
        const T* k = args_.k + token * args_.k_stride + group_ * dim_;
        load_rows(tiles.k, width_, k, args_.k_stride, keys, dim_);
        load_transposed(tiles.k_transposed, k, args_.k_stride, keys, dim_);
        load_transposed(tiles.v_transposed, args_.v + token * args_.v_stride + group_ * dim_,
                        args_.v_stride, keys, dim_);
        std::fill(tiles.grad_k, tiles.grad_k + keys * width_, 0.0f);
        std::fill(tiles.grad_v, tiles.grad_v + keys * width_, 0.0f);
        for (int h = 0; h < group_size_; ++h)
            for (int64_t first = first_key; first < count_; first += kTile)
                query_tile(h, first, first_key, keys, tiles);
        for (int j = 0; j < keys; ++j) {
            store(args_.grad_k + (token + j) * args_.grad_k_stride + group_ * dim_,
                  tiles.grad_k + j * width_);
            store(args_.grad_v + (token + j) * args_.grad_v_stride + group_ * dim_,
                  tiles.grad_v + j * width_);
        }
    }

    void query_tile(int h, int64_t first_query, int64_t first_key, int keys, BackwardTiles& tiles) {
        const int queries = static_cast<int>(std::min<int64_t>(kTile, count_ - first_query));
        const int64_t token = start_ + first_query;
        load_rows(tiles.q, width_, args_.q + token * args_.q_stride + head(h) * dim_,
                  args_.q_stride, queries, dim_);
        load_rows(tiles.grad_out, width_,
                  args_.grad_out + token * args_.out_stride + head(h) * dim_, args_.out_stride,
                  queries, dim_);
        tile_multiply(tiles.p, kTile, {tiles.q, width_}, tiles.k_transposed, kTile, queries, kTile,
                      dim_, /*accumulate=*/false);
        tile_multiply(tiles.ds, kTile, {tiles.grad_out, width_}, tiles.v_transposed, kTile, queries,
                      kTile, dim_, /*accumulate=*/false);
        const int64_t distance = first_query - first_key;
        const auto seen = [&](int i) {  // keys of query i
            return TileRange{0, static_cast<int>(std::min<int64_t>(distance + i + 1, keys))};
        };
        const auto seeing = [&](int j) {  // queries of key j
            return TileRange{static_cast<int>(std::max<int64_t>(j - distance, 0)), queries};
        };
        for (int i = 0; i < queries; ++i)
            probability_gradient_row(tiles.p + i * kTile, tiles.ds + i * kTile, seen(i).end,
                                     static_cast<float>(args_.scale),
                                     args_.lse[(token + i) * args_.heads + head(h)],
                                     delta_[h * count_ + first_query + i]);
        tile_multiply_within(seeing, tiles.grad_v, width_, {tiles.p, 1, kTile}, tiles.grad_out,
                             width_, keys, width_);
        tile_multiply_within(seeing, tiles.grad_k, width_, {tiles.ds, 1, kTile}, tiles.q, width_,
                             keys, width_);
        tile_multiply_within(seen, grad_q_ + (h * count_ + first_query) * width_, width_,
                             {tiles.ds, kTile}, tiles.k, width_, queries, width_);
    }

    const AttentionBackward<T>& args_;
    const int group_;
    const int group_size_;
    const int dim_;
    const int width_;  // dim_ padded to whole vectors
    const int64_t start_;
    const int64_t count_;  // tokens of the row
    float* const grad_q_;  // [group_size, count, width]
    float* const delta_;   // [group_size, count]
};

int64_t floats_per_task(int64_t longest_row, int group_size, int head_dim) {
    return (longest_row * group_size * (padded(head_dim) + 1) + 15) / 16 * 16;
}

}  // namespace

template <typename T>
void attention_forward(const AttentionForward<T>& args, StreamView) {
    // Tasks are numbered row by row, the tiles of a row under each of its heads.
    const auto tiles_of = [&](int row) {
        return (args.query_starts[row + 1] - args.query_starts[row] + kTile - 1) / kTile;
    };
    int64_t tasks = 0;
    for (int row = 0; row < args.rows; ++row) tasks += int64_t{tiles_of(row)} * args.heads;
#pragma omp parallel for schedule(dynamic)
    for (int64_t task = 0; task < tasks; ++task) {
        ForwardTiles tiles;
        int64_t index = task;
        int row = 0;
        for (; index >= int64_t{tiles_of(row)} * args.heads; ++row)
            index -= int64_t{tiles_of(row)} * args.heads;
        const int head = static_cast<int>(index / tiles_of(row));
        forward_tile(args, row, head, index % tiles_of(row) * kTile, tiles);
    }
}

template <typename T>
void attention_backward(const AttentionBackward<T>& args, StreamView) {
    int64_t longest = 0;
    for (int row = 0; row < args.rows; ++row)
        longest = std::max<int64_t>(longest, args.query_starts[row + 1] - args.query_starts[row]);
    const int64_t share = floats_per_task(longest, args.heads / args.kv_heads, args.head_dim);
#pragma omp parallel for schedule(dynamic)
    for (int64_t task = 0; task < int64_t{args.rows} * args.kv_heads; ++task) {
        BackwardTiles tiles;
        float* scratch = static_cast<float*>(args.scratch) + thread_index() * share;
        BackwardTask<T>(args, static_cast<int>(task / args.kv_heads),
                        static_cast<int>(task % args.kv_heads), scratch)
            .run(tiles);
    }
}

int64_t attention_backward_scratch_bytes(int64_t longest_row, int group_size, int head_dim) {
    return num_threads() * floats_per_task(longest_row, group_size, head_dim) *
           static_cast<int64_t>(sizeof(float));
}

template void attention_forward(const AttentionForward<float>&, StreamView);
template void attention_forward(const AttentionForward<bf16>&, StreamView);
template void attention_backward(const AttentionBackward<float>&, StreamView);
template void attention_backward(const AttentionBackward<bf16>&, StreamView);

}  // namespace on_cpu
