// Cases of bin/bench: attention, and new keys and values into its cache.

#include <fmt/core.h>

#include <algorithm>

#include "kernels/attention/attention.h"
#include "kernels/attention/cache_append.h"
#include "kernels/bench/case_list.h"

namespace {

int num_rows(const Sizes& s) { return static_cast<int>(s.tokens / s.row); }

std::vector<int32_t> row_starts(const Sizes& s) {
    std::vector<int32_t> starts;
    for (int r = 0; r <= num_rows(s); ++r) starts.push_back(r * s.row);
    return starts;
}

// What the cases of a direction have in common.
template <typename T>
struct AttentionCost {
    explicit AttentionCost(const Sizes& s)
        : count(s.tokens * s.heads * s.head_dim),
          bytes(static_cast<double>(count) * sizeof(T)),
          product_flops(static_cast<double>(s.tokens) * s.row * s.heads * s.head_dim),
          shape(fmt::format("N={} T={} H={} D={} {}", s.tokens, s.row, s.heads, s.head_dim,
                            type_name<T>())) {}
    int64_t count;         // elements of q, and of k, v, out
    double bytes;          // of them
    double product_flops;  // 2 D for each visible pair of a query and a key, half of all
    std::string shape;
};

template <typename T>
void add_attention_forward(Cases& cases, const Sizes& s, Device device) {
    const AttentionCost<T> cost(s);
    const auto add = [&](const char* op, AttentionForm form) {
        const auto arguments = [=](BenchMemory& m) {
            return AttentionForward<T>{.out = m.zeros<T>(cost.count),
                                       .lse = m.zeros<float>(s.tokens * s.heads),
                                       .q = m.random<T>(cost.count),
                                       .k = m.random<T>(cost.count),
                                       .v = m.random<T>(cost.count),
                                       .query_starts = m.holding(row_starts(s)),
                                       .rows = num_rows(s),
                                       .heads = s.heads,
                                       .kv_heads = s.heads,
                                       .head_dim = s.head_dim,
                                       .query_tokens = s.tokens,
                                       .key_tokens = s.tokens,
                                       .scale = 0.125,
                                       .form = form};
        };
        cases.add(op, cost.shape, 4 * cost.bytes, 2 * cost.product_flops, arguments,
                  attention_forward<T>);
    };
    add("attention_forward", AttentionForm::plain);
    if (std::is_same_v<T, float> || s.head_dim > 128) return;  // forms for tensor cores have none
    if (device_has(AttentionForm::sm80, device)) add("attention_forward_sm80", AttentionForm::sm80);
    if (device_has(AttentionForm::sm90, device)) add("attention_forward_sm90", AttentionForm::sm90);
}

template <typename T>
void add_attention_backward(Cases& cases, const Sizes& s) {
    const AttentionCost<T> cost(s);
    const auto arguments = [=](BenchMemory& m) {
        const AttentionLimits limits{s.tokens, s.row, s.heads, s.heads, s.head_dim};
        return AttentionBackward<T>{
            .grad_q = m.zeros<T>(cost.count),
            .grad_k = m.zeros<T>(cost.count),
            .grad_v = m.zeros<T>(cost.count),
            .grad_out = m.random<T>(cost.count),
            .out = m.random<T>(cost.count),
            .lse = m.random<float>(s.tokens * s.heads),
            .q = m.random<T>(cost.count),
            .k = m.random<T>(cost.count),
            .v = m.random<T>(cost.count),
            .query_starts = m.holding(row_starts(s)),
            .scratch = m.scratch<char>(attention_backward_scratch_bytes(m.device(), limits)),
            .rows = num_rows(s),
            .heads = s.heads,
            .kv_heads = s.heads,
            .head_dim = s.head_dim,
            .scale = 0.125};
    };
    cases.add("attention_backward", cost.shape, 8 * cost.bytes, 7 * cost.product_flops, arguments,
              attention_backward<T>);
}

// Every row's tokens are its first: the cache becomes a copy.
template <typename T>
void add_cache_append(Cases& cases, const Sizes& s) {
    const int64_t count = s.tokens * s.channels;
    const auto arguments = [=](BenchMemory& m) {
        const std::vector<int32_t> starts = row_starts(s);
        const std::vector<int64_t> key_starts(starts.begin(), starts.end() - 1);
        return CacheAppend<T>{.key_cache = m.zeros<T>(count),
                              .value_cache = m.zeros<T>(count),
                              .k = m.random<T>(count),
                              .v = m.random<T>(count),
                              .query_starts = m.holding(starts),
                              .key_starts = m.holding(key_starts),
                              .key_counts = m.holding(std::vector<int32_t>(num_rows(s), s.row)),
                              .tokens = s.tokens,
                              .rows = num_rows(s),
                              .width = s.channels,
                              .stride = s.channels};
    };
    cases.add("cache_append", fmt::format("N={} C={} {}", s.tokens, s.channels, type_name<T>()),
              4.0 * static_cast<double>(count) * sizeof(T), 0, arguments, cache_append<T>);
}

template <typename T>
void add_all(Cases& cases, const Sizes& sizes, Device device) {
    for (const int head_dim : {64, 128, 256}) {
        Sizes s = sizes;
        s.heads = std::max(1, sizes.heads * sizes.head_dim / head_dim);
        s.head_dim = head_dim;
        add_attention_forward<T>(cases, s, device);
        add_attention_backward<T>(cases, s);
    }
    add_cache_append<T>(cases, sizes);
}

}  // namespace

void add_attention(Cases& cases, const Sizes& sizes, Device device) {
    add_all<float>(cases, sizes, device);
    add_all<bf16>(cases, sizes, device);
}
