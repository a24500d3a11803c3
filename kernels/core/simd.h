// Functions for inner loops of the cpu device, free of branches and calls, so that the compiler
// vectorises a loop over them.
#pragma once

#include <bit>
#include <cstdint>
#include <limits>

// exp(x) to 2 ulp, without a branch or a call, so that a loop over it becomes vector code.
//
//   exp(x) = 2^n * exp(r),  n = round(x / ln 2),  |r| <= ln(2)/2
//
// exp(r) is 1 + r + r^2 q(r) with q of degree 4 fitted to the least greatest relative error on that
// interval (3e-9). Results below the smallest normal float are 0, above the largest infinity; NaN
// stays NaN.
inline float exp_fast(float x) {
    constexpr float kLowest = -87.336540f;  // exp is the smallest normal float: 2^-126
    constexpr float kHighest = 88.722831f;  // exp is finite
    constexpr float kRound = 12582912.0f;   // 1.5 * 2^23: adding it leaves n in the low bits
    constexpr float kLog2E = 1.44269504f;
    constexpr float kLn2High = 0.693359375f;  // 9 bits: n * kLn2High is exact
    constexpr float kLn2Low = -2.12194440e-4f;

    const float shifted = x * kLog2E + kRound;
    const float n = shifted - kRound;
    const float r = (x - n * kLn2High) - n * kLn2Low;
    float q = 0x1.6a23d0p-10f;
    q = q * r + 0x1.123a20p-7f;
    q = q * r + 0x1.5558f2p-5f;
    q = q * r + 0x1.555492p-3f;
    q = q * r + 0x1.fffffcp-2f;
    const float p = (r * r) * q + r + 1.0f;
    // n goes into the exponent: kRound's own bits leave the word at the top.
    const uint32_t exponent = std::bit_cast<uint32_t>(shifted) << 23;
    float result = std::bit_cast<float>(std::bit_cast<uint32_t>(p) + exponent);
    result = x < kLowest ? 0.0f : result;
    return x <= kHighest ? result : x + std::numeric_limits<float>::infinity();
}

// 1 / (1 + exp(-x)); 0 and 1 at the infinities.
inline float sigmoid_fast(float x) { return 1.0f / (1.0f + exp_fast(-x)); }
