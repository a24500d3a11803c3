// cvt between integers, f32, f64 and bf16.
//
// A float that does not fit an integer becomes the nearest one that does. A NaN becomes 0, but
// 100...0 in binary where the source is f64 or the result has 64 bits.
#include <algorithm>
#include <limits>

#include "kernels/core/dtype.h"
#include "kernels/simt/ptx/instruction.h"
#include "kernels/simt/ptx/rounding.h"

namespace simt::ptx {
namespace {

template <typename Body>
void for_integers(const Body& body) {
    for_types<uint8_t, uint16_t, uint32_t, uint64_t, int8_t, int16_t, int32_t, int64_t>(body);
}

template <Rounding mode>
struct Mode {
    static constexpr Rounding value = mode;
    static std::string name() {  // ".rn", and ".rni" to an integral value
        constexpr const char* kNames[] = {".rn", ".rz", ".rm", ".rp"};
        return kNames[static_cast<int>(mode)];
    }
};
template <typename Body>
void for_modes(const Body& body) {
    for_types<Mode<Rounding::nearest>, Mode<Rounding::zero>, Mode<Rounding::minus>,
              Mode<Rounding::plus>>(body);
}

template <typename To, typename From>
To clamped(From value) {
    using Limits = std::numeric_limits<To>;
    if (std::cmp_less(value, Limits::min())) return Limits::min();
    if (std::cmp_greater(value, Limits::max())) return Limits::max();
    return static_cast<To>(value);
}

void add_integers(Table& table) {
    for_integers([&]<typename To>() {
        for_integers([&]<typename From>() {
            const std::string types = type_name<To>() + type_name<From>();
            define(table, "cvt" + types, [](From value) { return static_cast<To>(value); });
            define(table, "cvt.sat" + types, [](From value) { return clamped<To>(value); });
        });
    });
}

void add_from_integers(Table& table) {
    for_integers([&]<typename From>() {
        const std::string from = type_name<From>();
        define(table, "cvt.rn.f64" + from, [](From value) { return static_cast<double>(value); });
        define(table, "cvt.rn.f32" + from, [](From value) { return static_cast<float>(value); });
    });
    // Directed, where a double holds the integer.
    for_types<uint8_t, uint16_t, uint32_t, int8_t, int16_t, int32_t>([&]<typename From>() {
        for_types<Mode<Rounding::zero>, Mode<Rounding::minus>, Mode<Rounding::plus>>(
            [&]<typename M>() {
                define(table, "cvt" + M::name() + ".f32" + type_name<From>(), [](From value) {
                    return rounded(static_cast<double>(value), 0.0, M::value);
                });
            });
    });
}

template <typename To, typename From>
To to_integer(From integral_value) {
    using Limits = std::numeric_limits<To>;
    if (integral_value != integral_value) {
        if (sizeof(From) < 8 && sizeof(To) < 8) return 0;
        return static_cast<To>(uint64_t{1} << (sizeof(To) * 8 - 1));
    }
    const auto value = static_cast<double>(integral_value);
    // The limits as doubles: the least is exact, one more than the largest is a power of two.
    const double end = std::ldexp(1.0, Limits::digits);
    if (value >= end) return Limits::max();
    if (value <= static_cast<double>(Limits::min())) return Limits::min();
    return static_cast<To>(value);
}

void add_to_integers(Table& table) {
    for_integers([&]<typename To>() {
        for_modes([&]<typename M>() {
            const std::string mode = "cvt" + M::name() + "i";
            for (const char* saturation : {"", ".sat"}) {  // always saturates
                const std::string rest = saturation + type_name<To>();
                define(table, mode + rest + ".f32",
                       [](float x) { return to_integer<To>(integral<M::value>(x)); });
                define(table, mode + ".ftz" + rest + ".f32",
                       [](float x) { return to_integer<To>(integral<M::value>(flushed(x))); });
                define(table, mode + rest + ".f64",
                       [](double x) { return to_integer<To>(integral<M::value>(x)); });
            }
        });
    });
}

void add_floats(Table& table) {
    define(table, "cvt.f64.f32", [](float x) { return double{x}; });
    define(table, "cvt.ftz.f64.f32", [](float x) { return double{flushed(x)}; });
    define(table, "cvt.f32.f32", [](float x) { return x; });
    define(table, "cvt.ftz.f32.f32", [](float x) { return flushed(x); });
    define(table, "cvt.sat.f32.f32", [](float x) { return saturated(x); });
    define(table, "cvt.ftz.sat.f32.f32", [](float x) { return saturated(flushed(x)); });
    define(table, "cvt.f64.f64", [](double x) { return x; });
    define(table, "cvt.sat.f64.f64", [](double x) { return saturated(x); });
    for_modes([&]<typename M>() {
        constexpr Rounding mode = M::value;
        const std::string cvt = "cvt" + M::name();
        define(table, cvt + ".f32.f64", [](double x) { return canonical(rounded(x, 0.0, mode)); });
        define(table, cvt + ".ftz.f32.f64",
               [](double x) { return canonical(flushed(rounded(x, 0.0, mode))); });
        define(table, cvt + "i.f32.f32", [](float x) { return canonical(integral<mode>(x)); });
        define(table, cvt + "i.ftz.f32.f32",
               [](float x) { return canonical(integral<mode>(flushed(x))); });
        define(table, cvt + "i.f64.f64", [](double x) { return integral<mode>(x); });
    });
}

uint16_t to_bf16(float value) { return value == value ? bf16(value).bits : uint16_t{0x7fff}; }

void add_bf16(Table& table) {
    define(table, "cvt.rn.bf16.f32", [](float x) { return to_bf16(x); });
    define(table, "cvt.rn.bf16x2.f32",
           [](float high, float low) { return uint32_t{to_bf16(high)} << 16 | to_bf16(low); });
    define(table, "cvt.f32.bf16",
           [](uint16_t x) { return std::bit_cast<float>(uint32_t{x} << 16); });
}

}  // namespace

void add_convert(Table& table) {
    add_integers(table);
    add_from_integers(table);
    add_to_integers(table);
    add_floats(table);
    add_bf16(table);
}

}  // namespace simt::ptx
