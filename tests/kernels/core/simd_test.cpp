// The vectorisable functions against the standard library's in double.

#include "kernels/core/simd.h"

#include <cmath>
#include <limits>
#include <vector>

#include "tests/support/doctest.h"

namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();

double ulps(float actual, double expected) {
    const auto nearest = static_cast<float>(expected);
    const double ulp = double{std::nextafter(nearest, kInfinity)} - double{nearest};
    return std::abs(double{actual} - expected) / ulp;
}

}  // namespace

TEST_CASE("exp_fast: within 1.5 units in the last place from -87 to 88") {
    // The polynomial errs by 3e-9, the reduction and the last two roundings by half a unit each.
    double worst = 0.0;
    for (int64_t i = 0; i <= 4'000'000; ++i) {
        const auto x = static_cast<float>(-87.0 + 175.0 * static_cast<double>(i) / 4e6);
        worst = std::max(worst, ulps(exp_fast(x), std::exp(double{x})));
    }
    for (float x = 1.0f; x > 1e-30f; x *= 0.7f) {
        worst = std::max(worst, ulps(exp_fast(x), std::exp(double{x})));
        worst = std::max(worst, ulps(exp_fast(-x), std::exp(-double{x})));
    }
    CHECK(worst <= 1.5);
}

TEST_CASE("exp_fast: 0, infinity and NaN at the ends") {
    CHECK(exp_fast(0.0f) == 1.0f);
    CHECK(exp_fast(-0.0f) == 1.0f);
    for (const float x : {-87.7f, -88.0f, -104.0f, -1e4f, -3e38f, -kInfinity}) {
        CAPTURE(x);
        CHECK(exp_fast(x) == 0.0f);
    }
    for (const float x : {88.73f, 104.0f, 1e4f, 3e38f, kInfinity}) {
        CAPTURE(x);
        CHECK(exp_fast(x) == kInfinity);
    }
    CHECK(std::isnan(exp_fast(std::numeric_limits<float>::quiet_NaN())));
    CHECK(std::isnan(exp_fast(-std::numeric_limits<float>::quiet_NaN())));
}

TEST_CASE("exp_fast: a vectorised loop gives the bits of single calls, wherever it starts") {
    std::vector<float> x(200), out(200);
    for (int i = 0; i < 200; ++i) x[i] = static_cast<float>(i) * 0.9f - 91.0f;
    for (int first = 0; first < 40; ++first) {
        const float* from = x.data() + first;
        float* to = out.data() + first;
#pragma omp simd
        for (int i = 0; i < 150; ++i) to[i] = exp_fast(from[i]);
        for (int i = 0; i < 150; ++i) {
            volatile float single = from[i];
            CHECK(to[i] == exp_fast(single));
        }
    }
}

TEST_CASE("sigmoid_fast: 0 and 1 at the ends, and agrees between") {
    CHECK(sigmoid_fast(-kInfinity) == 0.0f);
    CHECK(sigmoid_fast(kInfinity) == 1.0f);
    double worst = 0.0;
    for (int i = -8000; i <= 8000; ++i) {
        const float x = static_cast<float>(i) * 0.01f;
        worst = std::max(worst, ulps(sigmoid_fast(x), 1.0 / (1.0 + std::exp(-double{x}))));
    }
    CHECK(worst <= 3.0);  // the exponential's error, a sum's and a quotient's roundings
}

TEST_CASE("store: rounds to bf16 as the conversion does") {
    for (const float x : {0.0f, 1.0f, 1.00390625f, 1.01171875f, -3.3e38f, 3.4e38f, 1e-40f}) {
        bf16 stored;
        store(stored, x);
        CHECK(stored.bits == bf16(x).bits);
    }
}
