// The loss of a micro-batch: its log-probabilities, each times its weight.
//
//   sum[0] += sum_n weights[n] * values[n], terms of weight 0 left out whatever their value
//
// Rounding points: products and sums are double, in one fixed order for each device.
#pragma once

#include <cstdint>

#include "kernels/core/stream.h"

template <typename T>  // float or double
struct WeightedSum {
    double* sum = nullptr;       // [1]  added to
    const T* values = nullptr;   // [N]
    const T* weights = nullptr;  // [N]
    int64_t count = 0;           // N
};

// Runs on the stream's device; allocates nothing.
template <typename T>
void weighted_sum(const WeightedSum<T>& args, StreamView stream);
