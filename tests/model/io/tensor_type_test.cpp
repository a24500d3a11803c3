// Conversions between element types: every half and bfloat16 there is, and rounding to even.

#include "model/io/tensor_type.h"

#include <bit>
#include <cmath>
#include <limits>
#include <vector>

#include "kernels/core/check.h"
#include "kernels/core/dtype.h"
#include "kernels/quantize/half.h"
#include "tests/support/doctest.h"

namespace {

uint32_t bits_of(float value) { return std::bit_cast<uint32_t>(value); }

// The half nearest to `value`, ties to the even one, found by searching all finite halves.
uint16_t nearest_half(double value) {
    uint16_t best = 0;
    double best_error = std::numeric_limits<double>::infinity();
    for (uint32_t bits = 0; bits < 0x7c00; ++bits) {
        const double error = std::abs(float_from_half(uint16_t(bits)) - value);
        if (error < best_error || (error == best_error && bits % 2 == 0)) {
            best_error = error;
            best = uint16_t(bits);
        }
    }
    return best;
}

}  // namespace

TEST_CASE("half precision: each of the 65,536 bit patterns survives the way to float and back") {
    for (uint32_t bits = 0; bits < 0x10000; ++bits) {
        const float value = float_from_half(uint16_t(bits));
        if (std::isnan(value))
            CHECK(std::isnan(float_from_half(half_bits_from_float(value))));
        else
            REQUIRE(half_bits_from_float(value) == bits);
    }
    CHECK(float_from_half(0x3c00) == 1.0f);
    CHECK(float_from_half(0x0001) == 0x1p-24f);
    CHECK(float_from_half(0x7bff) == 65504.0f);
}

TEST_CASE("half precision: floats round to the nearest half, ties to even") {
    for (const float value : {0x1.002p0f, 0x1.006p0f, 0x1.0021p0f, 0x1.5p-25f, 0x1p-25f, 0x1.8p-24f,
                              3.14159f, 1e-5f, 6.1e-5f, 0x1.ffcp-15f, 0x1.ffep-15f, 12345.678f})
        CHECK(half_bits_from_float(value) == nearest_half(value));
    CHECK(half_bits_from_float(65519.0f) == 0x7bff);
    CHECK(half_bits_from_float(65520.0f) == 0x7c00);
    CHECK(half_bits_from_float(-65520.0f) == 0xfc00);
}

TEST_CASE(
    "half precision: between every two halves the middle is the border, and goes to the even") {
    for (uint32_t bits = 0; bits < 0x7c00; ++bits) {  // 0x7c00: 65536 by the same spacing
        const float below = float_from_half(uint16_t(bits));
        const float above = bits + 1 == 0x7c00 ? 65536.0f : float_from_half(uint16_t(bits + 1));
        const float middle = below + (above - below) / 2;  // exact: a half's 11 bits and one more
        const uint32_t even = bits % 2 == 0 ? bits : bits + 1;
        for (const uint32_t sign : {0u, 0x8000u}) {
            const float signed_middle = sign ? -middle : middle;
            const float inf = sign ? -INFINITY : INFINITY;
            REQUIRE(half_bits_from_float(signed_middle) == (sign | even));
            REQUIRE(half_bits_from_float(std::nextafter(signed_middle, inf)) ==
                    (sign | (bits + 1)));
            REQUIRE(half_bits_from_float(std::nextafter(signed_middle, 0.0f)) == (sign | bits));
        }
    }
    for (const float huge : {65536.0f, 1e30f, INFINITY}) {
        CHECK(half_bits_from_float(huge) == 0x7c00);
        CHECK(half_bits_from_float(-huge) == 0xfc00);
    }
    CHECK(half_bits_from_float(0x1p-149f) == 0);
    CHECK(half_bits_from_float(-0x1p-149f) == 0x8000);
}

TEST_CASE("bfloat16: each bit pattern survives the way to float and back") {
    for (uint32_t bits = 0; bits < 0x10000; ++bits) {
        const uint16_t stored = uint16_t(bits);
        float value = 0;
        read_elements(reinterpret_cast<const std::byte*>(&stored), TensorType::bf16,
                      std::span(&value, 1));
        if (std::isnan(value)) continue;
        uint16_t again = 0;
        write_elements(std::span<const float>(&value, 1), TensorType::bf16,
                       reinterpret_cast<std::byte*>(&again));
        REQUIRE(again == stored);
    }
}

TEST_CASE("bfloat16: floats round to nearest, ties to even") {
    CHECK(bf16(std::bit_cast<float>(0x3f808000u)).bits == 0x3f80);  // tie, even below
    CHECK(bf16(std::bit_cast<float>(0x3f818000u)).bits == 0x3f82);  // tie, even above
    CHECK(bf16(std::bit_cast<float>(0x3f808001u)).bits == 0x3f81);
}

TEST_CASE("bfloat16: between every two the middle is the border, and goes to the even") {
    for (uint32_t bits = 0; bits < 0x7f80; ++bits) {
        const uint32_t middle = bits << 16 | 0x8000, even = bits % 2 == 0 ? bits : bits + 1;
        for (const uint32_t sign : {0u, 0x8000u}) {
            const auto rounded = [&](uint32_t pattern) -> uint32_t {
                return bf16(std::bit_cast<float>(sign << 16 | pattern)).bits;
            };
            REQUIRE(rounded(middle) == (sign | even));
            REQUIRE(rounded(middle + 1) == (sign | (bits + 1)));
            REQUIRE(rounded(middle - 1) == (sign | bits));
        }
    }
}

TEST_CASE("elements: unaligned bytes are read as what they are") {
    std::vector<std::byte> bytes(17);
    const std::vector<float> values = {1.5f, -2.25f, 0x1.fffffep127f, 1e-40f};
    write_elements(std::span<const float>(values), TensorType::f32, bytes.data() + 1);
    std::vector<float> again(4);
    read_elements(bytes.data() + 1, TensorType::f32, std::span(again));
    for (size_t i = 0; i < 4; ++i) CHECK(bits_of(again[i]) == bits_of(values[i]));
}

TEST_CASE("elements: doubles keep their bits as F64 and round once to F32") {
    const std::vector<double> values = {1.0 / 3.0, -1e-300};
    std::vector<std::byte> bytes(16);
    write_elements(std::span<const double>(values), TensorType::f64, bytes.data());
    std::vector<double> again(2);
    read_elements(bytes.data(), TensorType::f64, std::span(again));
    CHECK(again == values);
    std::vector<float> narrow(2);
    read_elements(bytes.data(), TensorType::f64, std::span(narrow));
    CHECK(narrow == std::vector<float>{1.0f / 3.0f, -0.0f});
}

TEST_CASE("elements: integers are not weights") {
    float value = 0;
    const int64_t stored = 3;
    CHECK_THROWS_AS(read_elements(reinterpret_cast<const std::byte*>(&stored), TensorType::i64,
                                  std::span(&value, 1)),
                    Error);
}

TEST_CASE("type names: files, configs and flags each have their spelling") {
    CHECK(type_from_safetensors_name("BF16") == TensorType::bf16);
    CHECK_FALSE(type_from_safetensors_name("F8_E4M3").has_value());
    CHECK(std::string(torch_name(TensorType::f16)) == "float16");
    CHECK(type_from_flag("fp16", "--dtype") == TensorType::f16);
    CHECK_THROWS_WITH_AS(type_from_flag("int8", "--dtype"),
                         "--dtype: found \"int8\", expected fp32, bf16 or fp16", InputError);
}
