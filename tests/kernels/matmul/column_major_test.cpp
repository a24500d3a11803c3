// What a column-major library is asked for means the product that was wanted: an interpreter of
// such requests in plain loops stands for the library.

#include "kernels/matmul/column_major.h"

#include <array>

#include "kernels/matmul/matmul_reference.h"
#include "tests/support/devices.h"
#include "tests/support/doctest.h"

namespace {

double element(const ColumnMajorMatrix& matrix, int64_t row, int64_t column) {
    if (matrix.transposed) std::swap(row, column);
    ENSURE(row >= 0 && row < matrix.rows && column >= 0 && column < matrix.columns,
           "element ({}, {}) of a matrix of {} x {}", row, column, matrix.rows, matrix.columns);
    ENSURE(matrix.leading >= matrix.rows, "leading dimension {} of columns of {}", matrix.leading,
           matrix.rows);
    const int64_t at = row + column * matrix.leading;
    return matrix.type == ElementType::bf16 ? double(static_cast<const bf16*>(matrix.data)[at])
                                            : double(static_cast<const float*>(matrix.data)[at]);
}

double bias_of(const ColumnMajorProduct& product, int64_t row) {
    if (product.bias == nullptr) return 0.0;
    return product.out.type == ElementType::bf16
               ? double(static_cast<const bf16*>(product.bias)[row])
               : double(static_cast<const float*>(product.bias)[row]);
}

// The request as documented for cublasLtMatmul, with alpha = 1 and the bias epilogue.
template <typename Out>
void interpret(const ColumnMajorProduct& product) {
    REQUIRE(product.out.type == element_type<Out>());
    REQUIRE(!product.out.transposed);
    auto* out = static_cast<Out*>(const_cast<void*>(product.out.data));
    for (int64_t column = 0; column < product.out.columns; ++column)
        for (int64_t row = 0; row < product.out.rows; ++row) {
            double sum = bias_of(product, row);
            if (product.beta != 0.0f) sum += product.beta * element(product.out, row, column);
            for (int64_t k = 0; k < product.depth; ++k)
                sum += element(product.left, row, k) * element(product.right, k, column);
            out[row + column * product.out.leading] = Out(static_cast<float>(sum));
        }
}

template <typename T, typename Out>
struct Data {
    std::vector<T> a, b, bias;
    std::vector<Out> out;
};

template <typename T, typename Out>
Data<T, Out> make_data(const Matmul<T, Out>& shape) {
    const Matmul<T, Out> s = with_strides(shape);
    return {normal<T>((s.transpose_a ? s.k : s.m) * s.lda, 0.0, 1.0, /*seed=*/1),
            normal<T>((s.transpose_b ? s.n : s.k) * s.ldb, 0.0, 1.0, /*seed=*/2),
            normal<T>(s.n, 0.0, 1.0, /*seed=*/3), normal<Out>(s.m * s.ldc, 0.0, 1.0, /*seed=*/4)};
}

template <typename T, typename Out>
void check(Matmul<T, Out> args, bool bias) {
    Data<T, Out> data = make_data(args);
    std::vector<Out> expected = data.out;
    args.a = data.a.data();
    args.b = data.b.data();
    args.bias = bias ? data.bias.data() : nullptr;
    args.out = expected.data();
    matmul_reference(args);
    args.out = data.out.data();
    const ColumnMajorProduct product = column_major(args);
    CHECK(product.expressible == (!bias || std::is_same_v<T, Out>));
    if (!product.expressible) return;
    interpret<Out>(product);
    // Both sum in double, in other orders, and round once: to 2^-23 of the largest, or to bf16.
    CHECK(max_relative_error(data.out, expected) <= kUlp<Out>);
}

}  // namespace

TEST_CASE_TEMPLATE("column_major: every form of a product keeps its meaning", Pair,
                   std::pair<float, float>, std::pair<bf16, bf16>, std::pair<bf16, float>) {
    using T = typename Pair::first_type;
    using Out = typename Pair::second_type;
    for (int form = 0; form < 32; ++form) {
        const bool transpose_a = form & 1, transpose_b = form & 2, accumulate = form & 4,
                   bias = form & 8, apart = form & 16;
        if (accumulate && bias) continue;
        CAPTURE(form);
        for (const auto& [m, n, k] : {std::array<int64_t, 3>{3, 5, 7}, {1, 4, 9}, {6, 1, 1}})
            check(Matmul<T, Out>{.m = m,
                                 .n = n,
                                 .k = k,
                                 .transpose_a = transpose_a,
                                 .transpose_b = transpose_b,
                                 .accumulate = accumulate,
                                 .lda = apart ? (transpose_a ? m : k) + 2 : 0,
                                 .ldb = apart ? (transpose_b ? k : n) + 3 : 0,
                                 .ldc = apart ? n + 1 : 0},
                  bias);
    }
}

TEST_CASE("column_major: what the choice of an algorithm depends on is part of the shape") {
    alignas(256) float memory[128] = {};
    const Matmul<float> args{.out = memory, .a = memory, .b = memory, .m = 4, .n = 4, .k = 4};
    const auto shape = [](const Matmul<float>& of) { return shape_of(column_major(of)); };
    const auto other = [&](auto change) {
        Matmul<float> changed = args;
        change(changed);
        return shape(changed) != shape(args);
    };
    CHECK(shape(args) == shape(Matmul<float>(args)));
    CHECK(!other([&](auto& x) { x.a = memory + 64; }));  // as well aligned
    CHECK(other([&](auto& x) { x.a = memory + 1; }));
    CHECK(other([&](auto& x) { x.b = memory + 2; }));
    CHECK(other([&](auto& x) { x.out = memory + 4; }));
    CHECK(other([&](auto& x) { x.bias = memory; }));
    CHECK(other([](auto& x) { x.accumulate = true; }));
    CHECK(other([](auto& x) { x.transpose_a = true; }));
    CHECK(other([](auto& x) { x.transpose_b = true; }));
    CHECK(other([](auto& x) { x.m = 5; }));
    CHECK(other([](auto& x) { x.n = 5; }));
    CHECK(other([](auto& x) { x.k = 5; }));
    CHECK(other([](auto& x) { x.lda = 5; }));
    CHECK(other([](auto& x) { x.ldb = 5; }));
    CHECK(other([](auto& x) { x.ldc = 5; }));
}

TEST_CASE("alignment_of: the largest power of two up to 256 that divides the address") {
    const auto at = [](uintptr_t address) {
        return alignment_of(reinterpret_cast<const void*>(address));
    };
    CHECK(at(0) == 256);
    CHECK(at(1) == 1);
    CHECK(at(4096) == 256);
    CHECK(at(4096 + 128) == 128);
    CHECK(at(4096 + 2) == 2);
    CHECK(at(48) == 16);
}
