// Element types: bf16 as plain bits that every device converts alike, and the type sums are kept
// in.
#pragma once

#include <bit>
#include <cstdint>
#include <type_traits>

#if defined(__CUDACC__)
#define FETTLE_HOST_DEVICE __host__ __device__
#else
#define FETTLE_HOST_DEVICE
#endif

// bfloat16: the upper half of a float. Rounds to nearest even; a NaN stays a (quiet) NaN.
struct bf16 {
    uint16_t bits = 0;

    bf16() = default;
    FETTLE_HOST_DEVICE explicit bf16(float value) {
        const auto wide = std::bit_cast<uint32_t>(value);
        const bool is_nan = (wide & 0x7fffffffu) > 0x7f800000u;
        const uint32_t rounded = wide + 0x7fffu + ((wide >> 16) & 1u);
        bits = static_cast<uint16_t>((is_nan ? (wide | 0x00400000u) : rounded) >> 16);
    }
    FETTLE_HOST_DEVICE explicit operator float() const {
        return std::bit_cast<float>(static_cast<uint32_t>(bits) << 16);
    }
    FETTLE_HOST_DEVICE explicit operator double() const { return static_cast<float>(*this); }
};
static_assert(sizeof(bf16) == 2);

// The type in which statistics, sums and gradients of T-typed tensors are kept: float, and double
// for the double instantiation that finite differences use.
template <typename T>
using Accumulator = std::conditional_t<std::is_same_v<T, double>, double, float>;
