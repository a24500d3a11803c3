// RoPE's frequencies: expected values follow from the formulas by hand, not from the code.

#include "model/rope_table.h"

#include <cmath>
#include <cstring>

#include "tests/support/doctest.h"

namespace {

constexpr double kTolerance = 1e-14;  // a dozen double epsilons: one pow and a few products

ModelConfig with(int head_dim, double theta, const RopeScaling& scaling = {}) {
    ModelConfig config;
    config.head_dim = head_dim;
    config.rope_theta = theta;
    config.rope_scaling = scaling;
    return config;
}

void check_close(const std::vector<double>& actual, const std::vector<double>& expected) {
    REQUIRE(actual.size() == expected.size());
    for (size_t i = 0; i < actual.size(); ++i) {
        CAPTURE(i);
        CHECK(std::abs(actual[i] - expected[i]) <= kTolerance * expected[i]);
    }
}

}  // namespace

TEST_CASE("rope_table: frequencies fall from 1 by powers of theta") {
    check_close(rope_inverse_frequencies(with(8, 10000.0)), {1.0, 0.1, 0.01, 0.001});
    check_close(rope_inverse_frequencies(with(4, 1e6)), {1.0, 1e-3});
}

TEST_CASE("rope_table: linear scaling divides every frequency") {
    const RopeScaling scaling{.kind = RopeScaling::Kind::linear, .factor = 4.0};
    check_close(rope_inverse_frequencies(with(8, 10000.0, scaling)),
                {0.25, 0.025, 0.0025, 0.00025});
}

// Of 8192 positions: a frequency of 0.1 turns 130 times, more than 4: kept. 0.001 turns
// 8.192 / (2 pi) = 1.3038 times, between 1 and 4: its share kept is 0.3038 / 3. 0.0001 turns 0.13
// times, less than 1: divided by 8.
TEST_CASE("rope_table: llama3 keeps short waves, slows long ones and blends between") {
    const RopeScaling scaling{.kind = RopeScaling::Kind::llama3,
                              .factor = 8.0,
                              .low_freq_factor = 1.0,
                              .high_freq_factor = 4.0,
                              .original_max_positions = 8192};
    const double kept = (8.192 / 6.283185307179586 - 1.0) / 3.0;
    const double blended = kept * 0.001 + (1.0 - kept) * 0.000125;
    CHECK(std::abs(blended - 0.00021360758) < 1e-10);
    check_close(rope_inverse_frequencies(with(10, 1e5, scaling)),
                {1.0, 0.1, 0.01, blended, 0.0000125});
}

TEST_CASE("rope_table: holds the cosine and sine of every position times every frequency") {
    RopeTable<double> table(with(4, 10000.0), Device::cpu);
    table.cover(1001);
    REQUIRE(table.positions() == 1001);
    CHECK(table.cos()[0] == 1.0);
    CHECK(table.sin()[1] == 0.0);
    CHECK(std::abs(table.cos()[2 * 3 + 1] - 0.9995500337489875) < 1e-15);  // cos 0.03
    CHECK(std::abs(table.sin()[2 * 3] - 0.1411200080598672) < 1e-15);      // sin 3
    CHECK(std::abs(table.cos()[2 * 1000 + 1] - std::cos(10.0)) < 1e-14);
}

TEST_CASE("rope_table: grown step by step it is the table made at once, in few steps") {
    RopeTable<float> grown(with(8, 10000.0), Device::cpu), whole(with(8, 10000.0), Device::cpu);
    int growths = 0;
    for (int64_t positions = 1; positions <= 1000; ++positions) {
        const int64_t before = grown.positions();
        grown.cover(positions);
        CHECK(grown.positions() >= positions);
        growths += grown.positions() > before;
    }
    CHECK(growths == 11);  // 1, 2, 4, ... 1024
    whole.cover(1024);
    CHECK(std::memcmp(grown.cos(), whole.cos(), 1024 * 4 * sizeof(float)) == 0);
    CHECK(std::memcmp(grown.sin(), whole.sin(), 1024 * 4 * sizeof(float)) == 0);
}

TEST_CASE("rope_table: in fp32 far positions keep the accuracy of an angle in double") {
    RopeTable<float> table(with(64, 500000.0), Device::cpu);
    table.cover(131072);
    const int64_t at = int64_t{131071} * 32;
    CHECK(std::abs(table.cos()[at] - std::cos(131071.0)) <= 6e-8);
    CHECK(std::abs(table.sin()[at] - std::sin(131071.0)) <= 6e-8);
}
