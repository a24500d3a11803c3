// Vectors of the cpu device, and functions for inner loops, free of branches and calls, so that the
// compiler vectorises a loop over them.
#pragma once

#include <bit>
#include <cstdint>
#include <cstring>

#include "kernels/core/dtype.h"

// Floats in a vector register.
#if defined(__AVX512F__)
constexpr int kVectorFloats = 16;
#else
constexpr int kVectorFloats = 8;
#endif

using Vector [[gnu::vector_size(kVectorFloats * sizeof(float))]] = float;

inline Vector load(const float* from) {
    Vector v;
    std::memcpy(&v, from, sizeof v);
    return v;
}
inline Vector load(const bf16* from) {
    using Half [[gnu::vector_size(kVectorFloats * sizeof(uint16_t))]] = uint16_t;
    using Word [[gnu::vector_size(kVectorFloats * sizeof(uint32_t))]] = uint32_t;
    Half bits;
    std::memcpy(&bits, from, sizeof bits);
    return std::bit_cast<Vector>(__builtin_convertvector(bits, Word) << 16);
}

template <int floats>
struct VectorOf {
    using type [[gnu::vector_size(floats * sizeof(float))]] = float;
};

// The sum of a vector's elements, pairwise: the upper half is added to the lower, and so on.
template <int floats = kVectorFloats>
float sum_of(typename VectorOf<floats>::type v) {
    if constexpr (floats == 2) {
        return v[0] + v[1];
    } else {
        typename VectorOf<floats / 2>::type half[2];
        std::memcpy(half, &v, sizeof v);
        return sum_of<floats / 2>(half[0] + half[1]);
    }
}

// exp(x) to 1.5 ulp for x in [-87, 88].
//
//   exp(x) = 2^n * exp(r),  n = round(x / ln 2),  |r| <= ln(2)/2
//
// exp(r) is 1 + r + r^2 q(r) with q of degree 4 fitted to the least greatest relative error on that
// interval (3e-9). The clamp leaves n in [-127, 128], whose ends the exponent bits spell as 0 and
// infinity: below -87.7 the result is 0, above 88.4 infinity. NaN passes both comparisons and
// stays.
inline float exp_fast(float x) {
    constexpr float kLowest = -88.0f;
    constexpr float kHighest = 88.5f;
    constexpr float kRound = 12582912.0f + 127.0f;  // 1.5 * 2^23: n + 127 ends in the low bits
    constexpr float kLog2E = 1.44269504f;
    constexpr float kLn2High = 0.693359375f;  // 9 bits: n * kLn2High is exact
    constexpr float kLn2Low = -2.12194440e-4f;

    x = x < kLowest ? kLowest : x;
    x = x > kHighest ? kHighest : x;
    const float shifted = x * kLog2E + kRound;
    const float n = shifted - kRound;
    const float r = (x - n * kLn2High) - n * kLn2Low;
    float q = 0x1.6a23d0p-10f;
    q = q * r + 0x1.123a20p-7f;
    q = q * r + 0x1.5558f2p-5f;
    q = q * r + 0x1.555492p-3f;
    q = q * r + 0x1.fffffcp-2f;
    const float p = (r * r) * q + r + 1.0f;
    return p * std::bit_cast<float>(std::bit_cast<uint32_t>(shifted) << 23);
}

// 1 / (1 + exp(-x)); 0 and 1 at the infinities.
inline float sigmoid_fast(float x) { return 1.0f / (1.0f + exp_fast(-x)); }

// to = T(value), through bf16's scalar member: g++ 12 does not vectorise the assignment of a struct
// under `omp simd`.
inline void store(float& to, float value) { to = value; }
inline void store(bf16& to, float value) { to.bits = bf16(value).bits; }
