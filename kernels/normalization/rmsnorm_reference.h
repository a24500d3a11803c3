// RMSNorm as the contract writes it, sums in double: the oracle, and the double instantiation's
// form.
#pragma once

#include <cmath>
#include <vector>

#include "kernels/normalization/rmsnorm.h"

template <typename T>
void rmsnorm_forward_reference(const RmsNormForward<T>& args, StreamView = {}) {
    const int64_t width = int64_t{args.groups} * args.channels;
    const int64_t input_stride = args.input_stride != 0 ? args.input_stride : width;
    const int64_t out_stride = args.out_stride != 0 ? args.out_stride : width;
    for (int64_t n = 0; n < args.rows; ++n) {
        for (int64_t g = 0; g < args.groups; ++g) {
            const int64_t in = n * input_stride + g * args.channels;
            const int64_t out = n * out_stride + g * args.channels;
            if (args.branch != nullptr)
                for (int d = 0; d < args.channels; ++d)
                    args.residual_out[in + d] = T(static_cast<double>(args.input[in + d]) +
                                                  static_cast<double>(args.branch[in + d]));
            const T* x = (args.branch != nullptr ? args.residual_out : args.input) + in;  // [D]
            double sum = 0.0;
            for (int d = 0; d < args.channels; ++d)
                sum += static_cast<double>(x[d]) * static_cast<double>(x[d]);
            const double rstd = 1.0 / std::sqrt(sum / args.channels + args.epsilon);
            args.rstd[n * args.groups + g] = static_cast<Accumulator<T>>(rstd);
            for (int d = 0; d < args.channels; ++d)
                args.out[out + d] =
                    T(static_cast<double>(x[d]) * rstd * static_cast<double>(args.weight[d]));
        }
    }
}

template <typename T>
void rmsnorm_backward_reference(const RmsNormBackward<T>& args, StreamView = {}) {
    const int64_t width = int64_t{args.groups} * args.channels;
    const int64_t input_stride = args.input_stride != 0 ? args.input_stride : width;
    const int64_t out_stride = args.out_stride != 0 ? args.out_stride : width;
    std::vector<double> grad_weight(static_cast<size_t>(args.channels));  // [D]
    for (int64_t n = 0; n < args.rows; ++n) {
        for (int64_t g = 0; g < args.groups; ++g) {
            const T* x = args.input + n * input_stride + g * args.channels;          // [D]
            const T* grad_out = args.grad_out + n * out_stride + g * args.channels;  // [D]
            T* grad_input = args.grad_input + n * input_stride + g * args.channels;  // [D]
            const auto rstd = static_cast<double>(args.rstd[n * args.groups + g]);
            double sum = 0.0;
            for (int d = 0; d < args.channels; ++d)
                sum += static_cast<double>(grad_out[d]) * static_cast<double>(args.weight[d]) *
                       static_cast<double>(x[d]) * rstd;
            for (int d = 0; d < args.channels; ++d) {
                const double h = static_cast<double>(x[d]) * rstd;
                const auto grad = static_cast<double>(grad_out[d]);
                const double past =
                    args.grad_residual == nullptr
                        ? 0.0
                        : static_cast<double>(
                              args.grad_residual[n * input_stride + g * args.channels + d]);
                grad_input[d] = T(
                    rstd * (grad * static_cast<double>(args.weight[d]) - h * sum / args.channels) +
                    past);
                grad_weight[static_cast<size_t>(d)] += grad * h;
            }
        }
    }
    for (int d = 0; d < args.channels; ++d)
        args.grad_weight[d] = static_cast<Accumulator<T>>(static_cast<double>(args.grad_weight[d]) +
                                                          grad_weight[static_cast<size_t>(d)]);
}
