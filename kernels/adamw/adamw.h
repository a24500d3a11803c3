// AdamW with decoupled weight decay (Loshchilov & Hutter, arXiv 1711.05101), in torch's order:
//
//   g = gradient * *gradient_scale
//   p = master * (1 - learning_rate * weight_decay)
//   m = beta1 * m + (1 - beta1) * g,   v = beta2 * v + (1 - beta2) * g^2
//   master = p - learning_rate / (1 - beta1^step) * m / (sqrt(v) / sqrt(1 - beta2^step) + epsilon)
//   weight = T(master)
//
// over a flat run of parameters with equal settings. Does nothing when *finite is 0, so that a
// step with an infinite or NaN gradient leaves weights and moments as they were.
// Rounding points: master, m, v are Accumulator<T>; the scalars are computed in double and rounded
// to it once; weight is rounded to T.
#pragma once

#include <cstdint>

#include "kernels/core/dtype.h"
#include "kernels/core/stream.h"

template <typename T>
struct AdamW {
    T* weight = nullptr;                       // [count]  what the model computes with; for
                                               // T = float it may be `master` itself
    Accumulator<T>* master = nullptr;          // [count]
    Accumulator<T>* moment1 = nullptr;         // [count]  m
    Accumulator<T>* moment2 = nullptr;         // [count]  v
    const Accumulator<T>* gradient = nullptr;  // [count]
    const float* gradient_scale = nullptr;     // [1] on the device: the clip factor; null: 1
    const int* finite = nullptr;               // [1] on the device: 0 skips the update; null: 1
    int64_t count = 0;
    int64_t step = 1;  // 1-based number of this update
    double learning_rate = 0.0;
    double beta1 = 0.9;
    double beta2 = 0.999;
    double epsilon = 1e-8;
    double weight_decay = 0.0;
};

// Runs on the stream's device; allocates nothing. count may be 0.
template <typename T>
void adamw(const AdamW<T>& args, StreamView stream);
