// GELU as the contract writes it, in double: the oracle, and the double instantiation's form.
#pragma once

#include <cmath>
#include <numbers>

#include "kernels/nonlinearity/gelu.h"

struct GeluTerms {
    double sigmoid = 0.0;  // of 2u
    double slope = 0.0;    // 2u'
};

inline GeluTerms gelu_terms(double x) {
    const double scale = 2.0 * std::sqrt(2.0 / std::numbers::pi);
    return {.sigmoid = 1.0 / (1.0 + std::exp(-scale * (x + 0.044715 * x * x * x))),
            .slope = scale * (1.0 + 3.0 * 0.044715 * x * x)};
}

template <typename T>
void gelu_forward_reference(const GeluForward<T>& args, StreamView = {}) {
    for (int64_t i = 0; i < args.count; ++i) {
        const auto x = static_cast<double>(args.input[i]);
        args.out[i] = T(x * gelu_terms(x).sigmoid);
    }
}

template <typename T>
void gelu_backward_reference(const GeluBackward<T>& args, StreamView = {}) {
    for (int64_t i = 0; i < args.count; ++i) {
        const auto x = static_cast<double>(args.input[i]);
        const auto [s, slope] = gelu_terms(x);
        args.grad_input[i] =
            T(static_cast<double>(args.grad_out[i]) * (s + x * s * (1.0 - s) * slope));
    }
}
