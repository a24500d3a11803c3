// LayerNorm over the last dimension, fused with the residual addition before it.
// One argument struct serves reference and kernels alike.
//
//   residual_out[n,c] = input[n,c] + branch[n,c]           (branch null: residual_out is input)
//   mean[n]  = sum_c x[n,c] / C                            with x = residual_out
//   rstd[n]  = 1 / sqrt(sum_c (x[n,c] - mean[n])^2 / C + epsilon)
//   out[n,c] = (x[n,c] - mean[n]) * rstd[n] * weight[c] + bias[c]
//
// Rounding points: residual_out is rounded to T, and the norm reads the rounded value; out is
// rounded to T once. Statistics are Accumulator<T>.
#pragma once

#include <algorithm>
#include <cstdint>

#include "kernels/core/dtype.h"
#include "kernels/core/stream.h"

template <typename T>
struct LayerNormForward {
    T* out = nullptr;                // [N, C]
    T* residual_out = nullptr;       // [N, C]  written if branch is given; may be `input`
    Accumulator<T>* mean = nullptr;  // [N]  kept for the backward pass
    Accumulator<T>* rstd = nullptr;  // [N]  likewise
    const T* input = nullptr;        // [N, C]
    const T* branch = nullptr;       // [N, C]  or null: nothing is added
    const T* weight = nullptr;       // [C]
    const T* bias = nullptr;         // [C]
    int64_t rows = 0;                // N tokens
    int channels = 0;                // C
    double epsilon = 1e-5;
};

// With g = grad_out * weight and h = (x - mean) * rstd:
//   grad_input  = rstd * (g - mean_c(g) - h * mean_c(g * h)) + grad_residual
//   grad_weight += sum_n grad_out * h,   grad_bias += sum_n grad_out
// Rounding points: grad_input is rounded to T once. The sums over rows go through partial sums of
// layernorm_blocks(rows) runs of consecutive rows, added in order, whatever the number of threads.
template <typename T>
struct LayerNormBackward {
    T* grad_input = nullptr;                // [N, C]  may be grad_residual
    Accumulator<T>* grad_weight = nullptr;  // [C]  added to
    Accumulator<T>* grad_bias = nullptr;    // [C]  added to
    void* scratch = nullptr;                // layernorm_backward_scratch_bytes
    const T* grad_out = nullptr;            // [N, C]
    const T* grad_residual = nullptr;       // [N, C]  or null: what flows past the norm
    const T* input = nullptr;               // [N, C]  what the forward normalised (residual_out)
    const T* weight = nullptr;              // [C]
    const Accumulator<T>* mean = nullptr;   // [N]
    const Accumulator<T>* rstd = nullptr;   // [N]
    int64_t rows = 0;                       // N
    int channels = 0;                       // C
};

// Run on the stream's device; allocate nothing. Rows may be 0. On a GPU the backward takes at most
// 20,480 channels.
template <typename T>
void layernorm_forward(const LayerNormForward<T>& args, StreamView stream);
template <typename T>
void layernorm_backward(const LayerNormBackward<T>& args, StreamView stream);

// How many runs the backward cuts `rows` into: run b of B is rows [rows * b / B, rows * (b+1) / B).
constexpr int kLayerNormBlocks = 256;
constexpr int layernorm_blocks(int64_t rows) {
    return static_cast<int>(std::clamp<int64_t>(rows / 8, 1, kLayerNormBlocks));
}
// Bytes of LayerNormBackward::scratch for `channels` channels and any number of rows.
int64_t layernorm_backward_scratch_bytes(int channels, int64_t accumulator_bytes = 4);
