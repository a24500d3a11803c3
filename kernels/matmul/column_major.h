// A matrix product as BLAS libraries want it: column-major.
//
// A row-major matrix [R, C] whose rows are `stride` elements apart, read as column-major with that
// leading dimension, is its transpose [C, R]. So the row-major out = A B is asked for as the
// column-major out^T = B^T A^T: the operands change places, and each is transposed for the library
// exactly if it is for us. A bias [N] lies along the rows of out^T, where libraries add it.
#pragma once

#include <algorithm>
#include <bit>
#include <cstdint>
#include <type_traits>

#include "kernels/matmul/matmul.h"

enum class ElementType : uint8_t { fp32, bf16 };

// Column-major: element (r, c) is data[r + c * leading].
struct ColumnMajorMatrix {
    const void* data = nullptr;
    ElementType type = ElementType::fp32;
    int64_t rows = 0, columns = 0;  // as stored
    int64_t leading = 0;
    bool transposed = false;  // the product reads it transposed
};

// out = op(left) op(right) + beta * out + bias, bias [out.rows] added to every column. Sums are
// fp32.
struct ColumnMajorProduct {
    ColumnMajorMatrix left, right;
    ColumnMajorMatrix out;  // data: written
    int64_t depth = 0;      // the length of the sums
    float beta = 0.0f;
    const void* bias = nullptr;  // of out's type, or null
    // False where libraries have no such product: a bias of another type than out.
    bool expressible = true;
};

template <typename T>
constexpr ElementType element_type() {
    static_assert(std::is_same_v<T, float> || std::is_same_v<T, bf16>);
    return std::is_same_v<T, bf16> ? ElementType::bf16 : ElementType::fp32;
}

template <typename T, typename Out>
ColumnMajorProduct column_major(const Matmul<T, Out>& given) {
    const Matmul<T, Out> args = with_strides(given);
    const auto stored = [](const auto* data, int64_t rows, int64_t columns, int64_t stride,
                           bool transposed) {
        using Element = std::remove_cvref_t<decltype(*data)>;
        return ColumnMajorMatrix{data, element_type<Element>(), columns, rows, stride, transposed};
    };
    const int64_t m = args.m, n = args.n, k = args.k;
    return {.left = stored(args.b, args.transpose_b ? n : k, args.transpose_b ? k : n, args.ldb,
                           args.transpose_b),
            .right = stored(args.a, args.transpose_a ? k : m, args.transpose_a ? m : k, args.lda,
                            args.transpose_a),
            .out = stored(args.out, m, n, args.ldc, false),
            .depth = k,
            .beta = args.accumulate ? 1.0f : 0.0f,
            .bias = args.bias,
            .expressible = args.bias == nullptr || std::is_same_v<T, Out>};
}

// What an address is a multiple of, as libraries ask: a power of two, at most 256.
inline uint32_t alignment_of(const void* address) {
    const auto bits = reinterpret_cast<uintptr_t>(address) | 256u;
    return uint32_t{1} << std::countr_zero(bits);
}

// All of a product that decides how it is best computed, so that the choice can be remembered.
struct ProductShape {
    ElementType type{}, out_type{};
    bool transpose_left = false, transpose_right = false, adds_out = false, adds_bias = false;
    int64_t rows = 0, columns = 0, depth = 0;
    int64_t leading_left = 0, leading_right = 0, leading_out = 0;
    uint32_t align_left = 0, align_right = 0, align_out = 0, align_bias = 0;

    auto operator<=>(const ProductShape&) const = default;
};

inline ProductShape shape_of(const ColumnMajorProduct& p) {
    return {.type = p.left.type,
            .out_type = p.out.type,
            .transpose_left = p.left.transposed,
            .transpose_right = p.right.transposed,
            .adds_out = p.beta != 0.0f,
            .adds_bias = p.bias != nullptr,
            .rows = p.out.rows,
            .columns = p.out.columns,
            .depth = p.depth,
            .leading_left = p.left.leading,
            .leading_right = p.right.leading,
            .leading_out = p.out.leading,
            .align_left = alignment_of(p.left.data),
            .align_right = alignment_of(p.right.data),
            .align_out = alignment_of(p.out.data),
            .align_bias = alignment_of(p.bias)};
}
