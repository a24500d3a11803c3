// RoPE as the contract writes it, in double: the oracle, and the double instantiation's form.
#pragma once

#include "kernels/rope/rope.h"

template <typename T>
void rope_reference(const Rope<T>& args, StreamView = {}) {
    const int half = args.head_dim / 2;
    const int64_t stride = args.stride != 0 ? args.stride : int64_t{args.heads} * args.head_dim;
    for (int64_t n = 0; n < args.rows; ++n) {
        for (int h = 0; h < args.heads; ++h) {
            T* head = args.data + n * stride + h * args.head_dim;  // [D]
            for (int d = 0; d < half; ++d) {
                const int64_t angle = int64_t{args.positions[n]} * half + d;
                const auto c = static_cast<double>(args.cos[angle]);
                const auto s = static_cast<double>(args.sin[angle]) * (args.inverse ? -1.0 : 1.0);
                const auto first = static_cast<double>(head[d]);
                const auto second = static_cast<double>(head[d + half]);
                head[d] = T(first * c - second * s);
                head[d + half] = T(second * c + first * s);
            }
        }
    }
}
