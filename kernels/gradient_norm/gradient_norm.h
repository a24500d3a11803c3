// Global norm of the gradients, and the factor that clips it, as torch.nn.utils.clip_grad_norm_:
//
//   norm = sqrt(sum_i gradient[i]^2),  scale = min(1, max_norm / (norm + 1e-6))   (max_norm 0: 1)
//
// finite is 0 if the norm is infinite or NaN, else 1; scale is then 0.
// Rounding points: squares are summed in double over blocks of kGradientNormBlock
// elements, then the blocks' sums, in one fixed order for each device.
#pragma once

#include <cstdint>

#include "kernels/core/stream.h"

constexpr int64_t kGradientNormBlock = 16384;

template <typename T>  // the gradients' type: float or double
struct GradientNorm {
    double* norm = nullptr;       // [1]
    float* scale = nullptr;       // [1]
    int* finite = nullptr;        // [1]
    void* scratch = nullptr;      // gradient_norm_scratch_bytes(count)
    const T* gradient = nullptr;  // [count]
    int64_t count = 0;
    double max_norm = 1.0;
};

// Runs on the stream's device; allocates nothing; results stay there.
template <typename T>
void gradient_norm(const GradientNorm<T>& args, StreamView stream);

int64_t gradient_norm_scratch_bytes(int64_t count);
