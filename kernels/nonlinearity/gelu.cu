// GELU in its tanh form, forward and backward: one thread per 16 bytes.
//
//   out = x * s,  s = sigmoid(2u) = 1 / (1 + exp(-2u)),  u = sqrt(2/pi) * (x + 0.044715 x^3)
//   grad_input = grad_out * (s + x * s * (1 - s) * 2u')
//
// Shapes    out, input, grad_input, grad_out [count].
// Threads   Thread t of the grid owns the elements nt, ..., nt + n - 1: 4 floats or 8 bf16.
// Traffic   Forward reads and writes count elements, backward reads 2 count and writes count, in
//           128-bit accesses where operands begin at multiples of 16 bytes. Memory-bound; in bf16
//           the instructions of exp, division and rounding take nearly as long.
// Numerics  Float. 1 - s is e * s with e = exp(-2u): no cancellation where s is near 1. Beyond
//           |x| = 10 the derivative is 0 or 1 to 1e-35, so the backward clamps x there and e stays
//           finite. NaN passes the clamp.
// Requires  count > 0. out may be input, grad_input may be grad_out: a thread reads its elements
//           before it writes them.

#include "kernels/nonlinearity/gelu.h"

#include "kernels/core/launch.h"
#include "kernels/core/pack.cuh"

namespace FETTLE_DEVICE {
namespace {

constexpr float kScale = 1.5957691216f;  // 2 sqrt(2 / pi)
constexpr float kCubic = 0.044715f;

__device__ float gelu(float x) {
    return x * __fdividef(1.0f, 1.0f + expf(-kScale * (x + kCubic * x * x * x)));
}

__device__ float gelu_derivative(float input) {
    float x = input < -10.0f ? -10.0f : input;
    x = x > 10.0f ? 10.0f : x;
    const float square = x * x;
    const float e = expf(-kScale * (x + kCubic * x * square));
    const float s = __fdividef(1.0f, 1.0f + e);
    return s + x * s * (e * s) * (kScale + 3.0f * kScale * kCubic * square);
}

template <typename T>
__global__ void gelu_forward_thread_per_pack(GeluForward<T> args) {
    constexpr int n = kPackSize<T>;
    const int64_t first = pack_of_thread() * n;
    const int64_t left = args.count - first;  // at most 0 beyond the end
    auto pack = load_pack<n>(args.input + first, left);
    for (T& value : pack.values) value = T(gelu(float(value)));
    store_pack(args.out + first, pack, left);
}

template <typename T>
__global__ void gelu_backward_thread_per_pack(GeluBackward<T> args) {
    constexpr int n = kPackSize<T>;
    const int64_t first = pack_of_thread() * n;
    const int64_t left = args.count - first;  // at most 0 beyond the end
    const auto input = load_pack<n>(args.input + first, left);
    auto grad = load_pack<n>(args.grad_out + first, left);
    for (int i = 0; i < n; ++i)
        grad.values[i] = T(float(grad.values[i]) * gelu_derivative(float(input.values[i])));
    store_pack(args.grad_input + first, grad, left);
}

}  // namespace

template <typename T>
void gelu_forward(const GeluForward<T>& args, StreamView stream) {
    const auto packs = ceil_div<int64_t>(args.count, kPackSize<T>);
    launch(gelu_forward_thread_per_pack<T>, pack_run_shape(packs, stream), args);
}

template <typename T>
void gelu_backward(const GeluBackward<T>& args, StreamView stream) {
    const auto packs = ceil_div<int64_t>(args.count, kPackSize<T>);
    launch(gelu_backward_thread_per_pack<T>, pack_run_shape(packs, stream), args);
}

template void gelu_forward(const GeluForward<float>&, StreamView);
template void gelu_forward(const GeluForward<bf16>&, StreamView);
template void gelu_backward(const GeluBackward<float>&, StreamView);
template void gelu_backward(const GeluBackward<bf16>&, StreamView);

}  // namespace FETTLE_DEVICE
