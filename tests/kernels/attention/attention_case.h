// One attention problem with its inputs, run by any form on any device.
#pragma once

#include <cmath>
#include <vector>

#include "kernels/attention/attention.h"
#include "kernels/attention/attention_reference.h"
#include "tests/support/devices.h"

struct AttentionShape {
    std::vector<int32_t> lengths;       // queries of each row
    std::vector<int32_t> history = {};  // keys before them, in a cache; empty: no cache
    int heads = 1;
    int kv_heads = 1;
    int dim = 1;
    int padding = 0;     // elements between the rows of every tensor; 0: strides are left out
    double scale = 0.0;  // 0: 1 / sqrt(dim)
};

constexpr auto kRunForward = [](const auto& args) { attention_forward(args, test_stream()); };
constexpr auto kRunBackward = [](const auto& args) { attention_backward(args, test_stream()); };
constexpr auto kOracleForward = [](const auto& args) { attention_forward_reference(args); };
constexpr auto kOracleBackward = [](const auto& args) { attention_backward_reference(args); };

template <typename T>
struct AttentionOut {
    std::vector<T> out, out_rest;
    std::vector<Accumulator<T>> lse;
};
template <typename T>
struct AttentionGradients {
    std::vector<T> grad_q, grad_k, grad_v;
};

template <typename T>
class AttentionCase {
public:
    explicit AttentionCase(const AttentionShape& shape) : shape_(shape) {
        int32_t longest = 0;
        for (size_t r = 0; r < shape.lengths.size(); ++r) {
            starts_.push_back(starts_.back() + shape.lengths[r]);
            if (!shape.history.empty()) counts_.push_back(shape.lengths[r] + shape.history[r]);
            if (!shape.history.empty()) longest = std::max(longest, counts_.back());
        }
        // A cache holds its rows in the reverse order, so that none lies where its queries do.
        for (size_t r = counts_.size(); r-- > 0;) key_starts_.push_back(int64_t{longest} * r);
        tokens_ = starts_.back();
        keys_ = counts_.empty() ? tokens_ : int64_t{longest} * std::ssize(counts_);
        q = normal<T>(tokens_ * wide(), 0.0, 1.0, /*seed=*/1);
        k = normal<T>(keys_ * narrow(), 0.0, 1.0, /*seed=*/2);
        v = normal<T>(keys_ * narrow(), 0.5, 1.0, /*seed=*/3);
        grad_out = normal<T>(tokens_ * wide(), 0.0, 1.0, /*seed=*/4);
    }

    // The same numbers in another type.
    template <typename To>
    AttentionCase<To> as() const {
        AttentionCase<To> other(shape_);
        other.q = converted<To>(q);
        other.k = converted<To>(k);
        other.v = converted<To>(v);
        other.grad_out = converted<To>(grad_out);
        return other;
    }

    template <typename Op>
    AttentionOut<T> forward(Device device, const Op& op) const {
        Buffer<T> q_in(device, q), k_in(device, k), v_in(device, v);
        Buffer<int32_t> starts(device, starts_), counts(device, counts_);
        Buffer<int64_t> key_starts(device, key_starts_);
        // What lies between rows must stay as it is.
        const std::vector<T> before(q.size(), T(0.5f));
        Buffer<T> out(device, before), out_rest(device, before);
        Buffer<Accumulator<T>> lse(device, tokens_ * shape_.heads);
        op(AttentionForward<T>{.out = out.data(),
                               .out_rest = std::is_same_v<T, bf16> ? out_rest.data() : nullptr,
                               .lse = lse.data(),
                               .q = q_in.data(),
                               .k = k_in.data(),
                               .v = v_in.data(),
                               .query_starts = starts.data(),
                               .key_starts = counts_.empty() ? nullptr : key_starts.data(),
                               .key_counts = counts_.empty() ? nullptr : counts.data(),
                               .rows = rows(),
                               .heads = shape_.heads,
                               .kv_heads = shape_.kv_heads,
                               .head_dim = shape_.dim,
                               .query_tokens = tokens_,
                               .key_tokens = keys_,
                               .q_stride = stride(wide()),
                               .k_stride = stride(narrow()),
                               .v_stride = stride(narrow()),
                               .out_stride = stride(wide()),
                               .scale = scale()});
        return {out.to_host(), out_rest.to_host(), lse.to_host()};
    }

    template <typename Op>
    AttentionGradients<T> backward(const AttentionOut<T>& kept, Device device, const Op& op) const {
        Buffer<T> q_in(device, q), k_in(device, k), v_in(device, v), grad_in(device, grad_out);
        Buffer<T> out(device, kept.out), out_rest(device, kept.out_rest);
        Buffer<Accumulator<T>> lse(device, kept.lse);
        Buffer<int32_t> starts(device, starts_);
        Buffer<T> grad_q(device, std::vector<T>(q.size(), T(0.5f)));
        Buffer<T> grad_k(device, std::vector<T>(k.size(), T(0.5f)));
        Buffer<T> grad_v(device, std::vector<T>(v.size(), T(0.5f)));
        const int32_t longest = *std::max_element(shape_.lengths.begin(), shape_.lengths.end());
        Buffer<unsigned char> scratch(
            device, attention_backward_scratch_bytes(device, {.tokens = tokens_,
                                                              .longest_row = longest,
                                                              .heads = shape_.heads,
                                                              .kv_heads = shape_.kv_heads,
                                                              .head_dim = shape_.dim}));
        op(AttentionBackward<T>{.grad_q = grad_q.data(),
                                .grad_k = grad_k.data(),
                                .grad_v = grad_v.data(),
                                .grad_out = grad_in.data(),
                                .out = out.data(),
                                .out_rest = std::is_same_v<T, bf16> ? out_rest.data() : nullptr,
                                .lse = lse.data(),
                                .q = q_in.data(),
                                .k = k_in.data(),
                                .v = v_in.data(),
                                .query_starts = starts.data(),
                                .scratch = scratch.data(),
                                .rows = rows(),
                                .heads = shape_.heads,
                                .kv_heads = shape_.kv_heads,
                                .head_dim = shape_.dim,
                                .q_stride = stride(wide()),
                                .k_stride = stride(narrow()),
                                .v_stride = stride(narrow()),
                                .out_stride = stride(wide()),
                                .grad_q_stride = stride(wide()),
                                .grad_k_stride = stride(narrow()),
                                .grad_v_stride = stride(narrow()),
                                .scale = scale()});
        return {grad_q.to_host(), grad_k.to_host(), grad_v.to_host()};
    }

    std::vector<T> q, k, v, grad_out;

private:
    int rows() const { return static_cast<int>(shape_.lengths.size()); }
    int64_t wide() const { return int64_t{shape_.heads} * shape_.dim + shape_.padding; }
    int64_t narrow() const { return int64_t{shape_.kv_heads} * shape_.dim + shape_.padding; }
    int64_t stride(int64_t given) const { return shape_.padding > 0 ? given : 0; }
    double scale() const { return shape_.scale > 0.0 ? shape_.scale : 1.0 / std::sqrt(shape_.dim); }

    AttentionShape shape_;
    std::vector<int32_t> starts_ = {0};  // [R + 1]
    std::vector<int64_t> key_starts_;    // [R]  of a cache
    std::vector<int32_t> counts_;        // [R]  likewise
    int64_t tokens_ = 0;
    int64_t keys_ = 0;
};
