// RMSNorm over the last dimension of groups of channels, fused with the residual addition.
//
//   residual_out[n,c] = input[n,c] + branch[n,c]           (branch null: residual_out is input)
//   rstd[n,g] = 1 / sqrt(sum_d x[n,g,d]^2 / D + epsilon)   with x = residual_out
//   out[n,g,d] = x[n,g,d] * rstd[n,g] * weight[d]
//
// A decoder's norm has one group of C channels. Qwen3's q and k norms have one group a head, inside
// rows that hold q, k and v: `input_stride` and `out_stride` are the elements from row to row.
//
// Rounding points: as LayerNorm's; x * rstd is not rounded before the product with the weight.
#pragma once

#include <algorithm>
#include <cstdint>

#include "kernels/core/dtype.h"
#include "kernels/core/stream.h"

template <typename T>
struct RmsNormForward {
    T* out = nullptr;                // [N, G, D] with row stride out_stride
    T* residual_out = nullptr;       // [N, G, D] with row stride input_stride; may be `input`
    Accumulator<T>* rstd = nullptr;  // [N, G]  kept for the backward pass
    const T* input = nullptr;        // [N, G, D] with row stride input_stride
    const T* branch = nullptr;       // [N, G, D] with row stride input_stride, or null
    const T* weight = nullptr;       // [D]
    int64_t rows = 0;                // N tokens
    int groups = 1;                  // G
    int channels = 0;                // D
    int64_t input_stride = 0;        // elements; 0: G * D
    int64_t out_stride = 0;          // elements; 0: G * D
    double epsilon = 1e-5;
};

// With g = grad_out * weight and h = x * rstd:
//   grad_input = rstd * (g - h * mean_d(g * h)) + grad_residual,   grad_weight += sum grad_out * h
// Rounding points: grad_input is rounded to T once. The sum over rows goes through partial sums of
// rmsnorm_blocks(rows) runs of consecutive rows, added in order, whatever the number of threads.
template <typename T>
struct RmsNormBackward {
    T* grad_input = nullptr;                // [N, G, D], row stride input_stride; may be
                                            // grad_residual or grad_out (equal strides)
    Accumulator<T>* grad_weight = nullptr;  // [D]  added to
    void* scratch = nullptr;                // rmsnorm_backward_scratch_bytes
    const T* grad_out = nullptr;            // [N, G, D], row stride out_stride
    const T* grad_residual = nullptr;       // [N, G, D], row stride input_stride, or null
    const T* input = nullptr;               // [N, G, D], row stride input_stride
    const T* weight = nullptr;              // [D]
    const Accumulator<T>* rstd = nullptr;   // [N, G]
    int64_t rows = 0;                       // N
    int groups = 1;                         // G
    int channels = 0;                       // D
    int64_t input_stride = 0;               // of grad_input, grad_residual, input; 0: G * D
    int64_t out_stride = 0;                 // of grad_out; 0: G * D
};

// Run on the stream's device; allocate nothing. Rows may be 0. On a GPU the forward takes at most
// 65,535 groups, the backward at most 40,960 channels.
template <typename T>
void rmsnorm_forward(const RmsNormForward<T>& args, StreamView stream);
template <typename T>
void rmsnorm_backward(const RmsNormBackward<T>& args, StreamView stream);

// How many runs the backward cuts `rows` into: run b of B is rows [rows * b / B, rows * (b+1) / B).
constexpr int kRmsNormBlocks = 256;
constexpr int rmsnorm_blocks(int64_t rows) {
    return static_cast<int>(std::clamp<int64_t>(rows / 8, 1, kRmsNormBlocks));
}
// Bytes of RmsNormBackward::scratch for any number of rows and groups.
int64_t rmsnorm_backward_scratch_bytes(int channels, int64_t accumulator_bytes = 4);
