// Quantised products in plain loops with double accumulators: the oracle.
#pragma once

#include <vector>

#include "kernels/quantize/quantized_matmul.h"

inline std::vector<float> dequantized_row(const QuantizedWeight& weight, int64_t row,
                                          int64_t columns) {
    std::vector<float> out(static_cast<size_t>(columns));
    const int64_t bytes = weight.row_bytes(columns);
    dequantize(weight.type, {weight.blocks + row * bytes, static_cast<size_t>(bytes)}, out);
    return out;
}

inline void quantized_matmul_reference(const QuantizedMatmul& a, StreamView = {}) {
    const int64_t ldc = a.ldc ? a.ldc : a.n;
    for (int64_t n = 0; n < a.n; ++n) {
        const std::vector<float> weights = dequantized_row(a.b, n, a.k);
        for (int64_t m = 0; m < a.m; ++m) {
            double sum = a.bias ? static_cast<double>(a.bias[n]) : 0.0;
            for (int64_t k = 0; k < a.k; ++k)
                sum += static_cast<double>(a.a[m * a.k + k]) *
                       static_cast<double>(weights[static_cast<size_t>(k)]);
            a.out[m * ldc + n] = static_cast<float>(sum);
        }
    }
}
