// Philox against the known answers that its authors publish with Random123 (kat_vectors), and the
// uniform numbers made of it.

#include "kernels/core/philox.h"

#include "tests/support/doctest.h"

TEST_CASE("philox: gives the published answers") {
    using Words = std::array<uint32_t, 4>;
    CHECK(philox({0, 0}, {0, 0, 0, 0}) ==
          Words{0x6627e8d5u, 0xe169c58du, 0xbc57ac4cu, 0x9b00dbd8u});
    const uint32_t ones = 0xffffffffu;
    CHECK(philox({ones, ones}, {ones, ones, ones, ones}) ==
          Words{0x408f276du, 0x41c83b0eu, 0xa20bc7c6u, 0x6d5451fdu});
    CHECK(
        philox({0xa4093822u, 0x299f31d0u}, {0x243f6a88u, 0x85a308d3u, 0x13198a2eu, 0x03707344u}) ==
        Words{0xd16cfe09u, 0x94fdccebu, 0x5001e420u, 0x24126ea1u});
}

TEST_CASE("uniform: lies in [0, 1) and has 24 bits") {
    CHECK(uniform(0u) == 0.0f);
    CHECK(uniform(0xffu) == 0.0f);
    CHECK(uniform(0x100u) == 0x1p-24f);
    CHECK(uniform(0x80000000u) == 0.5f);
    CHECK(uniform(0xffffffffu) == 1.0f - 0x1p-24f);
}
