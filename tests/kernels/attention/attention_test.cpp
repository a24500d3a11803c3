// Attention: every device against the reference in double, over ragged rows and caches.

#include "kernels/attention/attention.h"

#include <numeric>

#include "kernels/attention/attention_reference.h"
#include "kernels/simt/grid.h"
#include "tests/kernels/attention/attention_case.h"
#include "tests/support/doctest.h"

namespace {

const std::vector<int32_t> kLengths = {1, 31, 33, 0, 63, 64, 65, 130};
const std::vector<int32_t> kFewLengths = {1, 31, 0, 33, 65};

struct Heads {
    int heads, kv_heads, dim;
};
constexpr Heads kHeads[] = {{3, 1, 6},  {4, 4, 20},  {6, 2, 33},
                            {2, 1, 64}, {2, 2, 128}, {2, 1, 256}};

// A float result sums up to 256 products for a score, then up to 130 keys: a hundred epsilons. A
// bf16 one is rounded once, half a unit, which a float error just before can make a whole one.
template <typename T>
constexpr double kTolerance = 1e-5;
template <>
constexpr double kTolerance<bf16> = kUlp<bf16>;
constexpr double kLseTolerance = 1e-6;  // scores within a few units, less the log of a float sum

template <typename T>
void check_forward(const AttentionCase<T>& c) {
    const auto actual = c.forward(tested_device(), kRunForward);
    const auto expected = c.forward(Device::cpu, kOracleForward);
    CHECK(max_relative_error(actual.out, expected.out) <= kTolerance<T>);
    CHECK(max_relative_error(actual.lse, expected.lse) <= kLseTolerance);
}

template <typename T>
void check_backward(const AttentionCase<T>& c) {
    const auto forward = c.forward(Device::cpu, kOracleForward);
    const auto actual = c.backward(forward, tested_device(), kRunBackward);
    const auto expected = c.backward(forward, Device::cpu, kOracleBackward);
    CHECK(max_relative_error(actual.grad_q, expected.grad_q) <= kTolerance<T>);
    CHECK(max_relative_error(actual.grad_k, expected.grad_k) <= kTolerance<T>);
    CHECK(max_relative_error(actual.grad_v, expected.grad_v) <= kTolerance<T>);
}

// Whole numbers and a scale that is one: every score is exact in float, whatever the order.
std::vector<float> whole_numbers(int64_t count, double deviation, uint64_t seed) {
    std::vector<float> values = normal<float>(count, 0.0, deviation, seed);
    for (float& value : values) value = std::round(value);
    return values;
}

}  // namespace

TEST_CASE_TEMPLATE("attention_forward: agrees with the reference", T, float, bf16) {
    for (const Heads& h : kHeads) {
        CAPTURE(h.dim);
        check_forward(
            AttentionCase<T>({.lengths = every_access_is_judged() ? kFewLengths : kLengths,
                              .heads = h.heads,
                              .kv_heads = h.kv_heads,
                              .dim = h.dim}));
    }
}

TEST_CASE_TEMPLATE("attention_backward: agrees with the reference", T, float, bf16) {
    // Emulated, all lengths take a minute where every access is checked.
    const bool emulated = tested_device() == Device::simt;
    const auto lengths = emulated ? kFewLengths : kLengths;
    for (const Heads& h : kHeads) {
        CAPTURE(h.dim);
        check_backward(AttentionCase<T>(
            {.lengths = lengths, .heads = h.heads, .kv_heads = h.kv_heads, .dim = h.dim}));
    }
}

TEST_CASE_TEMPLATE("attention: rows may lie apart, and what is between them stays", T, float,
                   bf16) {
    const AttentionCase<T> c(
        {.lengths = {5, 70}, .heads = 4, .kv_heads = 2, .dim = 20, .padding = 3});
    check_forward(c);
    check_backward(c);
}

TEST_CASE_TEMPLATE("attention_forward: queries see their row's cache", T, float, bf16) {
    for (const int dim : {6, 33, 64}) {
        CAPTURE(dim);
        check_forward(AttentionCase<T>({.lengths = {1, 1, 3, 64, 7, 0},
                                        .history = {0, 130, 63, 1, 64, 5},
                                        .heads = 4,
                                        .kv_heads = 2,
                                        .dim = dim}));
    }
}

TEST_CASE("attention_forward: a row in two pieces over a cache is the row in one") {
    const AttentionCase<float> whole({.lengths = {90}, .heads = 2, .kv_heads = 1, .dim = 33});
    AttentionCase<float> last(
        {.lengths = {20}, .history = {70}, .heads = 2, .kv_heads = 1, .dim = 33});
    last.q.assign(whole.q.end() - 20 * 2 * 33, whole.q.end());
    last.k = whole.k;
    last.v = whole.v;
    const auto expected = whole.forward(tested_device(), kRunForward).out;
    const auto actual = last.forward(tested_device(), kRunForward).out;
    CHECK(max_relative_error(actual, std::vector<float>(expected.end() - 20 * 2 * 33,
                                                        expected.end())) <= kTolerance<float>);
}

// So many heads that each has one block, which goes from a tile that sees a key to those that do not.
TEST_CASE("attention_forward: queries before the first key are zero, with weight zero") {
    constexpr int kHeads = 512, kTokens = 130;
    const AttentionCase<float> c(
        {.lengths = {kTokens}, .history = {1 - kTokens}, .heads = kHeads, .kv_heads = 1, .dim = 1});
    const auto result = c.forward(tested_device(), kRunForward);
    for (int i = 0; i < kTokens * kHeads; ++i) {
        const bool sees = i / kHeads == kTokens - 1;
        REQUIRE(result.out[i] == (sees ? c.v[0] : 0.0f));
        REQUIRE(std::isfinite(result.lse[i]) == sees);
    }
}

// A row without keys, and rows with fewer keys than queries.
TEST_CASE_TEMPLATE("attention_forward: a query that sees no key has out 0 and lse -inf", T, float,
                   bf16) {
    const AttentionShape shape{.lengths = {5, 70, 3, 2},
                               .history = {-5, -66, -1, 65},
                               .heads = 4,
                               .kv_heads = 2,
                               .dim = 33};
    const AttentionCase<T> c(shape);
    auto actual = c.forward(tested_device(), kRunForward);
    auto expected = c.forward(Device::cpu, kOracleForward);
    for (const int blind : {0, 4, 5, 70, 75}) {  // tokens, each the first or last of such
        for (int i = blind * 4; i < (blind + 1) * 4; ++i) {
            CHECK(actual.lse[i] == -INFINITY);
            CHECK(expected.lse[i] == -INFINITY);
            for (int d = 0; d < 33; ++d) {
                CHECK(float(actual.out[i * 33 + d]) == 0.0f);
                CHECK(float(expected.out[i * 33 + d]) == 0.0f);
            }
        }
    }
    for (size_t i = 0; i < actual.lse.size(); ++i) {
        REQUIRE(std::isinf(actual.lse[i]) == std::isinf(expected.lse[i]));
        if (std::isinf(actual.lse[i])) actual.lse[i] = expected.lse[i] = 0;
    }
    CHECK(max_relative_error(actual.out, expected.out) <= kTolerance<T>);
    CHECK(max_relative_error(actual.lse, expected.lse) <= kLseTolerance);
}

// As if such a query's grad_out were zero: then its dS and its share of grad_v are.
TEST_CASE_TEMPLATE("attention_backward: a query that sees no key makes no gradient", T, float,
                   bf16) {
    constexpr int kHeads = 2, kDim = 20;
    const AttentionCase<T> c({.lengths = {1, 5, 70}, .heads = kHeads, .kv_heads = 1, .dim = kDim});
    const auto seeing = c.forward(Device::cpu, kOracleForward);
    AttentionOut<T> kept = seeing;
    AttentionCase<T> zeroed = c;
    const std::vector<int> blind = {0, 3, 13, 14, 75 * kHeads + 1};  // token * kHeads + head
    for (const int i : blind) {
        kept.lse[i] = -INFINITY;
        for (int at = i * kDim; at < (i + 1) * kDim; ++at)
            kept.out[at] = kept.out_rest[at] = zeroed.grad_out[at] = T(0.0f);
    }
    const auto expected = zeroed.backward(seeing, Device::cpu, kOracleBackward);
    const auto oracle = c.backward(kept, Device::cpu, kOracleBackward);
    CHECK(max_relative_error(oracle.grad_q, expected.grad_q) == 0.0);
    CHECK(max_relative_error(oracle.grad_k, expected.grad_k) == 0.0);
    CHECK(max_relative_error(oracle.grad_v, expected.grad_v) == 0.0);
    const auto actual = c.backward(kept, tested_device(), kRunBackward);
    CHECK(max_relative_error(actual.grad_q, expected.grad_q) <= kTolerance<T>);
    CHECK(max_relative_error(actual.grad_k, expected.grad_k) <= kTolerance<T>);
    CHECK(max_relative_error(actual.grad_v, expected.grad_v) <= kTolerance<T>);
    for (const int i : blind)
        for (int d = 0; d < kDim; ++d) CHECK(float(actual.grad_q[i * kDim + d]) == 0.0f);
}

// out carries 8 bits of the value, out_rest the next 8: half a unit of the latter is 2^-17.
TEST_CASE("attention_forward: out_rest is what rounding to bf16 took from out") {
    const AttentionCase<bf16> c({.lengths = kLengths, .heads = 4, .kv_heads = 2, .dim = 33});
    const auto actual = c.forward(tested_device(), kRunForward);
    auto sum = converted<double>(actual.out);
    for (size_t i = 0; i < sum.size(); ++i) sum[i] += double(actual.out_rest[i]);
    const auto exact = c.template as<double>().forward(Device::cpu, kOracleForward);
    CHECK(max_relative_error(sum, exact.out) <= 0x1p-17 + kTolerance<float>);
}

TEST_CASE("attention_backward: is the derivative of attention_forward, in double") {
    AttentionCase<double> c({.lengths = {1, 5, 3}, .heads = 4, .kv_heads = 2, .dim = 6});
    const auto loss = [&] {
        const auto out = c.forward(Device::cpu, kOracleForward).out;
        return std::inner_product(out.begin(), out.end(), c.grad_out.begin(), 0.0);
    };
    const auto gradient =
        c.backward(c.forward(Device::cpu, kOracleForward), Device::cpu, kOracleBackward);
    CHECK(finite_difference_error(c.q, gradient.grad_q, loss) <= 1e-8);
    CHECK(finite_difference_error(c.k, gradient.grad_k, loss) <= 1e-8);
    CHECK(finite_difference_error(c.v, gradient.grad_v, loss) <= 1e-8);
}

TEST_CASE("attention: scores near +-10000 lose nothing") {
    AttentionCase<float> c({.lengths = {8, every_access_is_judged() ? 66 : 130},
                            .heads = 2,
                            .kv_heads = 1,
                            .dim = 64,
                            .scale = 4.0});
    c.q = whole_numbers(std::ssize(c.q), 18.0, /*seed=*/5);
    c.k = whole_numbers(std::ssize(c.k), 18.0, /*seed=*/6);
    // Keys in pairs that differ only where no query looks, so that their scores tie: probabilities
    // of 1 alone would leave gradients of mere rounding errors.
    for (size_t i = 0; i < c.q.size(); i += 64) c.q[i] = 0.0f;
    for (size_t i = 0; i + 128 <= c.k.size(); i += 128) {
        std::copy_n(c.k.begin() + i, 64, c.k.begin() + i + 64);
        c.k[i] += 30.0f;
    }
    const auto lse = c.forward(tested_device(), kRunForward).lse;
    CHECK(*std::max_element(lse.begin(), lse.end()) > 1e4f);
    CHECK(*std::min_element(lse.begin(), lse.end()) < -1e4f);
    check_forward(c);
    check_backward(c);
}

TEST_CASE("attention_forward: equal scores, small or huge, average the values seen so far") {
    for (const float size : {0.0f, 100.0f}) {
        CAPTURE(size);
        AttentionCase<float> c(
            {.lengths = {130}, .heads = 1, .kv_heads = 1, .dim = 1, .scale = 1.0});
        std::fill(c.q.begin(), c.q.end(), size);
        std::fill(c.k.begin(), c.k.end(), size);
        const auto result = c.forward(tested_device(), kRunForward);
        std::vector<double> means, lse;
        double sum = 0.0;
        for (size_t i = 0; i < c.v.size(); ++i) {
            sum += c.v[i];
            means.push_back(sum / static_cast<double>(i + 1));
            lse.push_back(size * size + std::log(static_cast<double>(i + 1)));
        }
        CHECK(max_relative_error(result.out, means) <= 1e-6);
        CHECK(max_relative_error(result.lse, lse) <= 1e-6);
    }
}

// exp(200) is beyond a float.
TEST_CASE("attention_forward: a score far above the others loses nothing, wherever it is") {
    for (const int at : {0, 31, 62, 63, 64, 129}) {
        CAPTURE(at);
        AttentionCase<float> c(
            {.lengths = {130}, .heads = 1, .kv_heads = 1, .dim = 1, .scale = 1.0});
        std::fill(c.q.begin(), c.q.end(), 1.0f);
        std::fill(c.k.begin(), c.k.end(), 0.0f);
        c.k[at] = 200.0f;
        const auto result = c.forward(tested_device(), kRunForward);
        for (int query = at; query < 130; ++query) {
            CHECK(result.out[query] == c.v[at]);
            CHECK(result.lse[query] == 200.0f);
        }
    }
}

TEST_CASE_TEMPLATE("attention_forward: no query sees a later key", T, float, bf16) {
    const Heads shape{2, 1, 33};
    AttentionCase<T> c({.lengths = {70, 130}, .heads = 2, .kv_heads = 1, .dim = 33});
    const auto before = c.forward(tested_device(), kRunForward);
    for (const int now : {0, 31, 63, 64, 69}) {  // the last token of each row that stays
        CAPTURE(now);
        AttentionCase<T> changed = c;
        std::vector<char> kept(200);
        for (int token = 0; token < 200; ++token) {
            kept[token] = (token < 70 ? token : token - 70) <= now;
            if (kept[token]) continue;
            for (int d = 0; d < shape.dim; ++d) {
                changed.k[token * shape.dim + d] = T(1e4f * static_cast<float>(d - 16));
                changed.v[token * shape.dim + d] = T(-1e30f);
            }
        }
        const auto after = changed.forward(tested_device(), kRunForward);
        const int64_t width = shape.heads * shape.dim;
        for (int token = 0; token < 200; ++token) {
            if (!kept[token]) continue;
            CHECK(!std::memcmp(&after.out[token * width], &before.out[token * width],
                               sizeof(T) * width));
            CHECK(after.lse[token * shape.heads] == before.lse[token * shape.heads]);
        }
        CHECK(!same_bits(after.out, before.out) == (now < 129));
    }
}

TEST_CASE_TEMPLATE("attention_forward: what is not a number stays with the queries that see it", T,
                   float, bf16) {
    const AttentionCase<T> c({.lengths = {130}, .heads = 2, .kv_heads = 1, .dim = 33});
    const auto before = c.forward(tested_device(), kRunForward);
    for (const int bad : {1, 66, 129}) {  // the first token that sees it
        CAPTURE(bad);
        for (const float value : {NAN, INFINITY}) {
            if (every_access_is_judged() && std::isinf(value) != (bad == 66)) continue;
            AttentionCase<T> changed = c;
            for (int d = 0; d < 33; ++d) {
                changed.k[bad * 33 + d] = T(value);
                changed.v[bad * 33 + d] = T(value);
            }
            const auto after = changed.forward(tested_device(), kRunForward);
            CHECK(!std::memcmp(after.out.data(), before.out.data(), sizeof(T) * bad * 66));
            CHECK(!std::memcmp(after.lse.data(), before.lse.data(), sizeof(float) * bad * 2));
            for (int token = bad; token < 130; ++token)
                CHECK(!std::isfinite(float(after.out[token * 66])));
        }
    }
}

TEST_CASE_TEMPLATE("attention_backward: what is not a number stays with the pairs that see it", T,
                   float, bf16) {
    constexpr int kTokens = 68;
    const AttentionCase<T> c({.lengths = {kTokens}, .heads = 2, .kv_heads = 1, .dim = 6});
    const auto run = [](const AttentionCase<T>& inputs) {
        return inputs.backward(inputs.forward(tested_device(), kRunForward), tested_device(),
                               kRunBackward);
    };
    const auto same = [](const std::vector<T>& a, const std::vector<T>& b, int from, int to) {
        return !std::memcmp(&a[from], &b[from], sizeof(T) * (to - from));
    };
    const auto before = run(c);
    for (const int bad : {1, 65}) {
        CAPTURE(bad);
        for (const float value : {NAN, INFINITY}) {
            AttentionCase<T> bad_key = c, bad_query = c;
            std::fill_n(&bad_key.k[bad * 6], 6, T(value));
            std::fill_n(&bad_key.v[bad * 6], 6, T(value));
            std::fill_n(&bad_query.q[bad * 12], 12, T(value));
            std::fill_n(&bad_query.grad_out[bad * 12], 12, T(value));
            // Earlier queries do not see the key; neither later keys nor other queries see the
            // query.
            const auto after_key = run(bad_key), after_query = run(bad_query);
            CHECK(same(after_key.grad_q, before.grad_q, 0, bad * 12));
            CHECK(!std::isfinite(float(after_key.grad_q[bad * 12])));
            CHECK(same(after_query.grad_q, before.grad_q, 0, bad * 12));
            CHECK(same(after_query.grad_q, before.grad_q, (bad + 1) * 12, kTokens * 12));
            CHECK(same(after_query.grad_k, before.grad_k, (bad + 1) * 6, kTokens * 6));
            CHECK(same(after_query.grad_v, before.grad_v, (bad + 1) * 6, kTokens * 6));
            for (int key = 0; key <= bad; ++key) {
                CHECK(!std::isfinite(float(after_query.grad_k[key * 6])));
                CHECK(!std::isfinite(float(after_query.grad_v[key * 6])));
            }
        }
    }
}

TEST_CASE_TEMPLATE("attention: the order of a grid's blocks changes no bit", T, float, bf16) {
    const AttentionCase<T> c({.lengths = {1, 0, 65}, .heads = 2, .kv_heads = 1, .dim = 6});
    const uint32_t seed_before = simt::schedule_seed();
    const auto run = [&](uint32_t seed) {
        simt::set_schedule_seed(seed);  // of the simt device; elsewhere a second run
        const auto forward = c.forward(tested_device(), kRunForward);
        const auto backward = c.backward(forward, tested_device(), kRunBackward);
        simt::set_schedule_seed(seed_before);
        return std::pair(forward, backward);
    };
    const auto [forward, backward] = run(seed_before);
    for (uint32_t seed = 1; seed <= 10; ++seed) {
        const auto [out, gradients] = run(seed);
        CHECK(same_bits(out.out, forward.out));
        CHECK(same_bits(out.out_rest, forward.out_rest));
        CHECK(same_bits(out.lse, forward.lse));
        CHECK(same_bits(gradients.grad_q, backward.grad_q));
        CHECK(same_bits(gradients.grad_k, backward.grad_k));
        CHECK(same_bits(gradients.grad_v, backward.grad_v));
    }
}

TEST_CASE("attention: a long row agrees with the reference") {
    const AttentionShape alone{.lengths = {257}, .heads = 2, .kv_heads = 1, .dim = 64};
    check_forward(AttentionCase<float>(alone));
    check_forward(AttentionCase<float>(
        {.lengths = {1, 33}, .history = {257, 257}, .heads = 2, .kv_heads = 1, .dim = 64}));
    check_backward(AttentionCase<float>({.lengths = {257}, .heads = 1, .kv_heads = 1, .dim = 64}));
}

TEST_CASE("attention: a long row among many agrees with the reference") {
    std::vector<int32_t> lengths(512, 0);  // so many that a GPU's block has several tiles
    lengths[1] = 1;
    lengths[300] = 130;
    for (const int dim : {65, 6, 129}) {
        if (dim != 65 && every_access_is_judged()) continue;
        CAPTURE(dim);
        const AttentionCase<float> c({.lengths = lengths, .heads = 1, .kv_heads = 1, .dim = dim});
        check_forward(c);
        check_backward(c);
    }
}

TEST_CASE("attention_backward: a query sends no gradient to later keys or other rows") {
    AttentionCase<float> c({.lengths = {70, 130}, .heads = 2, .kv_heads = 1, .dim = 33});
    constexpr int kQuery = 70 + 65;  // the only one with a gradient
    for (int i = 0; i < std::ssize(c.grad_out); ++i)
        if (i / 66 != kQuery) c.grad_out[i] = 0.0f;
    const auto gradient =
        c.backward(c.forward(tested_device(), kRunForward), tested_device(), kRunBackward);
    for (int token = 0; token < 200; ++token) {
        CAPTURE(token);
        const bool reached = token >= 70 && token <= kQuery;
        CHECK((gradient.grad_k[token * 33] != 0.0f) == reached);
        CHECK((gradient.grad_v[token * 33] != 0.0f) == reached);
        CHECK((gradient.grad_q[token * 66] != 0.0f) == (token == kQuery));
    }
}

TEST_CASE_TEMPLATE("attention: the number of threads changes no bit", T, float, bf16) {
    const AttentionCase<T> c({.lengths = {1, 31, 0, 65}, .heads = 4, .kv_heads = 2, .dim = 6});
    const auto with = [&](int threads) {
        return with_threads(threads, [&] {
            const auto forward = c.forward(tested_device(), kRunForward);
            return std::pair(forward, c.backward(forward, tested_device(), kRunBackward));
        });
    };
    const auto one = with(1), two = with(2), again = with(2);
    CHECK(same_bits(one.first.out, two.first.out));
    CHECK(same_bits(one.first.out_rest, two.first.out_rest));
    CHECK(same_bits(one.first.lse, two.first.lse));
    CHECK(same_bits(one.second.grad_q, two.second.grad_q));
    CHECK(same_bits(one.second.grad_k, two.second.grad_k));
    CHECK(same_bits(one.second.grad_v, two.second.grad_v));
    CHECK(same_bits(two.second.grad_k, again.second.grad_k));
}

TEST_CASE("attention: no rows is a no-op; wrong shapes and missing tensors are errors") {
    CHECK_NOTHROW(attention_forward(
        AttentionForward<float>{.heads = 2, .kv_heads = 1, .head_dim = 8}, test_stream()));
    CHECK_NOTHROW(attention_backward(
        AttentionBackward<float>{.heads = 2, .kv_heads = 1, .head_dim = 8}, test_stream()));
    const auto forward = [](int heads, int kv_heads, int dim, int rows) {
        attention_forward(
            AttentionForward<float>{
                .rows = rows, .heads = heads, .kv_heads = kv_heads, .head_dim = dim},
            test_stream());
    };
    CHECK_THROWS_WITH(
        forward(3, 2, 8, 1),
        "attention_forward: 3 query heads and 2 key heads; expected a whole number of "
        "query heads a key head");
    CHECK_THROWS_AS(forward(3, 0, 8, 1), Error);
    CHECK_THROWS_WITH(forward(2, 1, 257, 1),
                      "attention_forward: head_dim is 257; expected 1 to 256");
    CHECK_THROWS_AS(forward(2, 1, 0, 1), Error);
    CHECK_THROWS_WITH(forward(2, 1, 8, -1), "attention_forward: -1 rows; expected 0 or more");
    CHECK_THROWS_WITH(forward(2, 1, 8, 1),
                      "attention_forward: out, q, k, v or query_starts is null");
    CHECK_THROWS_WITH(
        attention_backward(
            AttentionBackward<bf16>{.rows = 1, .heads = 2, .kv_heads = 1, .head_dim = 8},
            test_stream()),
        "attention_backward: one of its tensors is null");
}
