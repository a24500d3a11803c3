// A linear layer over the parameter table: out = input W^T + bias, and its backward pass.
#pragma once

#include <cstdint>

#include "kernels/core/stream.h"
#include "model/parameter_store.h"

// `weight` is the first of the parameters that are computed as one matrix (q, k and v, say), which
// lie one after the other; `out` is the width of them together. Quantised ones lie apart and are
// multiplied one by one, in fp32 and forward only.
struct Linear {
    int weight = -1;
    int bias = -1;  // -1: none
    int64_t in = 0;
    int64_t out = 0;
    bool transposed = false;  // stored [in, out] instead of [out, in]
};

template <typename T>
struct LinearForward {
    T* out = nullptr;          // [N, out]
    const T* input = nullptr;  // [N, in]
    void* scratch = nullptr;   // matmul_scratch_bytes<T>(), quantized_matmul_scratch_bytes()
    int64_t rows = 0;          // N
};
template <typename T>
void linear_forward(const ParameterStore<T>& store, const Linear& linear,
                    const LinearForward<T>& args, StreamView stream);

template <typename T>
struct LinearBackward {
    T* grad_input = nullptr;      // [N, in]  or null: not needed
    const T* grad_out = nullptr;  // [N, out]
    const T* input = nullptr;     // [N, in]
    void* scratch = nullptr;  // matmul_scratch_bytes<T>(), and bias_gradient_scratch_bytes(out) if
                              // there is a bias
    int64_t rows = 0;         // N
};
// Adds to the gradients of weight and bias.
template <typename T>
void linear_backward(ParameterStore<T>& store, const Linear& linear, const LinearBackward<T>& args,
                     StreamView stream);
