// LayerNorm, plainly: loops as in the formulas, double accumulators. The oracle of every other
// form, and for T = double the function that finite differences probe. Runs on host memory.
#pragma once

#include <cmath>

#include "kernels/normalization/layernorm.h"

template <typename T>
void layernorm_forward_reference(const LayerNormForward<T>& args) {
    const int C = args.channels;
    for (int64_t n = 0; n < args.rows; ++n) {
        const T* x = args.input + n * C;  // [C]
        if (args.branch != nullptr) {
            T* sum = args.residual_out + n * C;  // [C]
            for (int c = 0; c < C; ++c) sum[c] = T(double(x[c]) + double(args.branch[n * C + c]));
            x = sum;
        }
        double mean = 0.0;
        for (int c = 0; c < C; ++c) mean += double(x[c]) / C;
        double variance = 0.0;
        for (int c = 0; c < C; ++c) variance += (double(x[c]) - mean) * (double(x[c]) - mean) / C;
        const double rstd = 1.0 / std::sqrt(variance + args.epsilon);

        for (int c = 0; c < C; ++c)
            args.out[n * C + c] =
                T((double(x[c]) - mean) * rstd * double(args.weight[c]) + double(args.bias[c]));
        args.mean[n] = static_cast<Accumulator<T>>(mean);
        args.rstd[n] = static_cast<Accumulator<T>>(rstd);
    }
}

// grad_input; the means over c of g and g * h are taken first.
template <typename T>
void layernorm_backward_reference_input(const LayerNormBackward<T>& args) {
    const int C = args.channels;
    for (int64_t n = 0; n < args.rows; ++n) {
        const int64_t row = n * C;
        const auto g = [&](int c) {
            return double(args.grad_out[row + c]) * double(args.weight[c]);
        };
        const auto h = [&](int c) {
            return (double(args.input[row + c]) - double(args.mean[n])) * double(args.rstd[n]);
        };
        double mean_g = 0.0, mean_gh = 0.0;
        for (int c = 0; c < C; ++c) {
            mean_g += g(c) / C;
            mean_gh += g(c) * h(c) / C;
        }
        for (int c = 0; c < C; ++c) {
            const double past = args.grad_residual ? double(args.grad_residual[row + c]) : 0.0;
            const double through = double(args.rstd[n]) * (g(c) - mean_g - h(c) * mean_gh);
            args.grad_input[row + c] = T(through + past);
        }
    }
}

template <typename T>
void layernorm_backward_reference(const LayerNormBackward<T>& args) {
    const int C = args.channels;
    for (int c = 0; c < C; ++c) {
        double grad_weight = 0.0, grad_bias = 0.0;
        for (int64_t n = 0; n < args.rows; ++n) {
            const double grad_out = double(args.grad_out[n * C + c]);
            const double centred = double(args.input[n * C + c]) - double(args.mean[n]);
            grad_weight += grad_out * centred * double(args.rstd[n]);
            grad_bias += grad_out;
        }
        args.grad_weight[c] += static_cast<Accumulator<T>>(grad_weight);
        args.grad_bias[c] += static_cast<Accumulator<T>>(grad_bias);
    }
    layernorm_backward_reference_input(args);
}
