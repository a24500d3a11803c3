// Rotary position embedding (Su et al., arXiv 2104.09864) in Hugging Face's half-split layout.
//
//   for d < D/2, with c = cos[position,d], s = sin[position,d]:
//   data[d]       <- data[d] * c - data[d + D/2] * s
//   data[d + D/2] <- data[d + D/2] * c + data[d] * s
//
// In place on the first `heads` heads of every row. `inverse` rotates back: the backward pass.
// Rounding points: every element is rounded to T once.
#pragma once

#include <cstdint>

#include "kernels/core/dtype.h"
#include "kernels/core/stream.h"

template <typename T>
struct Rope {
    T* data = nullptr;                    // [N, heads, D], rows `stride` elements apart
    const Accumulator<T>* cos = nullptr;  // [P, D/2]
    const Accumulator<T>* sin = nullptr;  // [P, D/2]
    const int32_t* positions = nullptr;   // [N]  in [0, P)
    int64_t rows = 0;                     // N
    int heads = 0;
    int head_dim = 0;    // D, even
    int64_t stride = 0;  // elements; 0: heads * D
    bool inverse = false;
};

// Runs on the stream's device; allocates nothing.
template <typename T>
void rope(const Rope<T>& args, StreamView stream);
