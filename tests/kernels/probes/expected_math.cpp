// What functions of floats may leave: the exact value rounded, or so many units in its last place
// from that as the CUDA C++ Programming Guide, "Mathematical Functions", says at most: "Standard
// Functions" in the table "Single-Precision Mathematical Standard Library Functions with Maximum
// ULP Error", "Intrinsic Functions" in "Single-Precision Floating-Point Intrinsic Functions".
// Quotients and roots as nvcc makes them by default, -prec-div=true and -prec-sqrt=true.

#include <algorithm>
#include <bit>
#include <functional>

#include "tests/kernels/probes/probe.h"

namespace {

constexpr const char* kStandard =
    "CUDA C++ Programming Guide, \"Mathematical Functions\", \"Standard Functions\"";
constexpr const char* kIntrinsic =
    "CUDA C++ Programming Guide, \"Mathematical Functions\", \"Intrinsic Functions\"";

constexpr double kSmallest = 0x1p-126;  // below it, results may be flushed to zero

uint32_t word_of(double value) { return std::bit_cast<uint32_t>(float(value)); }

double unit_in_last_place(double value) {
    const float size = std::max(std::abs(float(value)), 0x1p-126f);
    return double(std::nextafter(size, INFINITY)) - double(size);
}

// `ulps` from the exact value's rounding; any NaN if it is one.
Allowed within(double exact, double ulps) {
    if (std::isnan(exact)) return {word_of(exact), 1.0};
    if (!std::isfinite(float(exact)) || exact == 0.0) return {word_of(exact)};
    const double unit = unit_in_last_place(exact);
    if (std::abs(exact) < kSmallest && ulps > 0.0) return {word_of(exact), kSmallest + ulps * unit};
    return {word_of(exact), ulps * unit};
}

using Function = std::function<double(double)>;

Probe probe_of(const std::string& name, const std::vector<float>& arguments, const Function& exact,
               const Function& ulps, const std::string& source = kStandard) {
    Probe probe{.name = name, .source = source, .input = {}, .expected = {}};
    for (const float x : arguments) {
        probe.input.push_back(std::bit_cast<uint32_t>(x));
        probe.expected.push_back(within(exact(double(x)), ulps(double(x))));
    }
    return probe;
}

// 56 numbers from `first` on, `step` apart or each `step` times the one before; then `special`.
std::vector<float> numbers(float first, float step, bool is_factor, std::vector<float> special) {
    std::vector<float> out;
    float x = first;
    for (int i = 0; i < 56; ++i, x = is_factor ? x * step : x + step) out.push_back(x);
    special.resize(8, 1.0f);
    out.insert(out.end(), special.begin(), special.end());
    return out;
}

// In [0.5, 2] its error is bounded as it is, whatever the logarithm's size.
Probe fast_logarithm(const std::vector<float>& arguments) {
    Probe probe = probe_of(
        "fast_logf", arguments, [](double x) { return std::log(x); }, [](double) { return 3.0; },
        kIntrinsic);
    for (size_t i = 0; i < arguments.size(); ++i)
        if (arguments[i] >= 0.5f && arguments[i] <= 2.0f)
            probe.expected[i].error = std::exp2(-21.41);
    return probe;
}

std::vector<Probe> functions() {
    const float inf = INFINITY, nan = NAN;
    const auto exponents =
        numbers(-86.13f, 3.11f, false, {0, -0.0f, inf, -inf, nan, 89, 1e-5f, -1});
    const auto powers = numbers(-125.3f, 4.5f, false, {0, -0.0f, inf, -inf, nan, 129, 1e-5f, -1});
    const auto positive =
        numbers(1.3e-38f, 22.9f, true, {0, inf, nan, -1, 1, 0.999f, 1.001f, 0x1p-130f});
    const auto near_one = numbers(0.502f, 0.0267f, false, {0, inf, nan, -1, 1, 2, 1e-30f, 1e30f});
    const auto bound = [](double ulps) { return [=](double) { return ulps; }; };
    const Function exp = [](double x) { return std::exp(x); };
    const Function log = [](double x) { return std::log(x); };
    return {
        probe_of("expf", exponents, exp, bound(2)),
        probe_of(
            "fast_expf", exponents, exp,
            [](double x) { return 2 + std::floor(std::abs(1.173 * x)); }, kIntrinsic),
        probe_of(
            "exp2f", powers, [](double x) { return std::exp2(x); }, bound(2)),
        probe_of(
            "expm1f", exponents, [](double x) { return std::expm1(x); }, bound(1)),
        probe_of("logf", positive, log, bound(1)),
        fast_logarithm(near_one),
        probe_of(
            "rsqrtf", positive, [](double x) { return 1 / std::sqrt(x); }, bound(2)),
        probe_of(
            "sqrtf", positive, [](double x) { return std::sqrt(x); }, bound(0)),
        probe_of(
            "reciprocal", positive, [](double x) { return 1 / x; }, bound(0)),
    };
}

// Quotients as IEEE 754 has them; the fast ones for |b| from 2^-126 to 2^126.
Probe division() {
    Probe probe{.name = "division", .source = kIntrinsic, .input = {}, .expected = {}};
    for (int i = 0; i < 32; ++i) {
        const auto a = float(std::pow(-1.37, i) * 1e-4), b = float(std::pow(7.1, i - 16));
        probe.input.insert(probe.input.end(), {word_of(a), word_of(b)});
        probe.expected.push_back(within(double(a) / double(b), 0));
        probe.expected.push_back(within(double(a) / double(b), 2));
    }
    return probe;
}

// x * y, x + z, x * y + z rounded once, the larger, x * y + z rounded once or twice.
Probe arithmetic() {
    Probe probe{.name = "arithmetic", .source = "IEEE 754", .input = {}, .expected = {}};
    const float inf = INFINITY, nan = NAN;
    const float cases[32][3] = {{1.1f, 1.3f, -1.43f},
                                {3.3f, -0.7f, 2.31f},
                                {0x1p-130f, 0.5f, 0x1p-131f},
                                {0x1p-126f, 0.5f, -0x1p-127f},
                                {0x1p-149f, 0.5f, 0},
                                {0x1p-149f, 0.75f, 0x1p-149f},
                                {0x1p-75f, 0x1p-75f, 0},
                                {0x1.8p-75f, 0x1p-74f, 0},
                                {0x1p127f, 2, 0x1p127f},
                                {0x1p127f, 1, -0x1p127f},
                                {inf, 0, 1},
                                {inf, 1, -inf},
                                {inf, -1, inf},
                                {nan, 1, 1},
                                {1, nan, 1},
                                {nan, nan, nan},
                                {1, 1, nan},
                                {0, -0.0f, -0.0f},
                                {-0.0f, 0, 0},
                                {-0.0f, 1, -0.0f},
                                {1, 1, -1},
                                {0x1.000002p0f, 0x1.000002p0f, -1},
                                {0x1.fffffep0f, 0x1.fffffep0f, -4},
                                {1e30f, 1e-30f, -1},
                                {1e-20f, 1e-20f, 1e-40f},
                                {16777217.0f, 1, 1},
                                {16777216.0f, 1, 1},
                                {-16777216.0f, 1, 0.75f},
                                {1, 0x1p-24f, 0x1p-24f},
                                {1, 0x1p-24f, 1},
                                {0.1f, 10, -1},
                                {1.0f / 3, 3, -1}};
    for (const auto& [x, y, z] : cases) {
        probe.input.insert(probe.input.end(), {word_of(x), word_of(y), word_of(z)});
        const double product = double(x) * double(y);  // exact: 48 bits
        const float rounded = float(product);
        const float once = std::fma(x, y, z), twice = float(double(rounded) + double(z));
        const float larger = std::isnan(x) ? y : std::isnan(y) ? x : std::max(x, y);
        probe.expected.push_back(within(product, 0));
        probe.expected.push_back(within(double(x) + double(z), 0));
        probe.expected.push_back(within(double(once), 0));
        probe.expected.push_back(larger == 0 ? Allowed{0, kSmallest / 2}
                                             : within(double(larger), 0));
        // Contracted or not, and a sum of zeros of either sign.
        const bool is_one = std::bit_cast<uint32_t>(once) == std::bit_cast<uint32_t>(twice);
        const double apart = std::abs(double(once) - double(twice));
        probe.expected.push_back(is_one ? within(double(once), 0)
                                        : Allowed{word_of(double(once)), std::max(apart, 1e-300)});
    }
    return probe;
}

}  // namespace

std::vector<Probe> expected_of_math() {
    auto probes = functions();
    probes.push_back(division());
    probes.push_back(arithmetic());
    return probes;
}
