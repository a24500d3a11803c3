// Gradient norm: every device against one long sum.

#include "kernels/gradient_norm/gradient_norm.h"

#include "kernels/gradient_norm/gradient_norm_reference.h"
#include "tests/support/devices.h"
#include "tests/support/doctest.h"

namespace {

// A double sum of a million squares, however it is cut: a thousand roundings at worst count.
constexpr double kTolerance = 1e-13;

struct Result {
    double norm;
    float scale;
    int finite;
};

template <typename T, typename Op>
Result measure(const std::vector<T>& gradient, double max_norm, Device device, const Op& op) {
    const auto count = static_cast<int64_t>(gradient.size());
    Buffer<T> values(device, gradient);
    Buffer<double> norm(device, 1);
    Buffer<float> scale(device, 1);
    Buffer<int> finite(device, 1);
    Buffer<char> scratch(device, gradient_norm_scratch_bytes(count));
    op(GradientNorm<T>{.norm = norm.data(),
                       .scale = scale.data(),
                       .finite = finite.data(),
                       .scratch = scratch.data(),
                       .gradient = values.data(),
                       .count = count,
                       .max_norm = max_norm});
    return {norm.to_host()[0], scale.to_host()[0], finite.to_host()[0]};
}

constexpr auto run = [](const auto& args) { gradient_norm(args, test_stream()); };
constexpr auto run_on_cpu = [](const auto& args) { gradient_norm(args, {}); };
constexpr auto oracle = [](const auto& args) { gradient_norm_reference(args); };

}  // namespace

TEST_CASE_TEMPLATE("gradient_norm: agrees with the reference", T, float, double) {
    for (const int64_t count : {int64_t{1}, int64_t{31}, int64_t{33}, int64_t{257},
                                kGradientNormBlock, kGradientNormBlock + 1, int64_t{1'000'003}}) {
        CAPTURE(count);
        const auto gradient = normal<T>(count, 0.0, 1.0, /*seed=*/1);
        const auto actual = std::is_same_v<T, double>
                                ? measure(gradient, 0.7, Device::cpu, run_on_cpu)
                                : measure(gradient, 0.7, tested_device(), run);
        const auto expected = measure(gradient, 0.7, Device::cpu, oracle);
        CHECK(std::abs(actual.norm - expected.norm) <= kTolerance * expected.norm);
        CHECK(actual.scale == doctest::Approx(expected.scale).epsilon(kUlp<float>));
        CHECK(actual.finite == 1);
    }
}

TEST_CASE("gradient_norm: clips as torch does") {
    const std::vector<float> gradient{3.0f, 4.0f};
    CHECK(measure(gradient, 1.0, tested_device(), run).scale == static_cast<float>(1.0 / 5.000001));
    CHECK(measure(gradient, 5.0, tested_device(), run).scale == static_cast<float>(5.0 / 5.000001));
    CHECK(measure(gradient, 6.0, tested_device(), run).scale == 1.0f);
    CHECK(measure(gradient, 0.0, tested_device(), run).scale == 1.0f);  // 0: no clipping
    CHECK(measure(gradient, 1.0, tested_device(), run).norm == 5.0);
}

TEST_CASE("gradient_norm: the largest floats do not overflow, the smallest do not vanish") {
    CHECK(measure(std::vector<float>(100, 3e38f), 1.0, tested_device(), run).norm ==
          doctest::Approx(10.0 * double{3e38f}).epsilon(1e-12));
    CHECK(measure(std::vector<float>(100, 1e-40f), 1.0, tested_device(), run).norm ==
          doctest::Approx(10.0 * double{1e-40f}).epsilon(1e-12));
}

TEST_CASE("gradient_norm: one infinity or NaN anywhere takes the flag and the scale down") {
    for (const float bad :
         {std::numeric_limits<float>::infinity(), -std::numeric_limits<float>::infinity(),
          std::numeric_limits<float>::quiet_NaN()}) {
        for (const int64_t at : {0, 20'000, 39'999}) {
            std::vector<float> gradient(40'000, 1.0f);
            gradient[at] = bad;
            const auto result = measure(gradient, 1.0, tested_device(), run);
            CHECK(result.finite == 0);
            CHECK(result.scale == 0.0f);
            CHECK_FALSE(std::isfinite(result.norm));
        }
    }
}

TEST_CASE("gradient_norm: the number of threads changes no bit") {
    const auto gradient = normal<float>(300'001, 0.0, 1.0, /*seed=*/2);
    const auto with = [&](int threads) {
        return with_threads(threads,
                            [&] { return measure(gradient, 1.0, tested_device(), run).norm; });
    };
    CHECK(with(1) == with(2));
}

TEST_CASE("gradient_norm: no gradient has norm 0; wrong arguments are errors") {
    const auto result = measure(std::vector<float>{}, 1.0, tested_device(), run);
    CHECK(result.norm == 0.0);
    CHECK(result.scale == 1.0f);
    CHECK(result.finite == 1);
    CHECK_THROWS_WITH(gradient_norm(GradientNorm<float>{.count = -1}, test_stream()),
                      "gradient_norm: count is -1, expected at least 0");
    CHECK_THROWS_WITH(gradient_norm(GradientNorm<float>{.max_norm = -1.0}, test_stream()),
                      "gradient_norm: max_norm is -1, expected at least 0");
    CHECK_THROWS_WITH(gradient_norm(GradientNorm<float>{}, test_stream()),
                      "gradient_norm: norm, scale or finite is null, expected [1] each");
}
