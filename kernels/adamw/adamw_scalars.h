// What is the same for every parameter of one AdamW update: computed in double, rounded once.
#pragma once

#include <cmath>

#include "kernels/adamw/adamw.h"

struct AdamWScalars {
    float keep;  // 1 - learning_rate * weight_decay
    float beta1;
    float beta2;
    float one_minus_beta1;
    float one_minus_beta2;
    float step_size;         // learning_rate / (1 - beta1^step)
    float sqrt_correction2;  // sqrt(1 - beta2^step)
    float epsilon;
};

template <typename T>
AdamWScalars adamw_scalars(const AdamW<T>& args) {
    const auto step = static_cast<double>(args.step);
    return {
        .keep = static_cast<float>(1.0 - args.learning_rate * args.weight_decay),
        .beta1 = static_cast<float>(args.beta1),
        .beta2 = static_cast<float>(args.beta2),
        .one_minus_beta1 = static_cast<float>(1.0 - args.beta1),
        .one_minus_beta2 = static_cast<float>(1.0 - args.beta2),
        .step_size = static_cast<float>(args.learning_rate / (1.0 - std::pow(args.beta1, step))),
        .sqrt_correction2 = static_cast<float>(std::sqrt(1.0 - std::pow(args.beta2, step))),
        .epsilon = static_cast<float>(args.epsilon),
    };
}

// Updates one parameter's moments and returns its new master weight. Every fast form calls this.
FETTLE_HOST_DEVICE inline float adamw_update(const AdamWScalars& s, float g, float master,
                                             float& moment1, float& moment2) {
    const float m = s.beta1 * moment1 + s.one_minus_beta1 * g;
    const float v = s.beta2 * moment2 + s.one_minus_beta2 * (g * g);
    moment1 = m;
    moment2 = v;
    return master * s.keep - s.step_size * m / (sqrtf(v) / s.sqrt_correction2 + s.epsilon);
}
