// Token embedding, plus learned positions where the model has them.
//
//   out[n,c] = token_table[tokens[n], c] + position_table[positions[n], c]
//
// Rounding points: the sum is rounded to T once.
#pragma once

#include <cstdint>

#include "kernels/core/dtype.h"
#include "kernels/core/stream.h"

template <typename T>
struct EmbeddingForward {
    T* out = nullptr;                    // [N, C]
    const int32_t* tokens = nullptr;     // [N]  in [0, vocabulary)
    const int32_t* positions = nullptr;  // [N]  in [0, max_positions); unused without a table
    const T* token_table = nullptr;      // [V, C]
    const T* position_table = nullptr;   // [P, C]  or null
    int64_t rows = 0;                    // N
    int channels = 0;                    // C
};

// grad_token_table[tokens[n]] += grad_out[n], grad_position_table[positions[n]] += grad_out[n],
// for equal ids in the order of n: bitwise repeatable.
template <typename T>
struct EmbeddingBackward {
    Accumulator<T>* grad_token_table = nullptr;     // [V, C]  added to; or null: frozen
    Accumulator<T>* grad_position_table = nullptr;  // [P, C]  added to; or null
    const T* grad_out = nullptr;                    // [N, C]
    const int32_t* tokens = nullptr;                // [N]
    const int32_t* positions = nullptr;             // [N]
    int64_t rows = 0;                               // N
    int channels = 0;                               // C
};

// Run on the stream's device; allocate nothing. Ids are not checked here: the batch was.
template <typename T>
void embedding_forward(const EmbeddingForward<T>& args, StreamView stream);
template <typename T>
void embedding_backward(const EmbeddingBackward<T>& args, StreamView stream);
