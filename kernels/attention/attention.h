// Causal attention over ragged rows with grouped queries: tiled online softmax
// (Dao et al., arXiv 2205.14135), so nothing of size T x T is stored.
//
//   P[i,j] = exp(scale * q[i].k[j] - lse[i]),  lse[i] = log sum_j exp(scale * q[i].k[j])
//   out[i] = sum_j P[i,j] v[j]
//
// Row r's queries are tokens query_starts[r] .. query_starts[r+1]; query i of n sees the first
// keys - n + i + 1 of its keys. In training keys and queries are the same tokens; in generation a
// row's keys are its cache. Query head h reads key head h / (heads / kv_heads).
//
// A query that sees no key, where a row has fewer keys than queries, has out = 0 and lse = -inf,
// the logarithm of an empty sum. Where lse is -inf the backward pass takes P as 0: no gradient
// comes from that query.
//
// Rounding points: products are summed and P is kept in Accumulator<T>; out is rounded to T once.
// On tensor cores P is rounded to bf16 as well (AttentionForm): |out - exact| <= 2^-8 sum_j P[i,j]
// |v[j]| + half a unit of bf16, and out_rest is no closer to the exact value than that first term.
#pragma once

#include <cstdint>

#include "kernels/core/dtype.h"
#include "kernels/core/stream.h"

// Which form of attention_forward runs on cuda and simt: `plain` takes every shape; `sm80` uses
// tensor cores for bf16 with head_dim 64 or 128, a positive scale, and tensors and strides that are
// multiples of 16 bytes, and is `plain` for the rest; `sm90` is for the same, on GPUs of compute
// capability 9.0, where N and M are given. What has not run on a chip is not the default.
enum class AttentionForm { plain, sm80, sm90 };
bool device_has(AttentionForm form, Device device);

template <typename T>
struct AttentionForward {
    T* out = nullptr;                       // [N, H, D], rows out_stride elements apart
    T* out_rest = nullptr;                  // [N, H, D]  what rounding took from out; or null
    Accumulator<T>* lse = nullptr;          // [N, H]  kept for the backward pass; or null
    const T* q = nullptr;                   // [N, H, D], rows q_stride apart
    const T* k = nullptr;                   // [M, Hkv, D], rows k_stride apart
    const T* v = nullptr;                   // [M, Hkv, D], rows v_stride apart
    const int32_t* query_starts = nullptr;  // [R + 1]
    const int64_t* key_starts =
        nullptr;  // [R]  row of k where a row's keys begin; null: query_starts
    const int32_t* key_counts = nullptr;  // [R]  keys of a row; null: as many as queries
    int rows = 0;                         // R
    int heads = 0;                        // H
    int kv_heads = 0;                     // Hkv divides H
    int head_dim = 0;                     // D <= kMaxHeadDim
    int64_t query_tokens = 0;             // N, or 0: AttentionForm::sm90 does not run
    int64_t key_tokens = 0;               // M, likewise
    int64_t q_stride = 0;                 // elements from row to row; 0: packed
    int64_t k_stride = 0;
    int64_t v_stride = 0;
    int64_t out_stride = 0;
    double scale = 1.0;                         // usually 1 / sqrt(D)
    AttentionForm form = AttentionForm::plain;  // if it fits
};

// With delta[i] = grad_out[i] . (out[i] + out_rest[i]):
//   grad_v[j] = sum_i P[i,j] grad_out[i]
//   dS[i,j] = P[i,j] (grad_out[i] . v[j] - delta[i]) * scale
//   grad_q[i] = sum_j dS[i,j] k[j],  grad_k[j] = sum_i dS[i,j] q[i]
// A row of dS sums to zero; a delta from an `out` rounded to bf16 breaks that, and the error adds
// up in whatever sums dS over keys (a key bias, first of all). Hence out_rest where T is bf16. Keys
// and queries are the same tokens. grad_k and grad_v sum over a group's query heads and are rounded
// to T once; every sum has one fixed order.
template <typename T>
struct AttentionBackward {
    T* grad_q = nullptr;                    // [N, H, D], rows grad_q_stride apart
    T* grad_k = nullptr;                    // [N, Hkv, D], rows grad_k_stride apart
    T* grad_v = nullptr;                    // [N, Hkv, D], rows grad_v_stride apart
    const T* grad_out = nullptr;            // [N, H, D], rows out_stride apart
    const T* out = nullptr;                 // [N, H, D], rows out_stride apart
    const T* out_rest = nullptr;            // likewise, or null: zero
    const Accumulator<T>* lse = nullptr;    // [N, H]
    const T* q = nullptr;                   // [N, H, D]
    const T* k = nullptr;                   // [N, Hkv, D]
    const T* v = nullptr;                   // [N, Hkv, D]
    const int32_t* query_starts = nullptr;  // [R + 1]
    void* scratch = nullptr;                // attention_backward_scratch_bytes
    int rows = 0;                           // R
    int heads = 0;                          // H
    int kv_heads = 0;                       // Hkv divides H
    int head_dim = 0;                       // D <= kMaxHeadDim
    int64_t q_stride = 0;                   // elements from row to row; 0: packed
    int64_t k_stride = 0;
    int64_t v_stride = 0;
    int64_t out_stride = 0;  // of out and grad_out
    int64_t grad_q_stride = 0;
    int64_t grad_k_stride = 0;
    int64_t grad_v_stride = 0;
    double scale = 1.0;
};

// Run on the stream's device; allocate nothing of the size of the batch.
template <typename T>
void attention_forward(const AttentionForward<T>& args, StreamView stream);
template <typename T>
void attention_backward(const AttentionBackward<T>& args, StreamView stream);

// A batch of N tokens in rows of at most `longest_row`.
struct AttentionLimits {
    int64_t tokens = 0;  // N
    int64_t longest_row = 0;
    int heads = 0;
    int kv_heads = 0;
    int head_dim = 0;
};

// Bytes of AttentionBackward::scratch of any batch within the limits.
int64_t attention_backward_scratch_bytes(Device device, const AttentionLimits& limits);

// The largest head size that the forms are built for.
constexpr int kMaxHeadDim = 256;
