// IEEE half precision, as model files store scales and weights.
#pragma once

#include <bit>
#include <cstdint>

#if defined(__F16C__)
#include <immintrin.h>
#endif

// Exact. A signalling NaN becomes a quiet one.
inline float float_from_half(uint16_t half) {
#if defined(__F16C__)
    return _cvtsh_ss(half);
#else
    const uint32_t sign = static_cast<uint32_t>(half & 0x8000u) << 16, magnitude = half & 0x7fffu;
    uint32_t bits = (magnitude << 13) + 0x38000000u;
    if (magnitude > 0x7c00u) bits = (magnitude << 13) | 0x7fc00000u;  // NaN
    if (magnitude == 0x7c00u) bits = 0x7f800000u;                     // infinity
    if (magnitude < 0x0400u)                                          // a multiple of 2^-24
        bits = std::bit_cast<uint32_t>(static_cast<float>(magnitude) * 0x1p-24f);
    return std::bit_cast<float>(sign | bits);
#endif
}
