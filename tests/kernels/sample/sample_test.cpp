// Sampling: every device against the reference, the boundaries of each step, and the distribution.

#include "kernels/sample/sample.h"

#include <map>

#include "kernels/sample/sample_reference.h"
#include "tests/support/devices.h"
#include "tests/support/doctest.h"

namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();

struct Case {
    int rows = 1;
    int64_t vocabulary = 0;
    std::vector<float> logits;
    std::vector<int32_t> seen, positions;
    std::vector<int64_t> seen_starts;
    Sample settings;  // temperature, top_k, top_p, repetition_penalty, key

    Case(int n, std::vector<float> values)
        : rows(n), vocabulary(static_cast<int64_t>(values.size()) / n), logits(std::move(values)) {
        for (int i = 0; i < n; ++i) positions.push_back(10 * i);
        seen_starts.assign(static_cast<size_t>(n) + 1, 0);
        settings.key = {5, 6};
    }
};

template <typename Op>
std::vector<int32_t> draw(const Case& c, Device device, const Op& op) {
    Buffer<float> logits(device, c.logits);
    Buffer<int32_t> seen(device, c.seen), positions(device, c.positions), tokens(device, c.rows);
    Buffer<int64_t> starts(device, c.seen_starts);
    Buffer<char> scratch(device, sample_scratch_bytes(device, c.rows, c.vocabulary));
    Sample args = c.settings;
    args.tokens = tokens.data();
    args.scratch = scratch.data();
    args.logits = logits.data();
    args.seen = seen.data();
    args.seen_starts = starts.data();
    args.positions = positions.data();
    args.rows = c.rows;
    args.vocabulary = c.vocabulary;
    op(args);
    return tokens.to_host();
}

constexpr auto run = [](const Sample& args) { sample(args, test_stream()); };
constexpr auto oracle = [](const Sample& args) { sample_reference(args); };

// How often each token is drawn over `draws` positions.
std::map<int32_t, int> histogram(Case c, int draws) {
    std::map<int32_t, int> counts;
    for (int i = 0; i < draws; ++i) {
        c.positions[0] = i;
        ++counts[draw(c, tested_device(), run)[0]];
    }
    return counts;
}

Case with_settings(Case c, float temperature, int top_k, float top_p) {
    c.settings.temperature = temperature;
    c.settings.top_k = top_k;
    c.settings.top_p = top_p;
    return c;
}

}  // namespace

TEST_CASE("sample: agrees with the reference, token for token") {
    // Both sum probabilities in double, in orders that differ by 1e-16: no draw of these falls
    // there.
    const bool few = every_access_is_judged();
    for (const int vocabulary : {1, 2, 31, 33, 64, 65, 257, 1000, 5003}) {
        for (const float temperature : {0.0f, 0.5f, 1.0f, 30.0f}) {
            for (const int top_k : {0, 1, 50, 700, 100000}) {
                for (const float top_p : {1.0f, 0.9f, 0.1f}) {
                    if (few && vocabulary >= 1000 && (temperature > 0.5f || top_p == 0.1f))
                        continue;
                    CAPTURE(vocabulary);
                    CAPTURE(temperature);
                    CAPTURE(top_k);
                    CAPTURE(top_p);
                    Case c(7, normal<float>(7 * vocabulary, 0.0, 3.0, /*seed=*/1));
                    c = with_settings(std::move(c), temperature, top_k, top_p);
                    c.settings.repetition_penalty = 1.3f;
                    for (int row = 0; row < 7; ++row) {
                        for (int i = 0; i < row; ++i)
                            c.seen.push_back(static_cast<int32_t>(i * i * 3 % vocabulary));
                        c.seen_starts[row + 1] = static_cast<int64_t>(c.seen.size());
                    }
                    CHECK(draw(c, tested_device(), run) == draw(c, Device::cpu, oracle));
                }
            }
        }
    }
}

TEST_CASE("sample: temperature 0 takes the first of the largest") {
    const Case c = with_settings(Case(2, {1.0f, 5.0f, 5.0f, -1.0f,  //
                                          -3.0f, -7.0f, -kInfinity, -2.5f}),
                                 0.0f, 0, 1.0f);
    CHECK(draw(c, tested_device(), run) == std::vector<int32_t>{1, 3});
}

TEST_CASE("sample: draws follow the distribution") {
    // Pearson's chi-square with 7 degrees of freedom passes 24.3 once in a thousand seeds.
    const std::vector<double> weights{1, 2, 3, 4, 6, 8, 16, 60};
    std::vector<float> logits;
    for (const double weight : weights) logits.push_back(static_cast<float>(std::log(weight)));
    const int draws = tested_device() == Device::simt ? 2'000 : 20'000;
    for (const float temperature : {1.0f, 2.0f}) {
        double total = 0.0;
        for (const double weight : weights) total += std::pow(weight, 1.0 / temperature);
        auto counts = histogram(with_settings(Case(1, logits), temperature, 0, 1.0f), draws);
        double chi_square = 0.0;
        for (int v = 0; v < 8; ++v) {
            const double expected = draws * std::pow(weights[v], 1.0 / temperature) / total;
            chi_square += (counts[v] - expected) * (counts[v] - expected) / expected;
        }
        CHECK(chi_square < 24.3);
    }
}

TEST_CASE("sample: top_k keeps the k largest, ties by token id") {
    const std::vector<float> logits{0.0f, 2.0f, 1.0f, 1.0f, 1.0f, -1.0f};
    auto counts = histogram(with_settings(Case(1, logits), 1.0f, 3, 1.0f), 100);
    CHECK(counts.size() == 3);
    CHECK(counts.count(1) + counts.count(2) + counts.count(3) == 3);
    CHECK(histogram(with_settings(Case(1, logits), 1.0f, 1, 1.0f), 50).size() == 1);
    for (const int top_k : {6, 7, 99})  // all; one more than there are; many more
        CHECK(histogram(with_settings(Case(1, logits), 1.0f, top_k, 1.0f), 300).size() == 6);
}

TEST_CASE("sample: top_p keeps the fewest tokens that reach p") {
    const std::vector<float> equal(4, 1.5f);  // a quarter each, exactly
    CHECK(histogram(with_settings(Case(1, equal), 1.0f, 0, 0.5f), 60).size() == 2);
    CHECK(histogram(with_settings(Case(1, equal), 1.0f, 0, 0.500001f), 60).size() == 3);
    CHECK(histogram(with_settings(Case(1, equal), 1.0f, 0, 1e-6f), 50).size() == 1);
    CHECK(histogram(with_settings(Case(1, equal), 1.0f, 0, 1.0f), 60).size() == 4);
    // top_p counts within what top_k left: of two equal tokens one is half.
    CHECK(histogram(with_settings(Case(1, equal), 1.0f, 2, 0.5f), 60).size() == 1);
}

TEST_CASE("sample: the repetition penalty counts a token once, before the temperature") {
    Case c = with_settings(Case(1, {2.0f, 1.5f, -1.0f, -1.5f}), 0.0f, 0, 1.0f);
    c.settings.repetition_penalty = 1.25f;
    c.seen = {0, 0, 0, 0};
    c.seen_starts = {0, 4};
    CHECK(draw(c, tested_device(), run)[0] == 0);  // 2 / 1.25 = 1.6; twice would be 1.28
    c.settings.repetition_penalty = 1.5f;
    CHECK(draw(c, tested_device(), run)[0] == 1);  // 1.33
    c.logits = {-2.0f, -1.5f, -1.0f, -1.25f};
    c.seen = {2};
    c.seen_starts = {0, 1};
    CHECK(draw(c, tested_device(), run)[0] == 3);  // -1 becomes -1.5
}

TEST_CASE("sample: -infinity and NaN are never drawn; a row of nothing else yields -1") {
    const float nan = std::numeric_limits<float>::quiet_NaN();
    for (const float temperature : {0.0f, 1.0f}) {
        for (const float top_p : {1.0f, 0.9f}) {
            const auto counts = histogram(
                with_settings(Case(1, {nan, -kInfinity, 1.0f, nan, 0.5f}), temperature, 0, top_p),
                100);
            CHECK(counts.size() == (temperature == 0.0f ? 1 : 2));
            for (const auto& [token, count] : counts) CHECK((token == 2 || token == 4));
            const Case nothing = with_settings(Case(1, {nan, -kInfinity}), temperature, 0, top_p);
            CHECK(draw(nothing, tested_device(), run)[0] == -1);
        }
    }
    const Case infinite = with_settings(Case(1, {1.0f, kInfinity, 2.0f}), 1.0f, 0, 1.0f);
    CHECK(draw(infinite, tested_device(), run)[0] == 1);
}

TEST_CASE("sample: of thousands of tokens with a probability of 0 none is drawn") {
    const int rows = 64, vocabulary = 5000;
    std::vector<float> logits(rows * vocabulary, -1000.0f);
    for (int row = 0; row < rows; ++row) logits[row * vocabulary + 1234] = 0.0f;
    CHECK(draw(Case(rows, logits), tested_device(), run) == std::vector<int32_t>(rows, 1234));
}

TEST_CASE("sample: the lowest finite logit is drawn where all others are -infinity") {
    std::vector<float> logits(256, -kInfinity);
    logits.back() = -std::numeric_limits<float>::max();
    for (const float temperature : {0.0f, 1.0f})
        CHECK(draw(with_settings(Case(1, logits), temperature, 0, 1.0f), tested_device(), run) ==
              std::vector<int32_t>{255});
}

TEST_CASE("sample: a draw depends on seed, row and position, not on the other rows") {
    const auto logits = normal<float>(8 * 300, 0.0, 1.0, /*seed=*/2);
    const Case c(8, logits);
    const auto all = draw(c, tested_device(), run);
    const Case first(1, std::vector<float>(logits.begin(), logits.begin() + 300));
    CHECK(draw(first, tested_device(), run)[0] == all[0]);
    Case other = c;
    other.settings.key.low ^= 1;
    CHECK(draw(other, tested_device(), run) != all);
    other = c;
    for (int32_t& position : other.positions) position += 1;
    CHECK(draw(other, tested_device(), run) != all);
}

TEST_CASE("sample: the number of threads changes no token") {
    const Case c(32, normal<float>(32 * 777, 0.0, 2.0, /*seed=*/3));
    const auto with = [&](int threads) {
        return with_threads(threads, [&] { return draw(c, tested_device(), run); });
    };
    CHECK(with(1) == with(2));
}

TEST_CASE("sample: no rows is a no-op; settings out of range are errors") {
    CHECK_NOTHROW(sample(Sample{.vocabulary = 4}, test_stream()));
    CHECK_THROWS_WITH(sample(Sample{.rows = 1}, test_stream()),
                      "sample: vocabulary is 0, expected 1 to 2^31 - 1");
    CHECK_THROWS_WITH(sample(Sample{.vocabulary = 4, .temperature = -1.0f}, test_stream()),
                      "sample: temperature is -1, expected at least 0");
    CHECK_THROWS_WITH(sample(Sample{.vocabulary = 4, .top_k = -1}, test_stream()),
                      "sample: top_k is -1, expected at least 0");
    CHECK_THROWS_WITH(sample(Sample{.vocabulary = 4, .top_p = 0.0f}, test_stream()),
                      "sample: top_p is 0, expected more than 0 and at most 1");
    CHECK_THROWS_WITH(sample(Sample{.vocabulary = 4, .repetition_penalty = 0.0f}, test_stream()),
                      "sample: repetition_penalty is 0, expected more than 0");
    CHECK_THROWS_WITH(sample(Sample{.rows = 1, .vocabulary = 4}, test_stream()),
                      "sample: tokens is null, expected [1]");
}
