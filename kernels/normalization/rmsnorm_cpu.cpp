// RMSNorm on the cpu device.
//
// Threads   forward: pieces of consecutive tokens. Backward: rmsnorm_blocks(N) runs of consecutive
//           tokens, each with its own sum for grad_weight; the sums are then added in order. The
//           compiler vectorises along a group.
// Traffic   forward reads NGD elements (2NGD with a branch) and writes NGD (2NGD); a group passes
//           through the L1 cache twice. Backward reads 2NGD to 3NGD and writes NGD. Memory-bound.
// Numerics  float sums through kLanes lanes.

#include <algorithm>
#include <cmath>

#include "kernels/core/lanes.h"
#include "kernels/core/parallel.h"
#include "kernels/core/simd.h"
#include "kernels/normalization/rmsnorm.h"

namespace on_cpu {
namespace {

// One group: returns rstd. x is where the normalised values lie: residual_out or input.
template <typename T>
float forward_group(T* out, const T* x, const T* weight, int channels, double epsilon) {
    const float sum = sum_in_lanes(channels, [x](int64_t d) { return float(x[d]) * float(x[d]); });
    const auto rstd = static_cast<float>(1.0 / std::sqrt(double{sum} / channels + epsilon));
#pragma omp simd
    for (int d = 0; d < channels; ++d) store(out[d], float(x[d]) * rstd * float(weight[d]));
    return rstd;
}

template <typename T>
struct Group {
    T* grad_input = nullptr;           // [D]
    float* grad_weight = nullptr;      // [D]  this block's sum
    const T* grad_out = nullptr;       // [D]
    const T* grad_residual = nullptr;  // [D]  or null
    const T* x = nullptr;              // [D]
    const T* weight = nullptr;         // [D]
    float rstd = 0.0f;
};

template <typename T>
void backward_group(const Group<T>& group, int channels) {
    T* grad_input = group.grad_input;
    float* grad_weight = group.grad_weight;
    const T* grad_out = group.grad_out;
    const T* grad_residual = group.grad_residual;
    const T* x = group.x;
    const T* weight = group.weight;
    const float rstd = group.rstd;
    const float sum = sum_in_lanes(
        channels, [=](int64_t d) { return float(grad_out[d]) * float(weight[d]) * float(x[d]); });
    const float slope = rstd * rstd * rstd * sum / static_cast<float>(channels);
#pragma omp simd
    for (int d = 0; d < channels; ++d) grad_weight[d] += float(grad_out[d]) * (float(x[d]) * rstd);
    if (grad_residual == nullptr) {
#pragma omp simd
        for (int d = 0; d < channels; ++d)
            store(grad_input[d],
                  rstd * (float(grad_out[d]) * float(weight[d])) - slope * float(x[d]));
    } else {
#pragma omp simd
        for (int d = 0; d < channels; ++d)
            store(grad_input[d], rstd * (float(grad_out[d]) * float(weight[d])) -
                                     slope * float(x[d]) + float(grad_residual[d]));
    }
}

}  // namespace

template <typename T>
void rmsnorm_forward(const RmsNormForward<T>& args, StreamView) {
    const int width = args.groups * args.channels;
    parallel_for(args.rows, std::max(1, 8192 / width), [&](int64_t begin, int64_t end) {
        for (int64_t n = begin; n < end; ++n) {
            const T* x = args.input + n * args.input_stride;  // [G, D]
            if (args.branch != nullptr) {
                const T* branch = args.branch + n * args.input_stride;    // [G, D]
                T* residual = args.residual_out + n * args.input_stride;  // [G, D]
#pragma omp simd
                for (int c = 0; c < width; ++c) store(residual[c], float(x[c]) + float(branch[c]));
                x = residual;
            }
            T* out = args.out + n * args.out_stride;  // [G, D]
            for (int g = 0; g < args.groups; ++g)
                args.rstd[n * args.groups + g] =
                    forward_group(out + g * args.channels, x + g * args.channels, args.weight,
                                  args.channels, args.epsilon);
        }
    });
}

template <typename T>
void rmsnorm_backward(const RmsNormBackward<T>& args, StreamView) {
    const int channels = args.channels;
    const int runs = rmsnorm_blocks(args.rows);
    auto* partial = static_cast<float*>(args.scratch);  // [runs, D]
    parallel_for(runs, 1, [&](int64_t first, int64_t last) {
        std::fill(partial + first * channels, partial + last * channels, 0.0f);
        for (int64_t block = first; block < last; ++block) {
            const int64_t end = args.rows * (block + 1) / runs;
            for (int64_t n = args.rows * block / runs; n < end; ++n) {
                for (int64_t g = 0; g < args.groups; ++g) {
                    const int64_t in = n * args.input_stride + g * channels;
                    backward_group<T>(
                        {.grad_input = args.grad_input + in,
                         .grad_weight = partial + block * channels,
                         .grad_out = args.grad_out + n * args.out_stride + g * channels,
                         .grad_residual =
                             args.grad_residual == nullptr ? nullptr : args.grad_residual + in,
                         .x = args.input + in,
                         .weight = args.weight,
                         .rstd = args.rstd[n * args.groups + g]},
                        channels);
                }
            }
        }
    });
    for (int block = 0; block < runs; ++block) {
        const float* sums = partial + int64_t{block} * channels;  // [D]
#pragma omp simd
        for (int d = 0; d < channels; ++d) args.grad_weight[d] += sums[d];
    }
}

template void rmsnorm_forward(const RmsNormForward<float>&, StreamView);
template void rmsnorm_forward(const RmsNormForward<bf16>&, StreamView);
template void rmsnorm_backward(const RmsNormBackward<float>&, StreamView);
template void rmsnorm_backward(const RmsNormBackward<bf16>&, StreamView);

}  // namespace on_cpu
