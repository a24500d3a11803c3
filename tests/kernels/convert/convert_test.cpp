// Conversion: every device against one element at a time.

#include "kernels/convert/convert.h"

#include "kernels/convert/convert_reference.h"
#include "tests/support/devices.h"
#include "tests/support/doctest.h"

namespace {

template <typename To, typename From>
std::vector<To> run(const std::vector<From>& values) {
    const auto count = static_cast<int64_t>(values.size());
    Buffer<From> input(tested_device(), values);
    Buffer<To> out(tested_device(), count);
    convert(Convert<To, From>{.out = out.data(), .input = input.data(), .count = count},
            test_stream());
    return out.to_host();
}

template <typename To, typename From>
std::vector<To> oracle(const std::vector<From>& values) {
    std::vector<To> out(values.size());
    convert_reference(Convert<To, From>{
        .out = out.data(), .input = values.data(), .count = static_cast<int64_t>(values.size())});
    return out;
}

}  // namespace

TEST_CASE("convert: gives the bits of one element at a time, for any count") {
    for (const int64_t count : {1, 31, 32, 33, 257, 70'001}) {
        CAPTURE(count);
        const auto doubles = normal<double>(count, 0.0, 1e3, /*seed=*/1);
        const auto floats = normal<float>(count, 0.0, 1e3, /*seed=*/1);
        const auto halves = normal<bf16>(count, 0.0, 1e3, /*seed=*/1);
        CHECK(same_bits(run<bf16>(floats), oracle<bf16>(floats)));
        CHECK(same_bits(run<float>(halves), oracle<float>(halves)));
        CHECK(same_bits(run<double>(floats), oracle<double>(floats)));
        CHECK(same_bits(run<float>(doubles), oracle<float>(doubles)));
    }
}

TEST_CASE("convert: operands may begin anywhere in a buffer") {
    const auto values = normal<float>(300, 0.0, 1e3, /*seed=*/3);
    Buffer<float> input(tested_device(), values), back(tested_device(), std::vector(304, 7.0f));
    Buffer<bf16> out(tested_device(), std::vector(305, bf16(7.0f)));
    convert(Convert<bf16, float>{.out = out.data() + 3, .input = input.data() + 1, .count = 299},
            test_stream());
    convert(Convert<float, bf16>{.out = back.data() + 2, .input = out.data() + 3, .count = 299},
            test_stream());
    std::vector<float> expected(304, 7.0f);
    std::vector<bf16> expected_out(305, bf16(7.0f));
    for (int i = 0; i < 299; ++i) {
        expected_out[i + 3] = bf16(values[i + 1]);
        expected[i + 2] = float(expected_out[i + 3]);
    }
    CHECK(same_bits(out.to_host(), expected_out));
    CHECK(same_bits(back.to_host(), expected));
}

TEST_CASE("convert: rounds to bf16 to nearest, ties to even; NaN stays NaN") {
    const float infinity = std::numeric_limits<float>::infinity();
    const std::vector<float> values{0x1.00p0f,   0x1.01p0f, 0x1.03p0f, 0x1.010002p0f, -0x1.03p0f,
                                    0x1.ffp127f, infinity,  0x1p-149f, -0.0f,         1e-40f};
    const std::vector<uint16_t> expected{0x3f80, 0x3f80, 0x3f82, 0x3f81, 0xbf82,
                                         0x7f80, 0x7f80, 0x0000, 0x8000, 0x0001};
    const auto out = run<bf16>(values);
    for (size_t i = 0; i < values.size(); ++i) {
        CAPTURE(values[i]);
        CHECK(out[i].bits == expected[i]);
    }
    // The mantissa of this NaN lies in the half that is dropped.
    const std::vector<float> nan(40, std::bit_cast<float>(0x7f800001u));
    for (const bf16 value : run<bf16>(nan)) CHECK(std::isnan(float(value)));
}

TEST_CASE("convert: the number of threads changes no bit") {
    const auto values = normal<float>(100'001, 0.0, 1.0, /*seed=*/2);
    const auto with = [&](int threads) {
        return with_threads(threads, [&] { return run<bf16>(values); });
    };
    CHECK(same_bits(with(1), with(2)));
}

TEST_CASE("convert: nothing is a no-op; wrong counts and missing tensors are errors") {
    CHECK_NOTHROW(convert(Convert<bf16, float>{}, test_stream()));
    CHECK_THROWS_WITH(convert(Convert<bf16, float>{.count = -1}, test_stream()),
                      "convert: count is -1, expected at least 0");
    CHECK_THROWS_WITH(convert(Convert<bf16, float>{.count = 2}, test_stream()),
                      "convert: out is null, expected [2]");
}
