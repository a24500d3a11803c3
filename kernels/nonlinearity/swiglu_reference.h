// SwiGLU as the contract writes it, in double: the oracle, and the double instantiation's form.
#pragma once

#include <cmath>

#include "kernels/nonlinearity/swiglu.h"

template <typename T>
void swiglu_forward_reference(const SwigluForward<T>& args, StreamView = {}) {
    for (int64_t n = 0; n < args.rows; ++n) {
        const T* gate = args.gate_up + 2 * n * args.channels;  // [I], then the ups
        for (int i = 0; i < args.channels; ++i) {
            const auto x = static_cast<double>(gate[i]);
            const auto up = static_cast<double>(gate[args.channels + i]);
            args.out[n * args.channels + i] = T(x / (1.0 + std::exp(-x)) * up);
        }
    }
}

template <typename T>
void swiglu_backward_reference(const SwigluBackward<T>& args, StreamView = {}) {
    for (int64_t n = 0; n < args.rows; ++n) {
        const T* gate = args.gate_up + 2 * n * args.channels;      // [I], then the ups
        T* grad_gate = args.grad_gate_up + 2 * n * args.channels;  // likewise
        for (int i = 0; i < args.channels; ++i) {
            const auto x = static_cast<double>(gate[i]);
            const auto up = static_cast<double>(gate[args.channels + i]);
            const auto grad = static_cast<double>(args.grad_out[n * args.channels + i]);
            const double s = 1.0 / (1.0 + std::exp(-x));
            grad_gate[i] = T(grad * up * (s + x * s * (1.0 - s)));
            grad_gate[args.channels + i] = T(grad * x * s);
        }
    }
}
