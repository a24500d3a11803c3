// Products with quantised weights, which are read as they are stored, and rows of them.
//
//   out[m,n] = sum_k a[m,k] W[n,k] + bias[n]
//
// Rounding points: W's elements are the floats of dequantize(); sums are fp32; out is rounded once,
// after the bias. Activations are not rounded.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/core/stream.h"
#include "kernels/quantize/dequantize.h"

// A matrix of whole blocks, row after row. Any address will do.
struct QuantizedWeight {
    BlockType type = BlockType::q8_0;
    const std::byte* blocks = nullptr;

    int64_t row_bytes(int64_t columns) const {
        return columns / values_per_block(type) * bytes_per_block(type);
    }
};

struct QuantizedMatmul {
    float* out = nullptr;         // [M, N]
    const float* a = nullptr;     // [M, K]
    QuantizedWeight b;            // [N, K]
    const float* bias = nullptr;  // [N]  or null
    void* scratch = nullptr;      // quantized_matmul_scratch_bytes()
    int64_t m = 0;                // M
    int64_t n = 0;                // N
    int64_t k = 0;                // K: a multiple of the block
    int64_t ldc = 0;              // elements from row to row of out; 0: N
};

// out[i] = the table's row rows[i].
struct QuantizedRows {
    float* out = nullptr;  // [count, channels]
    const int32_t* rows = nullptr;
    QuantizedWeight table;  // [., channels]
    int64_t count = 0;
    int64_t channels = 0;
};

// Run on the stream's device. m and count may be 0.
void quantized_matmul(const QuantizedMatmul& args, StreamView stream);
void quantized_rows(const QuantizedRows& args, StreamView stream);

// The same for every shape.
int64_t quantized_matmul_scratch_bytes();
