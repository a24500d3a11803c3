// Products of small fp32 tiles held in cache: what attention is made of on the cpu.
//
//   c[m,n] = (accumulate ? c[m,n] : 0) + sum_k a(m,k) b[k,n]
//
// b and c are row-major with rows a whole number of vectors long and wide enough to be read and
// written to that length; a is read one element at a time with any strides, so a transposed left
// operand costs nothing. kRows x kVectors accumulators stay in registers across the whole k loop.
#pragma once

#include <cstdint>
#include <cstring>

#include "kernels/core/simd.h"

constexpr int kVectors = kVectorFloats / 4;  // as many as leave registers for the sums
constexpr int kTileRows = 4;

// A matrix of floats: element (i, j) is data[i * row + j * column].
struct TileView {
    const float* data = nullptr;
    int64_t row = 0;
    int64_t column = 1;
};

namespace tile_detail {

template <int rows, int vectors>
inline void multiply_block(float* c, int64_t c_stride, TileView a, const float* b, int64_t b_stride,
                           int depth, bool accumulate) {
    Vector sum[rows][vectors];
    for (int m = 0; m < rows; ++m)
        for (int v = 0; v < vectors; ++v)
            sum[m][v] = accumulate ? load(c + m * c_stride + v * kVectorFloats) : Vector{};
    for (int k = 0; k < depth; ++k) {
        Vector right[vectors];
        for (int v = 0; v < vectors; ++v) right[v] = load(b + k * b_stride + v * kVectorFloats);
        for (int m = 0; m < rows; ++m) {
            const float left = a.data[m * a.row + k * a.column];
            for (int v = 0; v < vectors; ++v) sum[m][v] += left * right[v];
        }
    }
    for (int m = 0; m < rows; ++m)
        for (int v = 0; v < vectors; ++v)
            std::memcpy(c + m * c_stride + v * kVectorFloats, &sum[m][v], sizeof(Vector));
}

template <int rows>
inline void multiply_rows(float* c, int64_t c_stride, TileView a, const float* b, int64_t b_stride,
                          int columns, int depth, bool accumulate) {
    int n = 0;
    for (; n + kVectors * kVectorFloats <= columns; n += kVectors * kVectorFloats)
        multiply_block<rows, kVectors>(c + n, c_stride, a, b + n, b_stride, depth, accumulate);
    for (; n < columns; n += kVectorFloats)
        multiply_block<rows, 1>(c + n, c_stride, a, b + n, b_stride, depth, accumulate);
}

}  // namespace tile_detail

// c: [rows, columns], a: [rows, depth], b: [depth, columns]; columns is rounded up to
// kVectorFloats.
inline void tile_multiply(float* c, int64_t c_stride, TileView a, const float* b, int64_t b_stride,
                          int rows, int columns, int depth, bool accumulate) {
    int m = 0;
    for (; m + kTileRows <= rows; m += kTileRows)
        tile_detail::multiply_rows<kTileRows>(c + m * c_stride, c_stride,
                                              {a.data + m * a.row, a.row, a.column}, b, b_stride,
                                              columns, depth, accumulate);
    for (; m < rows; ++m)
        tile_detail::multiply_rows<1>(c + m * c_stride, c_stride,
                                      {a.data + m * a.row, a.row, a.column}, b, b_stride, columns,
                                      depth, accumulate);
}
