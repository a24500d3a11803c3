// LayerNorm on the cpu device. Each row is read from memory once: its passes over the C channels
// find it in the L1 cache, so both directions are bound by memory.

#include <cmath>

#include "kernels/core/lanes.h"
#include "kernels/core/parallel.h"
#include "kernels/normalization/layernorm.h"

namespace on_cpu {
namespace {

constexpr int64_t kRowsPerPiece = 4;        // a few thousand channels: worth a thread's while
constexpr int64_t kChannelsPerPiece = 256;  // of the reduction over the runs' partial sums

template <typename T>
void forward_row(const LayerNormForward<T>& args, int64_t n) {
    const int C = args.channels;
    const T* x = args.input + n * C;  // [C]
    T* out = args.out + n * C;        // [C]
    if (args.branch != nullptr) {
        const T* branch = args.branch + n * C;  // [C]
        T* sum = args.residual_out + n * C;     // [C]  may be x
        for (int c = 0; c < C; ++c) sum[c] = T(float(x[c]) + float(branch[c]));
        x = sum;
    }
    const float mean = sum_in_lanes(C, [=](int64_t c) { return float(x[c]); }) / float(C);
    const float sum_sq = sum_in_lanes(C, [=](int64_t c) {
        const float centred = float(x[c]) - mean;
        return centred * centred;
    });
    const float rstd = 1.0f / std::sqrt(sum_sq / float(C) + float(args.epsilon));

    const T* weight = args.weight;  // [C]
    const T* bias = args.bias;      // [C]
    for (int c = 0; c < C; ++c)
        out[c] = T((float(x[c]) - mean) * rstd * float(weight[c]) + float(bias[c]));
    args.mean[n] = mean;
    args.rstd[n] = rstd;
}

// One row's grad_input, and its terms of grad_weight and grad_bias added to the run's.
template <typename T>
void backward_row(const LayerNormBackward<T>& args, int64_t n, float* grad_weight,
                  float* grad_bias) {
    const int C = args.channels;
    const float mean = args.mean[n];
    const float rstd = args.rstd[n];
    const T* x = args.input + n * C;            // [C]
    const T* grad_out = args.grad_out + n * C;  // [C]
    const T* weight = args.weight;              // [C]
    const auto g = [=](int64_t c) { return float(grad_out[c]) * float(weight[c]); };
    const auto h = [=](int64_t c) { return (float(x[c]) - mean) * rstd; };

    const float mean_g = sum_in_lanes(C, g) / float(C);
    const float mean_gh = sum_in_lanes(C, [=](int64_t c) { return g(c) * h(c); }) / float(C);
    T* grad_input = args.grad_input + n * C;  // [C]
    if (args.grad_residual != nullptr) {
        const T* past = args.grad_residual + n * C;  // [C]  may be grad_input
        for (int c = 0; c < C; ++c)
            grad_input[c] = T(rstd * (g(c) - mean_g - h(c) * mean_gh) + float(past[c]));
    } else {
        for (int c = 0; c < C; ++c) grad_input[c] = T(rstd * (g(c) - mean_g - h(c) * mean_gh));
    }
    for (int c = 0; c < C; ++c) {
        grad_weight[c] += float(grad_out[c]) * h(c);
        grad_bias[c] += float(grad_out[c]);
    }
}

}  // namespace

template <typename T>
void layernorm_forward(const LayerNormForward<T>& args, StreamView) {
    parallel_for(args.rows, kRowsPerPiece, [&](int64_t begin, int64_t end) {
        for (int64_t n = begin; n < end; ++n) forward_row(args, n);
    });
}

template <typename T>
void layernorm_backward(const LayerNormBackward<T>& args, StreamView) {
    const int64_t C = args.channels;
    const int64_t blocks = layernorm_blocks(args.rows);
    float* partial = static_cast<float*>(args.scratch);  // [blocks, 2, C]
    parallel_for(blocks, 1, [&](int64_t first, int64_t last) {
        for (int64_t block = first; block < last; ++block) {
            float* sums = partial + block * 2 * C;  // [2, C]
            std::fill_n(sums, 2 * C, 0.0f);
            const int64_t end = args.rows * (block + 1) / blocks;
            for (int64_t n = args.rows * block / blocks; n < end; ++n)
                backward_row(args, n, sums, sums + C);
        }
    });
    parallel_for(2 * C, kChannelsPerPiece, [&](int64_t begin, int64_t end) {
        for (int64_t block = 1; block < blocks; ++block)
            for (int64_t i = begin; i < end; ++i) partial[i] += partial[block * 2 * C + i];
        for (int64_t i = begin; i < end; ++i)
            (i < C ? args.grad_weight[i] : args.grad_bias[i - C]) += partial[i];
    });
}

template void layernorm_forward(const LayerNormForward<float>&, StreamView);
template void layernorm_forward(const LayerNormForward<bf16>&, StreamView);
template void layernorm_backward(const LayerNormBackward<float>&, StreamView);
template void layernorm_backward(const LayerNormBackward<bf16>&, StreamView);

}  // namespace on_cpu
