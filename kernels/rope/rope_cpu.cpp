// RoPE on the cpu device.
//
// Threads   pieces of consecutive tokens; the compiler vectorises along half a head.
// Traffic   reads and writes N * heads * D elements; a token's angles stay in the L1 cache.
//           Memory-bound.

#include <algorithm>

#include "kernels/core/parallel.h"
#include "kernels/core/simd.h"
#include "kernels/rope/rope.h"

namespace on_cpu {

template <typename T>
void rope(const Rope<T>& args, StreamView) {
    const int half = args.head_dim / 2;
    const float sign = args.inverse ? -1.0f : 1.0f;
    const int64_t grain = std::max(1, 8192 / (args.heads * args.head_dim));
    parallel_for(args.rows, grain, [&](int64_t begin, int64_t end) {
        for (int64_t n = begin; n < end; ++n) {
            const float* cos = args.cos + int64_t{args.positions[n]} * half;  // [D/2]
            const float* sin = args.sin + int64_t{args.positions[n]} * half;  // [D/2]
            for (int h = 0; h < args.heads; ++h) {
                T* head = args.data + n * args.stride + int64_t{h} * args.head_dim;  // [D]
#pragma omp simd
                for (int d = 0; d < half; ++d) {
                    const float first = float(head[d]);
                    const float second = float(head[d + half]);
                    const float s = sign * sin[d];
                    store(head[d], first * cos[d] - second * s);
                    store(head[d + half], second * cos[d] + first * s);
                }
            }
        }
    });
}

template void rope(const Rope<float>&, StreamView);
template void rope(const Rope<bf16>&, StreamView);

}  // namespace on_cpu
