// The measures of error that the tests of operations rely on.

#include "tests/support/devices.h"

#include "tests/support/doctest.h"

namespace {

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
constexpr double kInfinity = std::numeric_limits<double>::infinity();
using Values = std::vector<double>;

}  // namespace

TEST_CASE("max_relative_error: is the largest difference over the largest expected value") {
    CHECK(max_relative_error(Values{1.0, -4.0}, Values{1.0, -4.0}) == 0.0);
    CHECK(max_relative_error(Values{1.5, -4.0}, Values{1.0, -4.0}) == 0.125);
    CHECK(max_relative_error(std::vector{bf16(1.5f)}, Values{1.0}) == 0.5);
    CHECK(relative_norm_error(Values{3.0, 5.0}, Values{3.0, 4.0}) == doctest::Approx(0.2));
}

TEST_CASE("measures of error: a NaN or an infinity where none belongs is an infinite error") {
    for (const auto measure :
         {+[](const Values&a, const Values&b) { return max_relative_error(a, b); },
          +[](const Values&a, const Values&b) { return relative_norm_error(a, b); }}) {
        CHECK(measure({kNan, 1.0}, {1.0, 1.0}) == kInfinity);
        CHECK(measure({1.0, 1.0}, {kNan, 1.0}) == kInfinity);
        CHECK(measure({kInfinity, 1.0}, {1.0, 1.0}) == kInfinity);
        CHECK(measure({1.0, 1.0}, {kInfinity, 1.0}) == kInfinity);
        CHECK(measure({kNan, kInfinity, 2.0}, {kNan, kInfinity, 2.0}) == 0.0);
        CHECK(measure({1e-30}, {0.0}) == kInfinity);
        CHECK(measure({}, {}) == 0.0);
        CHECK_THROWS_AS(measure({1.0}, {1.0, 2.0}), Error);
    }
}

TEST_CASE("finite_difference_error: tells a gradient from one that is a part in a million off") {
    Values x{0.3, -1.2, 2.0};
    const auto loss = [&] { return std::sin(x[0]) + x[1] * x[1] * x[2]; };
    Values gradient{std::cos(0.3), 2 * -1.2 * 2.0, 1.44};
    CHECK(finite_difference_error(x, gradient, loss) < 1e-9);
    CHECK(x == Values{0.3, -1.2, 2.0});
    gradient[1] *= 1.0 + 1e-6;
    CHECK(finite_difference_error(x, gradient, loss) > 5e-7);
}

TEST_CASE("normal: is a function of its arguments, with the mean and deviation asked for") {
    const auto values = normal<double>(20000, 3.0, 0.5, /*seed=*/1);
    CHECK(same_bits(values, normal<double>(20000, 3.0, 0.5, /*seed=*/1)));
    CHECK(!same_bits(values, normal<double>(20000, 3.0, 0.5, /*seed=*/2)));
    double mean = 0.0, variance = 0.0;
    for (const double value : values) mean += value / 20000;
    for (const double value : values) variance += (value - mean) * (value - mean) / 20000;
    CHECK(mean == doctest::Approx(3.0).epsilon(0.01));  // its deviation is 0.0035
    CHECK(variance == doctest::Approx(0.25).epsilon(0.05));
}
