// SwiGLU forward and backward: one block per row.
//
//   out = gate * s * up,  s = sigmoid(gate) = 1 / (1 + exp(-gate))
//   grad_up = grad_out * gate * s
//   grad_gate = grad_out * up * (s + gate * s * (1 - s))
//
// Shapes    gate_up, grad_gate_up [N,2I], a row's I gates before its I ups; out, grad_out [N,I].
// Threads   Block b owns row b (and b + gridDim.x, ... beyond 2^31 rows); its thread t the channels
//           nt, ..., nt + n - 1 of gates, ups and outputs alike, 4 floats or 8 bf16, and further
//           passes over the row if it is longer than the block.
// Traffic   Forward reads 2NI elements and writes NI, backward reads 3NI and writes 2NI, in 128-bit
//           accesses where I is a multiple of n. Memory-bound.
// Numerics  Float. 1 - s is e * s with e = exp(-gate). The backward takes gates below -80, where
//           silu and its slope are 0 to 1e-32, as -80, so that e stays finite. NaN passes.
// Requires  rows, channels > 0. grad_gate_up may be gate_up: a thread reads what it owns before it
//           writes it.

#include "kernels/nonlinearity/swiglu.h"

#include "kernels/core/launch.h"
#include "kernels/core/pack.cuh"

namespace FETTLE_DEVICE {
namespace {

template <typename T>
__global__ void swiglu_forward_block_per_row(SwigluForward<T> args) {
    constexpr int n = kPackSize<T>;
    for (int64_t row = blockIdx.x; row < args.rows; row += gridDim.x) {
        const T* gate_row = args.gate_up + 2 * row * args.channels;  // [I], then the ups
        T* out_row = args.out + row * args.channels;                 // [I]
        for (int64_t first = threadIdx.x * n; first < args.channels; first += blockDim.x * n) {
            const int64_t left = args.channels - first;
            const auto gate = load_pack<n>(gate_row + first, left);
            auto out = load_pack<n>(gate_row + args.channels + first, left);  // up
            for (int i = 0; i < n; ++i) {
                const float x = float(gate.values[i]);
                const float silu = x * __fdividef(1.0f, 1.0f + expf(-x));
                out.values[i] = T(silu * float(out.values[i]));
            }
            store_pack(out_row + first, out, left);
        }
    }
}

template <typename T>
__global__ void swiglu_backward_block_per_row(SwigluBackward<T> args) {
    constexpr int n = kPackSize<T>;
    for (int64_t row = blockIdx.x; row < args.rows; row += gridDim.x) {
        const T* gate_row = args.gate_up + 2 * row * args.channels;  // [I], then the ups
        const T* grad_row = args.grad_out + row * args.channels;     // [I]
        T* out_row = args.grad_gate_up + 2 * row * args.channels;    // [I], then the ups'
        for (int64_t first = threadIdx.x * n; first < args.channels; first += blockDim.x * n) {
            const int64_t left = args.channels - first;
            auto gate = load_pack<n>(gate_row + first, left);
            auto up = load_pack<n>(gate_row + args.channels + first, left);
            const auto grad_out = load_pack<n>(grad_row + first, left);
            for (int i = 0; i < n; ++i) {
                const float x = float(gate.values[i]) < -80.0f ? -80.0f : float(gate.values[i]);
                const float grad = float(grad_out.values[i]);
                const float e = expf(-x);
                const float s = __fdividef(1.0f, 1.0f + e);
                gate.values[i] = T(grad * float(up.values[i]) * (s + x * s * (e * s)));
                up.values[i] = T(grad * (x * s));
            }
            store_pack(out_row + first, gate, left);
            store_pack(out_row + args.channels + first, up, left);
        }
    }
}

}  // namespace

template <typename T>
void swiglu_forward(const SwigluForward<T>& args, StreamView stream) {
    const auto packs = ceil_div(args.channels, kPackSize<T>);
    launch(swiglu_forward_block_per_row<T>, pack_rows_shape(args.rows, packs, stream), args);
}

template <typename T>
void swiglu_backward(const SwigluBackward<T>& args, StreamView stream) {
    const auto packs = ceil_div(args.channels, kPackSize<T>);
    launch(swiglu_backward_block_per_row<T>, pack_rows_shape(args.rows, packs, stream), args);
}

template void swiglu_forward(const SwigluForward<float>&, StreamView);
template void swiglu_forward(const SwigluForward<bf16>&, StreamView);
template void swiglu_backward(const SwigluBackward<float>&, StreamView);
template void swiglu_backward(const SwigluBackward<bf16>&, StreamView);

}  // namespace FETTLE_DEVICE
