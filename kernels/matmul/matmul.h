// Matrix product with bias, and the gradient of a bias.
//
//   out[m,n] = (accumulate ? out[m,n] : 0) + sum_k A[m,k] B[k,n] + bias[n]
//
// A is stored [M, K] (or [K, M] if transpose_a), B [K, N] (or [N, K] if transpose_b), row-major,
// rows `lda`, `ldb`, `ldc` elements apart.
//
// Rounding points: products are summed in Accumulator<T>; out is rounded to Out once, after the
// bias.
#pragma once

#include <cstdint>

#include "kernels/core/dtype.h"
#include "kernels/core/stream.h"

template <typename T, typename Out = T>
struct Matmul {
    Out* out = nullptr;       // [M, N]
    const T* a = nullptr;     // [M, K], or [K, M] if transpose_a
    const T* b = nullptr;     // [K, N], or [N, K] if transpose_b
    const T* bias = nullptr;  // [N]  or null
    void* scratch = nullptr;  // matmul_scratch_bytes<T>(device); null if that is 0
    int64_t m = 0;            // M
    int64_t n = 0;            // N
    int64_t k = 0;            // K
    bool transpose_a = false;
    bool transpose_b = false;
    bool accumulate = false;  // add to out; not together with a bias
    int64_t lda = 0;          // elements from row to row as stored; 0: packed
    int64_t ldb = 0;
    int64_t ldc = 0;
};

// The same product with every stride given.
template <typename T, typename Out>
Matmul<T, Out> with_strides(Matmul<T, Out> args) {
    if (!args.lda) args.lda = args.transpose_a ? args.m : args.k;
    if (!args.ldb) args.ldb = args.transpose_b ? args.k : args.n;
    if (!args.ldc) args.ldc = args.n;
    return args;
}

// grad_bias[n] += sum_m grad_out[m,n], over 32 partial sums of consecutive rows added in order.
template <typename T>
struct BiasGradient {
    Accumulator<T>* grad_bias = nullptr;  // [N]  added to
    void* scratch = nullptr;              // bias_gradient_scratch_bytes(N)
    const T* grad_out = nullptr;          // [M, N], rows `stride` elements apart
    int64_t m = 0;
    int64_t n = 0;
    int64_t stride = 0;  // 0: N
};

// Run on the stream's device. m may be 0.
template <typename T, typename Out>
void matmul(const Matmul<T, Out>& args, StreamView stream);
template <typename T>
void bias_gradient(const BiasGradient<T>& args, StreamView stream);

// The same for every shape.
template <typename T>
int64_t matmul_scratch_bytes(Device device);

// Partial sums: bounded, and independent of the number of threads.
constexpr int64_t kBiasGradientRuns = 32;
int64_t bias_gradient_scratch_bytes(int64_t n, int64_t accumulator_bytes = 4);
