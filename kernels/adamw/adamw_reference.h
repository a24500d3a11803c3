// AdamW, plainly: one loop in double. The oracle of every other form; runs on host memory.
#pragma once

#include <cmath>

#include "kernels/adamw/adamw.h"

template <typename T>
void adamw_reference(const AdamW<T>& args) {
    using A = Accumulator<T>;
    if (args.finite != nullptr && *args.finite == 0) return;
    const double scale = args.gradient_scale != nullptr ? double(*args.gradient_scale) : 1.0;
    const double correction1 = 1.0 - std::pow(args.beta1, double(args.step));
    const double correction2 = 1.0 - std::pow(args.beta2, double(args.step));
    for (int64_t i = 0; i < args.count; ++i) {
        const double g = double(args.gradient[i]) * scale;
        const double p = double(args.master[i]) * (1.0 - args.learning_rate * args.weight_decay);
        const double m = args.beta1 * double(args.moment1[i]) + (1.0 - args.beta1) * g;
        const double v = args.beta2 * double(args.moment2[i]) + (1.0 - args.beta2) * g * g;
        const double denominator = std::sqrt(v) / std::sqrt(correction2) + args.epsilon;
        args.moment1[i] = A(m);
        args.moment2[i] = A(v);
        args.master[i] = A(p - args.learning_rate / correction1 * m / denominator);
        args.weight[i] = T(args.master[i]);
    }
}
