// GELU in its tanh form (Hendrycks & Gimpel, arXiv 1606.08415), as GPT-2 has it.
//
//   out = x/2 * (1 + tanh(u)),  u = sqrt(2/pi) * (x + 0.044715 x^3)
//       = x * sigmoid(2u)                                          which needs one exp, no tanh
//   grad_input = grad_out * (s + x * s * (1 - s) * 2 u'),  s = sigmoid(2u)
//
// Rounding points: out and grad_input are rounded to T once.
#pragma once

#include <cstdint>

#include "kernels/core/dtype.h"
#include "kernels/core/stream.h"

template <typename T>
struct GeluForward {
    T* out = nullptr;          // [count]  may be `input`
    const T* input = nullptr;  // [count]
    int64_t count = 0;
};

template <typename T>
struct GeluBackward {
    T* grad_input = nullptr;      // [count]  may be grad_out
    const T* grad_out = nullptr;  // [count]
    const T* input = nullptr;     // [count]  what the forward read
    int64_t count = 0;
};

// Run on the stream's device; allocate nothing.
template <typename T>
void gelu_forward(const GeluForward<T>& args, StreamView stream);
template <typename T>
void gelu_backward(const GeluBackward<T>& args, StreamView stream);
