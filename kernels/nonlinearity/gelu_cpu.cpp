// GELU on the cpu device.
//
// Threads   pieces of consecutive elements; the compiler vectorises within a piece.
// Traffic   forward reads and writes count elements, backward reads 2 count and writes count.
//           Memory-bound in float, bound by the exp and the division in bf16.
// Numerics  1 - s is e * s with e = exp(-2u): no cancellation where s is near 1. Beyond |x| = 10
//           the derivative is 0 or 1 to 1e-35, so the backward clamps x there and e stays finite.
// Requires  exact aliasing or none.

#include "kernels/core/parallel.h"
#include "kernels/core/simd.h"
#include "kernels/nonlinearity/gelu.h"

namespace on_cpu {
namespace {

constexpr int64_t kGrain = 8192;
constexpr float kScale = 1.5957691216f;  // 2 sqrt(2 / pi)
constexpr float kCubic = 0.044715f;

inline float gelu(float x) { return x * sigmoid_fast(kScale * (x + kCubic * x * x * x)); }

inline float gelu_derivative(float input) {
    float x = input < -10.0f ? -10.0f : input;
    x = x > 10.0f ? 10.0f : x;
    const float square = x * x;
    const float e = exp_fast(-kScale * (x + kCubic * x * square));
    const float s = 1.0f / (1.0f + e);
    return s + x * s * (e * s) * (kScale + 3.0f * kScale * kCubic * square);
}

}  // namespace

template <typename T>
void gelu_forward(const GeluForward<T>& args, StreamView) {
    parallel_for(args.count, kGrain, [&](int64_t begin, int64_t end) {
#pragma omp simd
        for (int64_t i = begin; i < end; ++i) store(args.out[i], gelu(float(args.input[i])));
    });
}

template <typename T>
void gelu_backward(const GeluBackward<T>& args, StreamView) {
    parallel_for(args.count, kGrain, [&](int64_t begin, int64_t end) {
#pragma omp simd
        for (int64_t i = begin; i < end; ++i)
            store(args.grad_input[i],
                  float(args.grad_out[i]) * gelu_derivative(float(args.input[i])));
    });
}

template void gelu_forward(const GeluForward<float>&, StreamView);
template void gelu_forward(const GeluForward<bf16>&, StreamView);
template void gelu_backward(const GeluBackward<float>&, StreamView);
template void gelu_backward(const GeluBackward<bf16>&, StreamView);

}  // namespace on_cpu
