// Arithmetic and comparisons of f32 and f64.
//
// A NaN that f32 arithmetic makes is 0x7fffffff. `.approx` results are correctly rounded floats (of
// exp2, log2, sine, cosine and tanh in double), where a chip's may be off by what the ISA allows;
// the values that the ISA fixes (zeros, infinities, flushed subnormals) are as it says.
#include <array>
#include <cmath>
#include <limits>

#include "kernels/simt/ptx/instruction.h"
#include "kernels/simt/ptx/rounding.h"

namespace simt::ptx {
namespace {

// What modifiers add to an f32 instruction: operands before it, the result behind it.
template <bool ftz, bool saturate = false>
struct Modified {
    static float in(float value) { return ftz ? flushed(value) : value; }
    static float out(float value) {
        const float result = ftz ? flushed(value) : value;
        return saturate ? saturated(result) : canonical(result);
    }
    static std::string name() { return std::string(ftz ? ".ftz" : "") + (saturate ? ".sat" : ""); }
};

template <typename Body>
void for_flushing(const Body& body) {
    for_types<Modified<false>, Modified<true>>(body);
}

template <Rounding mode, typename M>
void add_rounded(Table& table, const std::string& rounding) {
    const std::string rest = rounding + M::name() + ".f32";
    define(table, "add" + rest,
           [](float a, float b) { return M::out(add<mode>(M::in(a), M::in(b))); });
    define(table, "sub" + rest,
           [](float a, float b) { return M::out(add<mode>(M::in(a), -M::in(b))); });
    define(table, "mul" + rest,
           [](float a, float b) { return M::out(multiply<mode>(M::in(a), M::in(b))); });
    const auto fused = [](float a, float b, float c) {
        return M::out(multiply_add<mode>(M::in(a), M::in(b), M::in(c)));
    };
    if (rounding.empty()) return;  // fma and mad always name it
    define(table, "fma" + rest, fused);
    define(table, "mad" + rest, fused);
}

void add_arithmetic(Table& table) {
    for_types<Modified<false>, Modified<true>, Modified<false, true>, Modified<true, true>>(
        [&]<typename M>() {
            add_rounded<Rounding::nearest, M>(table, "");
            add_rounded<Rounding::nearest, M>(table, ".rn");
            add_rounded<Rounding::zero, M>(table, ".rz");
            add_rounded<Rounding::minus, M>(table, ".rm");
            add_rounded<Rounding::plus, M>(table, ".rp");
        });
    for (const char* rounding : {"", ".rn"}) {
        const std::string rest = std::string(rounding) + ".f64";
        define(table, "add" + rest, [](double a, double b) { return a + b; });
        define(table, "sub" + rest, [](double a, double b) { return a - b; });
        define(table, "mul" + rest, [](double a, double b) { return a * b; });
    }
    for (const char* name : {"fma.rn.f64", "mad.rn.f64"})
        define(table, name, [](double a, double b, double c) { return std::fma(a, b, c); });
}

// a * (1 / b): a divisor beyond 2^126 has a reciprocal that is flushed.
float approximate_quotient(float a, float b) {
    const float size = std::abs(b);
    if (size <= 0x1p126f || std::isinf(b) || b != b) return a / b;
    if (std::isinf(a)) return std::numeric_limits<float>::quiet_NaN();
    return a == a ? std::copysign(0.0f, std::signbit(a) == std::signbit(b) ? 1.0f : -1.0f) : a;
}

void add_division(Table& table) {
    for_flushing([&]<typename M>() {
        const std::string rest = M::name() + ".f32";
        const auto quotient = [](float a, float b) { return M::out(M::in(a) / M::in(b)); };
        define(table, "div.rn" + rest, quotient);
        define(table, "div.full" + rest, quotient);
        define(table, "div.approx" + rest,
               [](float a, float b) { return M::out(approximate_quotient(M::in(a), M::in(b))); });
        for (const char* kind : {".rn", ".approx"}) {
            define(table, "rcp" + (kind + rest), [](float a) { return M::out(1.0f / M::in(a)); });
            define(table, "sqrt" + (kind + rest),
                   [](float a) { return M::out(std::sqrt(M::in(a))); });
        }
        define(table, "rsqrt.approx" + rest, [](float a) {
            return M::out(static_cast<float>(1.0 / std::sqrt(double{M::in(a)})));
        });
    });
    define(table, "div.rn.f64", [](double a, double b) { return a / b; });
    define(table, "rcp.rn.f64", [](double a) { return 1.0 / a; });
    define(table, "sqrt.rn.f64", [](double a) { return std::sqrt(a); });
}

void add_functions(Table& table) {
    for_flushing([&]<typename M>() {
        const std::string rest = ".approx" + M::name() + ".f32";
        const auto of_double = [&](const char* name, auto f) {
            using F = decltype(f);
            define(table, name + rest,
                   [](float a) { return M::out(static_cast<float>(F{}(double{M::in(a)}))); });
        };
        of_double("ex2", [](double a) { return std::exp2(a); });
        of_double("lg2", [](double a) { return std::log2(a); });
        of_double("sin", [](double a) { return std::sin(a); });
        of_double("cos", [](double a) { return std::cos(a); });
    });
    define(table, "tanh.approx.f32",
           [](float a) { return canonical(static_cast<float>(std::tanh(double{a}))); });
}

// Of two zeros the negative one is smaller; of a number and a NaN the number is taken.
template <typename T>
T smaller(T a, T b) {
    if (a != a) return canonical(b);
    return b != b || a < b || (a == b && std::signbit(a)) ? a : b;
}
template <typename T>
T larger(T a, T b) {
    if (a != a) return canonical(b);
    return b != b || a > b || (a == b && !std::signbit(a)) ? a : b;
}

void add_selection(Table& table) {
    for_flushing([&]<typename M>() {
        const std::string rest = M::name() + ".f32", nan = M::name() + ".NaN.f32";
        define(table, "min" + rest, [](float a, float b) { return smaller(M::in(a), M::in(b)); });
        define(table, "max" + rest, [](float a, float b) { return larger(M::in(a), M::in(b)); });
        define(table, "min" + nan, [](float a, float b) {
            return a != a || b != b ? canonical(a + b) : smaller(M::in(a), M::in(b));
        });
        define(table, "max" + nan, [](float a, float b) {
            return a != a || b != b ? canonical(a + b) : larger(M::in(a), M::in(b));
        });
        define(table, "abs" + rest, [](float a) { return std::abs(M::in(a)); });
        define(table, "neg" + rest, [](float a) { return -M::in(a); });
    });
    define(table, "min.f64", [](double a, double b) { return smaller(a, b); });
    define(table, "max.f64", [](double a, double b) { return larger(a, b); });
    define(table, "abs.f64", [](double a) { return std::abs(a); });
    define(table, "neg.f64", [](double a) { return -a; });
    for_types<float, double>([&]<typename T>() {
        const std::string t = type_name<T>();
        define(table, "copysign" + t, [](T sign, T size) { return std::copysign(size, sign); });
        define(table, "testp.finite" + t, [](T a) { return bool(std::isfinite(a)); });
        define(table, "testp.infinite" + t, [](T a) { return bool(std::isinf(a)); });
        define(table, "testp.number" + t, [](T a) { return a == a; });
        define(table, "testp.notanumber" + t, [](T a) { return a != a; });
        define(table, "testp.normal" + t, [](T a) { return bool(std::isnormal(a)); });
        define(table, "testp.subnormal" + t,
               [](T a) { return a != 0 && std::abs(a) < std::numeric_limits<T>::min(); });
    });
}

// f(a, b), and NaN's answer: no for eq, lt, ...; yes for their forms with a u.
template <typename T, bool ftz, typename F>
void add_comparison(Table& table, const std::string& name, F) {
    const std::string rest = (ftz ? ".ftz" : "") + type_name<T>();
    using Compare = F;
    const auto in = [](T value) { return ftz ? flushed(value) : value; };
    using In = decltype(in);
    define(table, "setp." + name + rest,
           [](T a, T b) { return a == a && b == b && Compare{}(In{}(a), In{}(b)); });
    define(table, "setp." + name + "u" + rest,
           [](T a, T b) { return a != a || b != b || Compare{}(In{}(a), In{}(b)); });
}

template <typename T, bool ftz>
void add_comparisons(Table& table) {
    add_comparison<T, ftz>(table, "eq", [](T a, T b) { return a == b; });
    add_comparison<T, ftz>(table, "ne", [](T a, T b) { return a != b; });
    add_comparison<T, ftz>(table, "lt", [](T a, T b) { return a < b; });
    add_comparison<T, ftz>(table, "le", [](T a, T b) { return a <= b; });
    add_comparison<T, ftz>(table, "gt", [](T a, T b) { return a > b; });
    add_comparison<T, ftz>(table, "ge", [](T a, T b) { return a >= b; });
    const std::string rest = (ftz ? ".ftz" : "") + type_name<T>();
    define(table, "setp.num" + rest, [](T a, T b) { return a == a && b == b; });
    define(table, "setp.nan" + rest, [](T a, T b) { return a != a || b != b; });
}

}  // namespace

void add_float(Table& table) {
    add_arithmetic(table);
    add_division(table);
    add_functions(table);
    add_selection(table);
    add_comparisons<float, false>(table);
    add_comparisons<float, true>(table);
    add_comparisons<double, false>(table);
}

}  // namespace simt::ptx
