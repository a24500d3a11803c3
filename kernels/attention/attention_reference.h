// Causal attention in plain loops with double accumulators, one query at a time: the oracle.
#pragma once

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "kernels/attention/attention.h"

namespace attention_detail {

// Element strides default to packed heads; the reference spells them out once.
template <class Args>
struct Strides {
    int64_t q, k, v, out;
    explicit Strides(const Args& a)
        : q(a.q_stride ? a.q_stride : int64_t{a.heads} * a.head_dim),
          k(a.k_stride ? a.k_stride : int64_t{a.kv_heads} * a.head_dim),
          v(a.v_stride ? a.v_stride : int64_t{a.kv_heads} * a.head_dim),
          out(a.out_stride ? a.out_stride : int64_t{a.heads} * a.head_dim) {}
};

template <typename T>
double dot(const T* a, const T* b, int count) {
    double sum = 0.0;
    for (int d = 0; d < count; ++d) sum += static_cast<double>(a[d]) * static_cast<double>(b[d]);
    return sum;
}

// out, out_rest and lse of a token under head h, which sees `seen` keys: rows of k and v from
// first_key on.
template <typename T>
void forward_of_query(const AttentionForward<T>& a, int64_t token, int h, int64_t first_key,
                      int64_t seen) {
    const Strides stride(a);
    const int group = h / (a.heads / a.kv_heads);
    const T* q = a.q + token * stride.q + h * a.head_dim;
    std::vector<double> scores(static_cast<size_t>(std::max<int64_t>(seen, 0)));
    double largest = -std::numeric_limits<double>::infinity();
    for (size_t j = 0; j < scores.size(); ++j) {
        const T* k = a.k + (first_key + j) * stride.k + group * a.head_dim;
        scores[j] = a.scale * dot(q, k, a.head_dim);
        largest = std::max(largest, scores[j]);
    }
    double sum = 0.0;
    for (double& score : scores) sum += (score = std::exp(score - largest));
    T* out = a.out + token * stride.out + h * a.head_dim;
    for (int d = 0; d < a.head_dim; ++d) {
        double value_sum = 0.0;
        for (size_t j = 0; j < scores.size(); ++j) {
            const T* v = a.v + (first_key + j) * stride.v + group * a.head_dim;
            value_sum += scores[j] / sum * static_cast<double>(v[d]);
        }
        out[d] = static_cast<T>(static_cast<Accumulator<T>>(value_sum));
        if (a.out_rest)
            a.out_rest[out - a.out + d] = static_cast<T>(
                static_cast<Accumulator<T>>(value_sum - static_cast<double>(out[d])));
    }
    if (a.lse) a.lse[token * a.heads + h] = static_cast<Accumulator<T>>(largest + std::log(sum));
}

// Of a row's keys, for one key head: [T, D].
struct KeyGradients {
    std::vector<double> k, v;
};

// Adds the part of the row's query i, which sees keys 0 to i, and returns the query's own gradient.
template <typename T>
std::vector<double> backward_of_query(const AttentionBackward<T>& a, int64_t first, int64_t i,
                                      int h, KeyGradients& grad) {
    const Strides stride(a);
    const int dim = a.head_dim, group = h / (a.heads / a.kv_heads);
    const T* q = a.q + (first + i) * stride.q + h * dim;
    const int64_t at = (first + i) * stride.out + h * dim;
    const T* grad_out = a.grad_out + at;
    const double delta =
        dot(grad_out, a.out + at, dim) + (a.out_rest ? dot(grad_out, a.out_rest + at, dim) : 0.0);
    const double lse = static_cast<double>(a.lse[(first + i) * a.heads + h]);
    std::vector<double> grad_q(dim);
    for (int64_t j = 0; j <= i; ++j) {
        const T* k = a.k + (first + j) * stride.k + group * dim;
        const T* v = a.v + (first + j) * stride.v + group * dim;
        const double score = a.scale * dot(q, k, dim);
        const double p = std::isinf(lse) && lse < 0 ? 0.0 : std::exp(score - lse);
        const double ds = p * (dot(grad_out, v, dim) - delta) * a.scale;
        for (int d = 0; d < dim; ++d) {
            grad_q[d] += ds * static_cast<double>(k[d]);
            grad.k[j * dim + d] += ds * static_cast<double>(q[d]);
            grad.v[j * dim + d] += p * static_cast<double>(grad_out[d]);
        }
    }
    return grad_q;
}

// Rows of `dim` sums, rounded once, to `out`.
template <typename T>
void store_rows(T* out, int64_t stride, const std::vector<double>& sums, int dim) {
    for (size_t i = 0; i < sums.size(); ++i)
        out[i / dim * stride + i % dim] = static_cast<T>(static_cast<Accumulator<T>>(sums[i]));
}

}  // namespace attention_detail

template <typename T>
void attention_forward_reference(const AttentionForward<T>& a, StreamView = {}) {
    for (int r = 0; r < a.rows; ++r) {
        const int64_t first = a.query_starts[r];
        const int64_t queries = a.query_starts[r + 1] - first;
        const int64_t keys = a.key_counts ? a.key_counts[r] : queries;
        const int64_t first_key = a.key_starts ? a.key_starts[r] : first;
        for (int64_t i = 0; i < queries; ++i)
            for (int h = 0; h < a.heads; ++h)
                attention_detail::forward_of_query(a, first + i, h, first_key,
                                                   keys - queries + i + 1);
    }
}

template <typename T>
void attention_backward_reference(const AttentionBackward<T>& a, StreamView = {}) {
    using namespace attention_detail;
    const int dim = a.head_dim;
    const int group_size = a.heads / a.kv_heads;
    const auto or_packed = [&](int64_t given, int heads) {
        return given ? given : int64_t{heads} * dim;
    };
    const int64_t gq = or_packed(a.grad_q_stride, a.heads);
    const int64_t gk = or_packed(a.grad_k_stride, a.kv_heads);
    const int64_t gv = or_packed(a.grad_v_stride, a.kv_heads);
    for (int r = 0; r < a.rows; ++r) {
        const int64_t first = a.query_starts[r];
        const int64_t count = a.query_starts[r + 1] - first;
        for (int group = 0; group < a.kv_heads; ++group) {
            const std::vector<double> zeros(count * dim);
            KeyGradients grad{zeros, zeros};
            for (int h = group * group_size; h < (group + 1) * group_size; ++h)
                for (int64_t i = 0; i < count; ++i)
                    store_rows(a.grad_q + (first + i) * gq + h * dim, gq,
                               backward_of_query(a, first, i, h, grad), dim);
            store_rows(a.grad_k + first * gk + group * dim, gk, grad.k, dim);
            store_rows(a.grad_v + first * gv + group * dim, gv, grad.v, dim);
        }
    }
}
