// The loss of a micro-batch: every device against the reference.

#include "kernels/cross_entropy/weighted_sum.h"

#include "kernels/cross_entropy/weighted_sum_reference.h"
#include "tests/support/devices.h"
#include "tests/support/doctest.h"

namespace {

template <typename Op>
double sum_of(const std::vector<float>& values, const std::vector<float>& weights, Device device,
              const Op& op, double before = 0.0) {
    const Buffer<float> v(device, values), w(device, weights);
    const Buffer<double> sum(device, std::vector<double>{before});
    op(WeightedSum<float>{.sum = sum.data(),
                          .values = v.data(),
                          .weights = w.data(),
                          .count = static_cast<int64_t>(values.size())});
    return sum.to_host()[0];
}
constexpr auto run = [](const auto& args) { weighted_sum(args, test_stream()); };
constexpr auto oracle = [](const auto& args) { weighted_sum_reference(args); };

}  // namespace

TEST_CASE("weighted_sum: agrees with the reference and adds to what was there") {
    for (const int64_t count : {1, 31, 33, 256, 257, 5000}) {
        CAPTURE(count);
        const auto values = normal(count, -5.0, 2.0, /*seed=*/1);
        const auto weights = normal(count, 0.0, 1e-3, /*seed=*/2);
        const double expected = sum_of(values, weights, Device::cpu, oracle, 2.5);
        CHECK(std::abs(sum_of(values, weights, tested_device(), run, 2.5) - expected) <= 1e-14);
    }
}

TEST_CASE("weighted_sum: what has no weight does not count, infinite or not") {
    const float infinite = -std::numeric_limits<float>::infinity();
    CHECK(sum_of({1.0f, infinite, 3.0f}, {2.0f, 0.0f, -1.0f}, tested_device(), run) == -1.0);
    CHECK(sum_of({1.0f, infinite}, {2.0f, 1.0f}, tested_device(), run) == infinite);
}

TEST_CASE("weighted_sum: of nothing changes nothing") {
    CHECK(sum_of({}, {}, tested_device(), run, 7.0) == 7.0);
}
