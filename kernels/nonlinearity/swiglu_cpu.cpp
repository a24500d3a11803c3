// SwiGLU on the cpu device.
//
// Threads   pieces of consecutive rows; the compiler vectorises along a row.
// Traffic   forward reads 2NI elements and writes NI, backward reads 3NI and writes 2NI.
//           Memory-bound in float, bound by the exp and the division in bf16.
// Numerics  1 - s is e * s with e = exp(-gate). The backward takes gates below -80, where silu and
//           its slope are 0 to 1e-32, as -80, so that e stays finite.
// Requires  grad_gate_up is gate_up or does not overlap it.

#include <algorithm>

#include "kernels/core/parallel.h"
#include "kernels/core/simd.h"
#include "kernels/nonlinearity/swiglu.h"

namespace on_cpu {
namespace {

// Rows of a piece: about 8192 elements.
int64_t grain(int channels) { return std::max<int64_t>(1, 8192 / channels); }

}  // namespace

template <typename T>
void swiglu_forward(const SwigluForward<T>& args, StreamView) {
    parallel_for(args.rows, grain(args.channels), [&](int64_t begin, int64_t end) {
        for (int64_t n = begin; n < end; ++n) {
            const T* gate = args.gate_up + 2 * n * args.channels;  // [I]
            const T* up = gate + args.channels;                    // [I]
            T* out = args.out + n * args.channels;                 // [I]
#pragma omp simd
            for (int i = 0; i < args.channels; ++i) {
                const float x = float(gate[i]);
                store(out[i], x * sigmoid_fast(x) * float(up[i]));
            }
        }
    });
}

template <typename T>
void swiglu_backward(const SwigluBackward<T>& args, StreamView) {
    parallel_for(args.rows, grain(args.channels), [&](int64_t begin, int64_t end) {
        for (int64_t n = begin; n < end; ++n) {
            const T* gate = args.gate_up + 2 * n * args.channels;      // [I]
            const T* up = gate + args.channels;                        // [I]
            const T* grad_out = args.grad_out + n * args.channels;     // [I]
            T* grad_gate = args.grad_gate_up + 2 * n * args.channels;  // [I]
            T* grad_up = grad_gate + args.channels;                    // [I]
#pragma omp simd
            for (int i = 0; i < args.channels; ++i) {
                const float x = float(gate[i]) < -80.0f ? -80.0f : float(gate[i]);
                const float grad = float(grad_out[i]);
                const float e = exp_fast(-x);
                const float s = 1.0f / (1.0f + e);
                const float grad_of_gate = grad * float(up[i]) * (s + x * s * (e * s));
                store(grad_gate[i], grad_of_gate);
                store(grad_up[i], grad * (x * s));
            }
        }
    });
}

template void swiglu_forward(const SwigluForward<float>&, StreamView);
template void swiglu_forward(const SwigluForward<bf16>&, StreamView);
template void swiglu_backward(const SwigluBackward<float>&, StreamView);
template void swiglu_backward(const SwigluBackward<bf16>&, StreamView);

}  // namespace on_cpu
