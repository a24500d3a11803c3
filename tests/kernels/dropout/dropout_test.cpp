// Dropout: every device against the reference, and what its masks depend on.

#include "kernels/dropout/dropout.h"

#include "kernels/dropout/dropout_reference.h"
#include "tests/support/devices.h"
#include "tests/support/doctest.h"

namespace {

// A kept element is one product by a rounded 1 / (1 - p): two roundings against one of the oracle.
template <typename T>
constexpr double kTolerance = 2 * kUlp<T>;

template <typename T>
struct Case {
    int64_t rows;
    int channels;
    double probability;
    std::vector<T> input;
    std::vector<int32_t> row_ids, positions;
    PhiloxKey key = {11, 22};
    uint32_t site = 3;

    Case(int64_t n, int c, double p)
        : rows(n), channels(c), probability(p), input(normal<T>(n * c, 2.0, 0.5, /*seed=*/1)) {
        for (int32_t i = 0; i < n; ++i) {
            row_ids.push_back(i / 5);
            positions.push_back(i % 5);
        }
    }
};

template <typename T, typename Op>
std::vector<T> drop(const Case<T>& c, Device device, const Op& op, bool in_place = false) {
    Buffer<T> input(device, c.input), out(device, c.rows * c.channels);
    Buffer<int32_t> row_ids(device, c.row_ids), positions(device, c.positions);
    op(Dropout<T>{.out = in_place ? input.data() : out.data(),
                  .input = input.data(),
                  .row_ids = row_ids.data(),
                  .positions = positions.data(),
                  .rows = c.rows,
                  .channels = c.channels,
                  .key = c.key,
                  .site = c.site,
                  .probability = c.probability});
    return (in_place ? input : out).to_host();
}

constexpr auto run = [](const auto& args) { dropout(args, test_stream()); };
constexpr auto oracle = [](const auto& args) { dropout_reference(args); };

std::vector<bool> mask(const std::vector<float>& values) {
    std::vector<bool> kept;
    for (const float value : values) kept.push_back(value != 0.0f);
    return kept;
}

// The fraction of elements on which two masks agree.
double agreement(const std::vector<bool>& a, const std::vector<bool>& b) {
    double same = 0.0;
    for (size_t i = 0; i < a.size(); ++i) same += a[i] == b[i];
    return same / static_cast<double>(a.size());
}

}  // namespace

TEST_CASE_TEMPLATE("dropout: agrees with the reference", T, float, bf16) {
    for (const int channels : {1, 3, 31, 32, 33, 64, 65, 257, 768, 2052}) {
        for (const double probability : {0.0, 0.1, 0.5, 0.999}) {
            CAPTURE(channels);
            CAPTURE(probability);
            const Case<T> c(11, channels, probability);
            const auto actual = drop(c, tested_device(), run);
            const auto expected = drop(c, Device::cpu, oracle);
            CHECK(max_relative_error(actual, expected) <= kTolerance<T>);
            for (size_t i = 0; i < actual.size(); ++i)
                REQUIRE((float(actual[i]) == 0.0f) == (float(expected[i]) == 0.0f));
        }
    }
}

TEST_CASE_TEMPLATE("dropout: gives the bits of the cpu form on every device", T, float, bf16) {
    const auto cpu = [](const auto& args) { dropout(args, {.device = Device::cpu}); };
    for (const int channels : {33, 768}) {
        const Case<T> c(37, channels, 0.3);
        CHECK(same_bits(drop(c, tested_device(), run), drop(c, Device::cpu, cpu)));
    }
}

TEST_CASE("dropout: the double form is the reference, so a mask is linear and its own derivative") {
    Case<double> c(4, 9, 0.3);
    const auto cpu = [](const auto& a) { dropout(a, {.device = Device::cpu}); };
    const auto slope = normal<double>(36, 0.0, 1.0, /*seed=*/2);
    const auto loss = [&] {
        const auto out = drop(c, Device::cpu, cpu);
        double sum = 0.0;
        for (size_t i = 0; i < out.size(); ++i) sum += slope[i] * out[i];
        return sum;
    };
    Case<double> back = c;
    back.input = slope;
    CHECK(finite_difference_error(c.input, drop(back, Device::cpu, cpu), loss) < 1e-8);
}

TEST_CASE_TEMPLATE("dropout: probability 0 changes no bit; the output may be the input", T, float,
                   bf16) {
    const Case<T> keep(7, 65, 0.0);
    CHECK(same_bits(drop(keep, tested_device(), run), keep.input));
    const Case<T> c(7, 65, 0.4);
    CHECK(same_bits(drop(c, tested_device(), run), drop(c, tested_device(), run, true)));
}

TEST_CASE("dropout: cutting the batch changes no mask") {
    const Case<float> whole(20, 37, 0.5);
    const auto expected = drop(whole, tested_device(), run);
    for (const int64_t cut : {1, 5, 13}) {
        std::vector<float> joined;
        for (const auto& [first, last] : {std::pair<int64_t, int64_t>{0, cut}, {cut, 20}}) {
            Case<float> part = whole;
            part.rows = last - first;
            part.input.assign(&whole.input[first * 37], &whole.input[0] + last * 37);
            part.row_ids.assign(&whole.row_ids[first], &whole.row_ids[0] + last);
            part.positions.assign(&whole.positions[first], &whole.positions[0] + last);
            const auto out = drop(part, tested_device(), run);
            joined.insert(joined.end(), out.begin(), out.end());
        }
        CHECK(same_bits(joined, expected));
    }
}

TEST_CASE("dropout: keeps 1 - p of the elements, within four standard deviations") {
    for (const double probability : {0.1, 0.5, 0.9}) {
        CAPTURE(probability);
        const Case<float> c(1000, 400, probability);
        double kept = 0.0;
        for (const bool keep : mask(drop(c, tested_device(), run))) kept += keep;
        const double n = 400'000.0;
        const double deviation = std::sqrt(n * probability * (1.0 - probability));
        CHECK(std::abs(kept - n * (1.0 - probability)) <= 4.0 * deviation);
    }
}

TEST_CASE_TEMPLATE(
    "dropout: an element stays at the probability of its own number, goes at the next", T, float,
    bf16) {
    for (const int i : {0, 1, 2, 3}) {
        Case<T> c(1, 4, 0.0);
        const auto words = philox(c.key, {dropout_purpose(c.site), 0, 0, 0});
        c.probability = (words[i] >> 8) * 0x1p-24;
        CHECK(float(drop(c, tested_device(), run)[i]) != 0.0f);
        c.probability += 0x1p-24;
        CHECK(float(drop(c, tested_device(), run)[i]) == 0.0f);
    }
}

TEST_CASE("dropout: another seed, step, site, row or position gives an independent mask") {
    const Case<float> c(500, 64, 0.5);
    const auto base = mask(drop(c, tested_device(), run));
    Case<float> other[] = {c, c, c, c, c};
    other[0].key.low ^= 1;
    other[1].key.high ^= 1;
    other[2].site ^= 1;
    for (int32_t& row : other[3].row_ids) row += 1000;
    for (int32_t& position : other[4].positions) position += 1000;
    for (const auto& variant : other) {
        // Independent fair coins agree on half of 32,000 elements, give or take 0.0028.
        const double same = agreement(mask(drop(variant, tested_device(), run)), base);
        CHECK(std::abs(same - 0.5) <= 4.0 * 0.0028);
    }
}

TEST_CASE_TEMPLATE("dropout: the number of threads changes no bit", T, float, bf16) {
    const Case<T> c(300, 65, 0.3);
    const auto with = [&](int threads) {
        return with_threads(threads, [&] { return drop(c, tested_device(), run); });
    };
    CHECK(same_bits(with(1), with(2)));
}

TEST_CASE("dropout: no rows is a no-op; wrong shapes, probabilities and tensors are errors") {
    CHECK_NOTHROW(dropout(Dropout<float>{.channels = 4}, test_stream()));
    CHECK_THROWS_WITH(dropout(Dropout<float>{.rows = 1}, test_stream()),
                      "dropout: channels is 0, expected at least 1");
    CHECK_THROWS_WITH(
        dropout(Dropout<float>{.rows = 1, .channels = 4, .probability = 1.0}, test_stream()),
        "dropout: probability is 1, expected at least 0 and less than 1");
    CHECK_THROWS_WITH(
        dropout(Dropout<float>{.rows = 1, .channels = 4, .site = 1u << 24}, test_stream()),
        "dropout: site is 16777216, expected less than 2^24");
    CHECK_THROWS_WITH(dropout(Dropout<float>{.rows = 1, .channels = 4}, test_stream()),
                      "dropout: out is null, expected [1, 4]");
}
