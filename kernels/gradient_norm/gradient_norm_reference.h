// Gradient norm in one sum of long doubles: the oracle.
#pragma once

#include <algorithm>
#include <cmath>

#include "kernels/gradient_norm/gradient_norm.h"

template <typename T>
void gradient_norm_reference(const GradientNorm<T>& args, StreamView = {}) {
    long double sum = 0.0L;
    for (int64_t i = 0; i < args.count; ++i) {
        const auto value = static_cast<long double>(args.gradient[i]);
        sum += value * value;
    }
    const auto norm = static_cast<double>(std::sqrt(sum));
    *args.norm = norm;
    *args.finite = std::isfinite(norm) ? 1 : 0;
    const double clip = args.max_norm == 0.0 ? 1.0 : std::min(1.0, args.max_norm / (norm + 1e-6));
    *args.scale = *args.finite ? static_cast<float>(clip) : 0.0f;
}
