// Floating-point numbers as PTX rounds them. The processor's own mode stays round-to-nearest: a
// directed rounding is found from the exact result, which is held in two doubles.
#pragma once

#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>
#include <type_traits>

namespace simt::ptx {

enum class Rounding { nearest, zero, minus, plus };

inline float canonical(float value) {  // a chip's only NaN in f32
    return value == value ? value : std::bit_cast<float>(0x7fffffffu);
}
inline double canonical(double value) { return value; }

// Subnormal numbers to zeros of the same sign.
template <typename T>
T flushed(T value) {
    return std::abs(value) < std::numeric_limits<T>::min() ? std::copysign(T{0}, value) : value;
}
// To [0, 1]; a NaN to +0.
template <typename T>
T saturated(T value) {
    return value > T{0} ? (value < T{1} ? value : T{1}) : T{0};
}

// The number sum + rest, |rest| at most half a unit in the last place of sum, as a float.
inline float rounded(double sum, double rest, Rounding mode) {
    const auto nearest = static_cast<float>(sum);
    constexpr float kInfinity = std::numeric_limits<float>::infinity();
    if (mode == Rounding::nearest || !std::isfinite(sum)) return nearest;
    const bool too_large = nearest > sum || (nearest == sum && rest < 0);
    const bool too_small = nearest < sum || (nearest == sum && rest > 0);
    const bool down = mode == Rounding::minus || (mode == Rounding::zero && sum > 0);
    if (down && too_large) return std::nextafter(nearest, -kInfinity);
    if (!down && too_small) return std::nextafter(nearest, kInfinity);
    return nearest;
}

// a + b, both exact.
inline float rounded_sum(double a, double b, Rounding mode) {
    const double sum = a + b;
    if (sum == 0 && std::signbit(a) != std::signbit(b))
        return mode == Rounding::minus ? -0.0f : 0.0f;
    const double b_in_sum = sum - a;
    const double rest = (a - (sum - b_in_sum)) + (b - b_in_sum);
    return rounded(sum, rest, mode);
}

// The product of two floats is exact as a double.
template <Rounding mode>
float multiply_add(float a, float b, float c) {
    if constexpr (mode == Rounding::nearest) return std::fma(a, b, c);
    return rounded_sum(double{a} * double{b}, double{c}, mode);
}
template <Rounding mode>
float multiply(float a, float b) {
    if constexpr (mode == Rounding::nearest) return a * b;
    return rounded(double{a} * double{b}, 0.0, mode);
}
template <Rounding mode>
float add(float a, float b) {
    if constexpr (mode == Rounding::nearest) return a + b;
    return rounded_sum(double{a}, double{b}, mode);
}

// To an integral value.
template <Rounding mode, typename T>
T integral(T value) {
    if constexpr (mode == Rounding::nearest) return std::rint(value);  // ties to even
    if constexpr (mode == Rounding::zero) return std::trunc(value);
    if constexpr (mode == Rounding::minus) return std::floor(value);
    return std::ceil(value);
}

}  // namespace simt::ptx
