// Quantised products: every form against the reference, which multiplies what dequantize() writes.

#include "kernels/quantize/quantized_matmul.h"

#include "kernels/core/check.h"
#include "kernels/quantize/quantized_matmul_reference.h"
#include "tests/support/devices.h"
#include "tests/support/doctest.h"
#include "tests/support/random_blocks.h"

namespace {

// Of sums of up to 768 products in fp32.
constexpr double kTolerance = 1e-5;

struct Case {
    BlockType type;
    int64_t m, n, k;
    bool bias = false;
    int64_t padding = 0;  // of out's rows

    std::vector<std::byte> blocks = random_blocks(type, n* k, /*seed=*/1);
    std::vector<float> a = normal<float>(m * k, 0.0, 1.0, /*seed=*/2);
    std::vector<float> biases = normal<float>(n, 0.0, 1.0, /*seed=*/3);

    template <typename Op>
    std::vector<float> run(const Op& op, const std::byte* from = nullptr) const {
        std::vector<float> out(static_cast<size_t>(m * (n + padding)), 7.0f);
        std::vector<unsigned char> scratch(static_cast<size_t>(quantized_matmul_scratch_bytes()));
        op(QuantizedMatmul{.out = out.data(),
                           .a = a.data(),
                           .b = {type, from ? from : blocks.data()},
                           .bias = bias ? biases.data() : nullptr,
                           .scratch = scratch.data(),
                           .m = m,
                           .n = n,
                           .k = k,
                           .ldc = padding ? n + padding : 0});
        return out;
    }
};

constexpr auto product = [](const QuantizedMatmul& args) { quantized_matmul(args, test_stream()); };
constexpr auto oracle = [](const QuantizedMatmul& args) { quantized_matmul_reference(args); };

}  // namespace

TEST_CASE("quantized_matmul: every type, few rows and many, agrees with the reference") {
    for (const BlockType type : kQuantizedTypes)
        for (const int64_t m : {1, 2, 3, 4, 5, 8, 9, 33})
            for (const int64_t blocks : {1, 3})
                for (const int64_t n : {1, 37}) {
                    const Case c{type, m, n, blocks * values_per_block(type)};
                    CAPTURE(name_of(type));
                    CAPTURE(m);
                    CAPTURE(n);
                    CHECK(max_relative_error(c.run(product), c.run(oracle)) < kTolerance);
                }
}

TEST_CASE("quantized_matmul: bias, and rows of out that lie apart and stay as they were between") {
    for (const int64_t m : {2, 20}) {
        const Case c{BlockType::q4_1, m, 19, 96, /*bias=*/true, /*padding=*/5};
        CHECK(max_relative_error(c.run(product), c.run(oracle)) < kTolerance);
    }
}

TEST_CASE("quantized_matmul: several tiles of weights") {
    const Case c{BlockType::q8_0, 9, 1100, 1024};
    CHECK(max_relative_error(c.run(product), c.run(oracle)) < kTolerance);
}

TEST_CASE("quantized_matmul: blocks may lie at any address") {
    for (const BlockType type : kQuantizedTypes) {
        const Case c{type, 2, 5, 256};
        std::vector<std::byte> moved(c.blocks.size() + 1);
        std::copy(c.blocks.begin(), c.blocks.end(), moved.begin() + 1);
        CHECK(c.run(product, moved.data() + 1) == c.run(product));
    }
}

TEST_CASE("quantized_matmul: the number of threads changes no bit of a few rows' products") {
    const Case c{BlockType::q4_1, 3, 600, 576};
    CHECK(same_bits(with_threads(1, [&] { return c.run(product); }),
                    with_threads(3, [&] { return c.run(product); })));
}

TEST_CASE("quantized_rows: the rows asked for, as dequantize() writes them") {
    const int64_t channels = 256;
    for (const BlockType type : kQuantizedTypes) {
        const std::vector<std::byte> blocks = random_blocks(type, 6 * channels, /*seed=*/4);
        const QuantizedWeight table{type, blocks.data()};
        const int32_t rows[] = {5, 0, 5};
        std::vector<float> out(3 * channels), expected;
        quantized_rows(
            {.out = out.data(), .rows = rows, .table = table, .count = 3, .channels = channels},
            test_stream());
        for (const int32_t row : rows) {
            const std::vector<float> one = dequantized_row(table, row, channels);
            expected.insert(expected.end(), one.begin(), one.end());
        }
        CHECK(out == expected);
    }
}

TEST_CASE(
    "quantized_matmul: sizes that do not fit and null pointers are errors; no rows are fine") {
    float out[8], a[64];
    std::byte blocks[64];
    QuantizedMatmul args{
        .out = out, .a = a, .b = {BlockType::q4_0, blocks}, .scratch = a, .m = 1, .n = 1, .k = 32};
    const auto refused = [](QuantizedMatmul changed) {
        CHECK_THROWS_AS(quantized_matmul(changed, test_stream()), Error);
    };
    args.k = 33;
    refused(args);
    args.k = 32;
    args.n = 0;
    refused(args);
    args.n = 1;
    args.b.type = BlockType::f16;
    refused(args);
    args.b.type = BlockType::q4_0;
    args.scratch = nullptr;
    refused(args);
    args.m = 0;
    CHECK_NOTHROW(quantized_matmul(args, test_stream()));
}
