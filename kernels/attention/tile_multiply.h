// Products of small fp32 tiles held in cache: what attention is made of on the cpu.
//
//   c[m,n] = (accumulate ? c[m,n] : 0) + sum_k a(m,k) b[k,n]
//
// b and c are row-major with rows a whole number of vectors long and wide enough to be read and
// written to that length; a is read one element at a time with any strides, so a transposed left
// operand costs nothing. kRows x kVectors accumulators stay in registers across the whole k loop.
#pragma once

#include <algorithm>
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

struct TileRange {
    int begin = 0;
    int end = 0;
};

namespace tile_detail {

// Not inlined: callers' other products are, and need the compiler's budget more.
template <class Range>
[[gnu::noinline]] void multiply_steps(const Range& range, float* c, int64_t c_stride, TileView a,
                                      const float* b, int64_t b_stride, int rows, int columns) {
    const auto add = [&](int first_row, int count, int begin, int end) {
        if (begin < end)
            tile_multiply(c + first_row * c_stride, c_stride,
                          {a.data + first_row * a.row + begin * a.column, a.row, a.column},
                          b + begin * b_stride, b_stride, count, columns, end - begin,
                          /*accumulate=*/true);
    };
    for (int first = 0; first < rows; first += kTileRows) {
        const int past = std::min(first + kTileRows, rows);
        const int begin = range(past - 1).begin;  // of what these rows have in common
        const int end = range(first).end;
        for (int m = first; m < past; ++m) add(m, 1, range(m).begin, std::min(begin, range(m).end));
        add(first, past - first, begin, end);
        for (int m = first; m < past; ++m) add(m, 1, std::max(begin, end), range(m).end);
    }
}

}  // namespace tile_detail

// c[m,n] += sum_k a(m,k) b[k,n] over k in range(m); a later row's range neither begins nor ends
// before an earlier one's. What is outside of it may be infinite or a NaN: it is skipped, not
// multiplied by zero.
template <class Range>
inline void tile_multiply_within(const Range& range, float* c, int64_t c_stride, TileView a,
                                 const float* b, int64_t b_stride, int rows, int columns) {
    const TileRange first = range(0), last = range(rows - 1);
    if (first.begin == 0 && last.begin == 0 && first.end == last.end)
        tile_multiply(c, c_stride, a, b, b_stride, rows, columns, first.end, /*accumulate=*/true);
    else
        tile_detail::multiply_steps(range, c, c_stride, a, b, b_stride, rows, columns);
}
