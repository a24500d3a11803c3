#include "kernels/core/dtype.h"

#include <cmath>
#include <limits>

#include "tests/support/devices.h"
#include "tests/support/doctest.h"

namespace {

bf16 from_bits(uint32_t bits) {
    bf16 value;
    value.bits = static_cast<uint16_t>(bits);
    return value;
}

}  // namespace

TEST_CASE("bf16: every value survives the way through float; NaNs stay NaNs") {
    for (uint32_t bits = 0; bits < 65536; ++bits) {
        const float wide = static_cast<float>(from_bits(bits));
        if (std::isnan(wide)) {
            CHECK(std::isnan(static_cast<float>(bf16(wide))));
        } else {
            CHECK(bf16(wide).bits == bits);
        }
    }
}

TEST_CASE(
    "bf16: a float between two neighbours goes to the nearer one, in the middle to the even") {
    for (uint32_t bits = 0; bits < 0x7f80; bits += 7) {
        const double low = double(from_bits(bits));
        const double high = bits + 1 < 0x7f80 ? double(from_bits(bits + 1)) : 0x1p128;
        const double middle = (low + high) / 2;
        const uint32_t even = bits % 2 == 0 ? bits : bits + 1;
        const auto below = std::nextafter(static_cast<float>(middle), 0.0f);
        const auto above = std::nextafter(static_cast<float>(middle), INFINITY);
        CHECK(bf16(static_cast<float>(middle)).bits == even);
        CHECK(bf16(below).bits == bits);
        CHECK(bf16(above).bits == bits + 1);
        CHECK(bf16(-above).bits == ((bits + 1) | 0x8000u));
    }
}

TEST_CASE(
    "bf16: what is too large becomes infinite; a NaN whose payload would be cut stays a NaN") {
    CHECK(bf16(std::numeric_limits<float>::max()).bits == 0x7f80);
    CHECK(bf16(-std::numeric_limits<float>::infinity()).bits == 0xff80);
    CHECK(std::isnan(static_cast<float>(bf16(std::bit_cast<float>(0x7f800001u)))));
}
