// WeightedSum in one sum of long doubles: the oracle.
#pragma once

#include "kernels/cross_entropy/weighted_sum.h"

template <typename T>
void weighted_sum_reference(const WeightedSum<T>& args) {
    long double sum = 0.0L;
    for (int64_t n = 0; n < args.count; ++n)
        if (args.weights[n] != T(0))
            sum += static_cast<long double>(args.weights[n]) * args.values[n];
    *args.sum += static_cast<double>(sum);
}
