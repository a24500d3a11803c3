// Matrix product and bias gradient in plain loops with double accumulators: the oracle.
#pragma once

#include "kernels/matmul/matmul.h"

template <typename T, typename Out>
void matmul_reference(const Matmul<T, Out>& a, StreamView = {}) {
    const int64_t lda = a.lda ? a.lda : (a.transpose_a ? a.m : a.k);
    const int64_t ldb = a.ldb ? a.ldb : (a.transpose_b ? a.k : a.n);
    const int64_t ldc = a.ldc ? a.ldc : a.n;
    for (int64_t m = 0; m < a.m; ++m) {
        for (int64_t n = 0; n < a.n; ++n) {
            double sum = a.accumulate ? static_cast<double>(a.out[m * ldc + n]) : 0.0;
            for (int64_t k = 0; k < a.k; ++k)
                sum += static_cast<double>(a.transpose_a ? a.a[k * lda + m] : a.a[m * lda + k]) *
                       static_cast<double>(a.transpose_b ? a.b[n * ldb + k] : a.b[k * ldb + n]);
            if (a.bias) sum += static_cast<double>(a.bias[n]);
            a.out[m * ldc + n] = static_cast<Out>(static_cast<Accumulator<Out>>(sum));
        }
    }
}

template <typename T>
void bias_gradient_reference(const BiasGradient<T>& a, StreamView = {}) {
    const int64_t stride = a.stride ? a.stride : a.n;
    for (int64_t n = 0; n < a.n; ++n) {
        double sum = static_cast<double>(a.grad_bias[n]);
        for (int64_t m = 0; m < a.m; ++m) sum += static_cast<double>(a.grad_out[m * stride + n]);
        a.grad_bias[n] = static_cast<Accumulator<T>>(sum);
    }
}
