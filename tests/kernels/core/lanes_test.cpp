// Sums and maxima in lanes.

#include "kernels/core/lanes.h"

#include <cmath>
#include <limits>
#include <vector>

#include "tests/support/devices.h"
#include "tests/support/doctest.h"

TEST_CASE("sum_in_lanes: the order is the documented one, whatever the alignment") {
    const auto values = normal<float>(1000, 0.0, 1.0, /*seed=*/1);
    for (const int count : {0, 1, 31, 32, 33, 63, 64, 65, 900}) {
        CAPTURE(count);
        // volatile keeps this loop from becoming the code under test
        volatile float lanes[kLanes] = {};
        for (int i = 0; i < count; ++i) lanes[i % kLanes] = lanes[i % kLanes] + values[i];
        for (int half = kLanes / 2; half > 0; half /= 2)
            for (int lane = 0; lane < half; ++lane) lanes[lane] = lanes[lane] + lanes[lane + half];
        for (int offset = 0; offset < 20; ++offset) {
            std::vector<float> moved(1000 + 20);
            std::copy(values.begin(), values.end(), moved.begin() + offset);
            const float* from = moved.data() + offset;
            CHECK(sum_in_lanes(count, [from](int64_t i) { return from[i]; }) == lanes[0]);
        }
    }
}

TEST_CASE("sum_in_lanes: in double, ten million small terms keep their sum") {
    const double sum = sum_in_lanes<double>(10'000'000, [](int64_t) { return 0.1; });
    CHECK(std::abs(sum - 1e6) <= 1e-3);  // 312,500 roundings a lane of at most 2^-39 each
}

TEST_CASE("max_in_lanes: finds the largest wherever it is, leaves NaNs out") {
    for (const int count : {1, 31, 32, 33, 100}) {
        for (int at = 0; at < count; ++at) {
            std::vector<float> values(count, -3.0f);
            values[at] = -2.0f;
            CHECK(max_in_lanes(count, [&](int64_t i) { return values[i]; }) == -2.0f);
            values[at] = std::numeric_limits<float>::quiet_NaN();
            const float rest = count > 1 ? -3.0f : -std::numeric_limits<float>::infinity();
            CHECK(max_in_lanes(count, [&](int64_t i) { return values[i]; }) == rest);
        }
    }
    CHECK(max_in_lanes(0, [](int64_t) { return 1.0f; }) == -std::numeric_limits<float>::infinity());
}
