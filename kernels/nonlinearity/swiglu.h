// SwiGLU (Shazeer, arXiv 2002.05202): the gated unit of the Llama family.
//
//   out[n,i] = silu(gate[n,i]) * up[n,i],  silu(x) = x * sigmoid(x)
//   grad_up = grad_out * silu(gate)
//   grad_gate = grad_out * up * (s + gate * s * (1 - s)),  s = sigmoid(gate)
//
// gate_up holds a row's I gates, then its I ups: one matrix product makes both.
// Rounding points: out, grad_gate and grad_up are rounded to T once; silu(gate) is not rounded.
#pragma once

#include <cstdint>

#include "kernels/core/dtype.h"
#include "kernels/core/stream.h"

template <typename T>
struct SwigluForward {
    T* out = nullptr;            // [N, I]
    const T* gate_up = nullptr;  // [N, 2I]
    int64_t rows = 0;            // N
    int channels = 0;            // I
};

template <typename T>
struct SwigluBackward {
    T* grad_gate_up = nullptr;    // [N, 2I]  may be gate_up
    const T* grad_out = nullptr;  // [N, I]
    const T* gate_up = nullptr;   // [N, 2I]
    int64_t rows = 0;             // N
    int channels = 0;             // I
};

// Run on the stream's device; allocate nothing.
template <typename T>
void swiglu_forward(const SwigluForward<T>& args, StreamView stream);
template <typename T>
void swiglu_backward(const SwigluBackward<T>& args, StreamView stream);
