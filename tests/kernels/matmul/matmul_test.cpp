// Matrix product and bias gradient: every device against the reference in double.

#include "kernels/matmul/matmul.h"

#include "kernels/matmul/matmul_reference.h"
#include "tests/support/devices.h"
#include "tests/support/doctest.h"

namespace {

struct Shape {
    int64_t m, n, k;
};
constexpr Shape kShapes[] = {{1, 1, 1},    {31, 33, 1},   {33, 1, 31},    {1, 257, 33},
                             {31, 31, 31}, {257, 31, 33}, {33, 257, 257}, {2, 70, 45},
                             {3, 600, 9},  {4, 31, 64},   {7, 70, 45}};

// A float result differs from the double oracle by its sums of up to 257 terms; a bf16 one by the
// final rounding, half a unit, which a float error just before it can make a whole one.
template <typename Out>
constexpr double kTolerance = 1e-5;
template <>
constexpr double kTolerance<bf16> = kUlp<bf16>;

enum class Plus { nothing, bias, out };  // what is added to the product

template <typename T, typename Out>
struct Case {
    Shape shape;
    bool transpose_a = false, transpose_b = false;
    Plus plus = Plus::nothing;
    int64_t padding = 0;  // elements between the rows of every matrix; 0: strides are left out
};

constexpr auto run = [](const auto& args) { matmul(args, test_stream()); };
constexpr auto oracle = [](const auto& args) { matmul_reference(args); };

template <typename T, typename Out, typename Op>
std::vector<Out> product(const Case<T, Out>& c, Device device, const Op& op) {
    const auto [m, n, k] = c.shape;
    const int64_t lda = (c.transpose_a ? m : k) + c.padding;
    const int64_t ldb = (c.transpose_b ? k : n) + c.padding;
    const int64_t ldc = n + c.padding;
    Buffer<T> a(device, normal<T>((c.transpose_a ? k : m) * lda, 0.0, 1.0, /*seed=*/1));
    Buffer<T> b(device, normal<T>((c.transpose_b ? n : k) * ldb, 0.0, 1.0, /*seed=*/2));
    Buffer<T> bias(device, normal<T>(n, 0.0, 1.0, /*seed=*/3));
    Buffer<Out> out(device, normal<Out>(m * ldc, 0.0, 1.0, /*seed=*/4));
    Buffer<unsigned char> scratch(device, matmul_scratch_bytes<T>(device));
    op(Matmul<T, Out>{.out = out.data(),
                      .a = a.data(),
                      .b = b.data(),
                      .bias = c.plus == Plus::bias ? bias.data() : nullptr,
                      .scratch = scratch.data(),
                      .m = m,
                      .n = n,
                      .k = k,
                      .transpose_a = c.transpose_a,
                      .transpose_b = c.transpose_b,
                      .accumulate = c.plus == Plus::out,
                      .lda = c.padding ? lda : 0,
                      .ldb = c.padding ? ldb : 0,
                      .ldc = c.padding ? ldc : 0});
    return out.to_host();
}

template <typename T, typename Out>
void check(const Case<T, Out>& c) {
    CHECK(max_relative_error(product(c, tested_device(), run), product(c, Device::cpu, oracle)) <=
          kTolerance<Out>);
}

template <typename T>
struct BiasCase {
    int64_t m, n;
    int64_t stride = 0;
};

template <typename T, typename Op>
std::vector<float> bias_sum(const BiasCase<T>& c, Device device, const Op& op) {
    const int64_t stride = c.stride ? c.stride : c.n;
    Buffer<T> grad_out(device, normal<T>(c.m * stride, 0.2, 1.0, /*seed=*/1));
    Buffer<float> grad_bias(device, normal<float>(c.n, 0.0, 1.0, /*seed=*/2));
    Buffer<unsigned char> scratch(device, bias_gradient_scratch_bytes(c.n));
    op(BiasGradient<T>{.grad_bias = grad_bias.data(),
                       .scratch = scratch.data(),
                       .grad_out = grad_out.data(),
                       .m = c.m,
                       .n = c.n,
                       .stride = c.stride});
    return grad_bias.to_host();
}
constexpr auto run_bias = [](const auto& args) { bias_gradient(args, test_stream()); };
constexpr auto oracle_bias = [](const auto& args) { bias_gradient_reference(args); };

}  // namespace

TEST_CASE_TEMPLATE("matmul: agrees with the reference, operands transposed or not", Pair,
                   std::pair<float, float>, std::pair<bf16, bf16>, std::pair<bf16, float>) {
    using T = typename Pair::first_type;
    using Out = typename Pair::second_type;
    for (const Shape shape : kShapes) {
        CAPTURE(shape.m);
        CAPTURE(shape.n);
        CAPTURE(shape.k);
        for (const bool transpose_a : {false, true}) {
            for (const bool transpose_b : {false, true}) {
                CAPTURE(transpose_a);
                CAPTURE(transpose_b);
                for (const Plus plus : {Plus::nothing, Plus::bias, Plus::out})
                    if (shape.m * shape.n < 4000 || plus == Plus::bias || !every_access_is_judged())
                        check(Case<T, Out>{shape, transpose_a, transpose_b, plus});
            }
        }
    }
}

TEST_CASE_TEMPLATE("matmul: rows may lie apart, and what is between them stays", Pair,
                   std::pair<float, float>, std::pair<bf16, bf16>, std::pair<bf16, float>) {
    using T = typename Pair::first_type;
    using Out = typename Pair::second_type;
    for (const bool transpose_a : {false, true})
        for (const bool transpose_b : {false, true})
            for (const Plus plus : {Plus::nothing, Plus::out})
                check(Case<T, Out>{{31, 33, 17}, transpose_a, transpose_b, plus, /*padding=*/5});
}

// Whole tiles are read without asking where the operands end.
TEST_CASE("matmul: a tile that is one row, column or step short is none") {
    for (const Shape shape : {Shape{63, 63, 16}, {64, 64, 15}, {64, 64, 16}})
        for (const bool transpose_a : {false, true})
            for (const bool transpose_b : {false, true})
                check(Case<float, float>{shape, transpose_a, transpose_b});
}

// On the cpu bf16 is multiplied in tiles of up to 2048 rows, 4096 deep.
TEST_CASE_TEMPLATE("matmul: what is larger than a tile agrees with the reference", Out, float,
                   bf16) {
    for (const Shape shape : {Shape{2050, 17, 9}, {9, 600, 4100}, {9, 3, 8200}})
        for (const Plus plus : {Plus::nothing, Plus::bias, Plus::out})
            check(Case<bf16, Out>{shape, /*transpose_a=*/plus == Plus::out, true, plus});
}

// The kernels cut the output into tiles of 64 x 64, or of 128 x 128 from 256 of those on; up to four
// rows are cut along k as well.
TEST_CASE_TEMPLATE("matmul: an output of many tiles agrees with the reference", T, float, bf16) {
    for (const Shape shape : {Shape{130, 16401, 17}, {129, 191, 768}, {3, 300, 1030}})
        for (const bool transpose_a : {false, true})
            for (const Plus plus : {Plus::bias, Plus::out})
                check(Case<T, T>{shape, transpose_a, /*transpose_b=*/plus == Plus::bias, plus});
}

TEST_CASE("matmul: an output of many tiles, bf16 summed into float, agrees with the reference") {
    check(
        Case<bf16, float>{{130, 16401, 17}, /*transpose_a=*/true, /*transpose_b=*/true, Plus::out});
}

// bf16 products are exact in float; a bf16 accumulator would stop growing at 256.
TEST_CASE("matmul: bf16 operands are summed in float") {
    const int64_t k = 4096;
    const std::vector<bf16> ones(k, bf16(1.0f));
    Buffer<bf16> a(tested_device(), ones), b(tested_device(), ones);
    Buffer<float> out(tested_device(), 1);
    Buffer<unsigned char> scratch(tested_device(), matmul_scratch_bytes<bf16>(tested_device()));
    run(Matmul<bf16, float>{.out = out.data(),
                            .a = a.data(),
                            .b = b.data(),
                            .scratch = scratch.data(),
                            .m = 1,
                            .n = 1,
                            .k = k});
    CHECK(out.to_host()[0] == 4096.0f);
}

TEST_CASE("matmul: a call repeats bit for bit") {
    const Case<float, float> c{{33, 257, 257}, false, true, Plus::bias};
    CHECK(same_bits(product(c, tested_device(), run), product(c, tested_device(), run)));
    const Case<bf16, float> g{{257, 31, 33}, true, false, Plus::out};
    CHECK(same_bits(product(g, tested_device(), run), product(g, tested_device(), run)));
}

TEST_CASE("matmul: no rows is a no-op; wrong shapes and missing tensors are errors") {
    CHECK_NOTHROW(run(Matmul<float>{.n = 4, .k = 4}));
    CHECK_THROWS_WITH(run(Matmul<float>{.m = 1, .n = 0, .k = 4}),
                      "matmul: M, N, K are 1, 0, 4; expected M >= 0 and N, K > 0");
    CHECK_THROWS_AS(run(Matmul<float>{.m = -1, .n = 4, .k = 4}), Error);
    CHECK_THROWS_AS(run(Matmul<float>{.m = 1, .n = 4, .k = 0}), Error);
    CHECK_THROWS_WITH(run(Matmul<bf16>{.m = 1, .n = 4, .k = 4}), "matmul: out, a or b is null");
    const float bias = 0.0f;
    CHECK_THROWS_WITH(run(Matmul<float>{.bias = &bias, .m = 1, .n = 1, .k = 1, .accumulate = true}),
                      "matmul: a bias and accumulate exclude each other");
}

TEST_CASE_TEMPLATE("bias_gradient: adds to what is there, as the reference does", T, float, bf16) {
    for (const int64_t m : {1, 31, 33, 257}) {
        for (const int64_t n : {1, 31, 33, 1000}) {
            CAPTURE(m);
            CAPTURE(n);
            for (const int64_t stride : {int64_t{0}, n + 7}) {
                const BiasCase<T> c{m, n, stride};
                CHECK(max_relative_error(bias_sum(c, tested_device(), run_bias),
                                         bias_sum(c, Device::cpu, oracle_bias)) <=
                      kTolerance<float>);
            }
        }
    }
}

TEST_CASE("bias_gradient: columns far from zero keep their precision over many rows") {
    const int64_t m = 65536;  // 65536 * 1000 needs 26 bits; partial sums of 2048 rows need 21
    Buffer<float> grad_out(tested_device(), std::vector<float>(m, 1000.0f));
    Buffer<float> grad_bias(tested_device(), 1);
    Buffer<unsigned char> scratch(tested_device(), bias_gradient_scratch_bytes(1));
    run_bias(BiasGradient<float>{.grad_bias = grad_bias.data(),
                                 .scratch = scratch.data(),
                                 .grad_out = grad_out.data(),
                                 .m = m,
                                 .n = 1});
    CHECK(grad_bias.to_host()[0] == 65536.0f * 1000.0f);
}

TEST_CASE_TEMPLATE("bias_gradient: the number of threads changes no bit", T, float, bf16) {
    const BiasCase<T> c{301, 650};
    const auto with = [&](int threads) {
        return with_threads(threads, [&] { return bias_sum(c, tested_device(), run_bias); });
    };
    CHECK(same_bits(with(1), with(2)));
}

TEST_CASE("bias_gradient: no rows is a no-op; wrong shapes and missing tensors are errors") {
    CHECK_NOTHROW(run_bias(BiasGradient<float>{.n = 4}));
    CHECK_THROWS_WITH(run_bias(BiasGradient<float>{.m = 1}),
                      "bias_gradient: M, N are 1, 0; expected M >= 0 and N > 0");
    CHECK_THROWS_AS(run_bias(BiasGradient<float>{.m = 1, .n = 4}), Error);
    float grad = 0.0f;
    CHECK_THROWS_WITH(
        run_bias(BiasGradient<float>{.grad_bias = &grad, .grad_out = &grad, .m = 1, .n = 1}),
        "bias_gradient: scratch is null; expected 128 bytes");
}
