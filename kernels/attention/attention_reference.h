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

}  // namespace attention_detail

template <typename T>
void attention_forward_reference(const AttentionForward<T>& a, StreamView = {}) {
    const attention_detail::Strides stride(a);
    for (int r = 0; r < a.rows; ++r) {
        const int64_t first = a.query_starts[r];
        const int64_t queries = a.query_starts[r + 1] - first;
        const int64_t keys = a.key_counts ? a.key_counts[r] : queries;
        const int64_t first_key = a.key_starts ? a.key_starts[r] : first;
        for (int64_t i = 0; i < queries; ++i) {
            for (int h = 0; h < a.heads; ++h) {
                const int group = h / (a.heads / a.kv_heads);
                const T* q = a.q + (first + i) * stride.q + h * a.head_dim;
                const auto key = [&](int64_t j) {
                    return a.k + (first_key + j) * stride.k + group * a.head_dim;
                };
                const auto value = [&](int64_t j) {
                    return a.v + (first_key + j) * stride.v + group * a.head_dim;
                };
                const int64_t seen = std::max<int64_t>(keys - queries + i + 1, 0);
                std::vector<double> scores(static_cast<size_t>(seen));
                double largest = -std::numeric_limits<double>::infinity();
                for (size_t j = 0; j < scores.size(); ++j) {
                    scores[j] = a.scale * attention_detail::dot(q, key(j), a.head_dim);
                    largest = std::max(largest, scores[j]);
                }
                double sum = 0.0;
                for (double& score : scores) sum += (score = std::exp(score - largest));
                T* out = a.out + (first + i) * stride.out + h * a.head_dim;
                for (int d = 0; d < a.head_dim; ++d) {
                    double value_sum = 0.0;
                    for (size_t j = 0; j < scores.size(); ++j)
                        value_sum += scores[j] / sum * static_cast<double>(value(j)[d]);
                    out[d] = static_cast<T>(static_cast<Accumulator<T>>(value_sum));
                    if (a.out_rest)
                        a.out_rest[out - a.out + d] = static_cast<T>(
                            static_cast<Accumulator<T>>(value_sum - static_cast<double>(out[d])));
                }
                if (a.lse)
                    a.lse[(first + i) * a.heads + h] =
                        static_cast<Accumulator<T>>(largest + std::log(sum));
            }
        }
    }
}

template <typename T>
void attention_backward_reference(const AttentionBackward<T>& a, StreamView = {}) {
    using attention_detail::dot;
    const attention_detail::Strides stride(a);
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
            std::vector<double> grad_k(count * dim), grad_v(count * dim);
            for (int h = group * group_size; h < (group + 1) * group_size; ++h) {
                for (int64_t i = 0; i < count; ++i) {
                    const T* q = a.q + (first + i) * stride.q + h * dim;
                    const T* grad_out = a.grad_out + (first + i) * stride.out + h * dim;
                    const int64_t at = (first + i) * stride.out + h * dim;
                    const double delta = dot(grad_out, a.out + at, dim) +
                                         (a.out_rest ? dot(grad_out, a.out_rest + at, dim) : 0.0);
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
                            grad_k[j * dim + d] += ds * static_cast<double>(q[d]);
                            grad_v[j * dim + d] += p * static_cast<double>(grad_out[d]);
                        }
                    }
                    for (int d = 0; d < dim; ++d)
                        a.grad_q[(first + i) * gq + h * dim + d] =
                            static_cast<T>(static_cast<Accumulator<T>>(grad_q[d]));
                }
            }
            for (int64_t j = 0; j < count; ++j) {
                for (int d = 0; d < dim; ++d) {
                    a.grad_k[(first + j) * gk + group * dim + d] =
                        static_cast<T>(static_cast<Accumulator<T>>(grad_k[j * dim + d]));
                    a.grad_v[(first + j) * gv + group * dim + d] =
                        static_cast<T>(static_cast<Accumulator<T>>(grad_v[j * dim + d]));
                }
            }
        }
    }
}
