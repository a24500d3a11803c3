// Cross-entropy: every device against the reference in double.

#include "kernels/cross_entropy/cross_entropy.h"

#include "kernels/cross_entropy/cross_entropy_reference.h"
#include "tests/support/devices.h"
#include "tests/support/doctest.h"

namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();

// logprob is a difference of logits, exact to a unit of its own size, less the log of a float sum.
constexpr double kLogprobTolerance = 1e-6;
// A gradient is a quotient of two exponentials, each within 1 ulp, and a float sum; in bf16 a float
// error just before the final rounding can make it a whole unit.
template <typename T>
constexpr double kGradientTolerance = 1e-6;
template <>
constexpr double kGradientTolerance<bf16> = kUlp<bf16>;

template <typename T>
struct Case {
    int64_t rows, vocabulary;
    std::vector<Accumulator<T>> logits, grad_logprob;
    std::vector<int32_t> targets;

    Case(int64_t n, int64_t v, double deviation = 3.0)
        : rows(n),
          vocabulary(v),
          logits(normal<Accumulator<T>>(n * v, 1.0, deviation, /*seed=*/1)),
          grad_logprob(normal<Accumulator<T>>(n, 0.0, 1.0, /*seed=*/2)) {
        for (int64_t i = 0; i < n; ++i) targets.push_back(static_cast<int32_t>(i * 37 % v));
    }
};

template <typename T>
struct Result {
    std::vector<Accumulator<T>> logprob;
    std::vector<T> grad_logits;
};

template <typename T, typename Op>
Result<T> score(const Case<T>& c, Device device, const Op& op, bool with_gradient = true) {
    Buffer<Accumulator<T>> logits(device, c.logits), grad(device, c.grad_logprob),
        logprob(device, c.rows);
    Buffer<int32_t> targets(device, c.targets);
    // What was there must be gone.
    Buffer<T> grad_logits(device, normal<T>(c.rows * c.vocabulary, 0.0, 1.0, /*seed=*/3));
    op(CrossEntropy<T>{.logprob = logprob.data(),
                       .grad_logits = with_gradient ? grad_logits.data() : nullptr,
                       .logits = logits.data(),
                       .targets = targets.data(),
                       .grad_logprob = with_gradient ? grad.data() : nullptr,
                       .rows = c.rows,
                       .vocabulary = c.vocabulary});
    return {logprob.to_host(), grad_logits.to_host()};
}

constexpr auto run = [](const auto& args) { cross_entropy(args, test_stream()); };
constexpr auto oracle = [](const auto& args) { cross_entropy_reference(args); };

template <typename T>
void check_agreement(const Case<T>& c) {
    const auto actual = score(c, tested_device(), run);
    const auto expected = score(c, Device::cpu, oracle);
    CHECK(max_relative_error(actual.logprob, expected.logprob) <= kLogprobTolerance);
    CHECK(max_relative_error(actual.grad_logits, expected.grad_logits) <= kGradientTolerance<T>);
    CHECK(
        same_bits(score(c, tested_device(), run, /*with_gradient=*/false).logprob, actual.logprob));
}

}  // namespace

TEST_CASE_TEMPLATE("cross_entropy: agrees with the reference", T, float, bf16) {
    for (const int64_t vocabulary : {1, 2, 31, 32, 33, 257, 1023, 1024, 1025, 50257}) {
        CAPTURE(vocabulary);
        check_agreement(Case<T>(5, vocabulary));
    }
}

TEST_CASE("cross_entropy: one token is certain") {
    const auto result = score(Case<float>(3, 1), tested_device(), run);
    CHECK(result.logprob == std::vector<float>(3, 0.0f));
    for (const float grad : result.grad_logits) CHECK(grad == 0.0f);
}

TEST_CASE("cross_entropy: the gradient may overwrite the logits") {
    const Case<float> c(5, 1500);
    Buffer<float> logits(tested_device(), c.logits), grad(tested_device(), c.grad_logprob),
        logprob(tested_device(), c.rows);
    Buffer<int32_t> targets(tested_device(), c.targets);
    run(CrossEntropy<float>{.logprob = logprob.data(),
                            .grad_logits = logits.data(),
                            .logits = logits.data(),
                            .targets = targets.data(),
                            .grad_logprob = grad.data(),
                            .rows = c.rows,
                            .vocabulary = c.vocabulary});
    const auto apart = score(c, tested_device(), run);
    CHECK(same_bits(logits.to_host(), apart.grad_logits));
    CHECK(same_bits(logprob.to_host(), apart.logprob));
}

TEST_CASE_TEMPLATE("cross_entropy: a target of -1 is none", T, float, bf16) {
    Case<T> c(3, 70);
    c.targets[1] = -1;
    const auto result = score(c, tested_device(), run);
    CHECK(result.logprob[1] == 0.0f);
    for (int v = 0; v < 70; ++v) CHECK(float(result.grad_logits[70 + v]) == 0.0f);
    CHECK(result.logprob[0] < 0.0f);
    CHECK(result.logprob[2] < 0.0f);
}

TEST_CASE_TEMPLATE("cross_entropy: logits of +-10000 lose nothing", T, float, bf16) {
    Case<T> c(4, 3000, /*deviation=*/3000.0);
    c.logits[5] = 1e4f;
    c.logits[6] = 1e4f - 0.5f;
    c.logits[3000 + 2999] = 1e4f;  // the largest comes last: every earlier block is rescaled away
    c.targets = {6, 2999, 0, 1};
    for (int v = 0; v < 3000; ++v) c.logits[6000 + v] = -1e4f;  // a row far below zero
    check_agreement(c);
}

TEST_CASE("cross_entropy: -infinity is a probability of zero, wherever it stands") {
    Case<float> c(3, 2100);
    for (int v = 0; v < 1030; ++v) c.logits[v] = -kInfinity;  // a whole block
    c.targets[0] = 2000;
    for (int v = 1000; v < 2100; ++v) c.logits[2100 + v] = -kInfinity;
    c.targets[1] = 3;
    c.targets[2] = 7;
    c.logits[4200 + 7] = -kInfinity;  // an impossible target
    const auto result = score(c, tested_device(), run);
    const auto expected = score(c, Device::cpu, oracle);
    CHECK(max_relative_error(result.logprob, expected.logprob) <= kLogprobTolerance);
    CHECK(max_relative_error(result.grad_logits, expected.grad_logits) <=
          kGradientTolerance<float>);
    CHECK(result.logprob[2] == -kInfinity);
    for (int v = 0; v < 1030; ++v) CHECK(result.grad_logits[v] == 0.0f);
}

TEST_CASE("cross_entropy: a NaN or an infinite logit spoils its row and no other") {
    for (const float bad : {std::numeric_limits<float>::quiet_NaN(), kInfinity}) {
        for (const int at : {0, 1024, 1499}) {
            Case<float> c(3, 1500);
            c.logits[1500 + at] = bad;
            const auto result = score(c, tested_device(), run);
            CHECK(std::isfinite(result.logprob[0]));
            CHECK(std::isnan(result.logprob[1]));
            CHECK(std::isfinite(result.logprob[2]));
        }
    }
    Case<float> c(1, 8);  // a row of nothing but -infinity and a NaN
    std::fill(c.logits.begin(), c.logits.end(), -kInfinity);
    c.logits[3] = std::numeric_limits<float>::quiet_NaN();
    CHECK(std::isnan(score(c, tested_device(), run).logprob[0]));
}

TEST_CASE("cross_entropy: where the model is sure, the target's gradient keeps its digits") {
    // 1 - softmax is 2e-7 here: as a difference of floats it would keep one or two bits.
    Case<float> c(1, 3);
    c.logits = {16.0f, 0.0f, 0.0f};
    c.grad_logprob = {1.0f};
    c.targets = {0};
    const double expected = 1.0 - 1.0 / (1.0 + 2.0 * std::exp(-16.0));
    CHECK(score(c, tested_device(), run).grad_logits[0] == doctest::Approx(expected).epsilon(1e-6));
}

TEST_CASE("cross_entropy: the double form's gradient is the derivative of its logprob") {
    Case<double> c(3, 11);
    c.targets[1] = -1;
    const auto cpu = [](const auto& a) { cross_entropy(a, {.device = Device::cpu}); };
    const auto loss = [&] {
        const auto result = score(c, Device::cpu, cpu);
        double sum = 0.0;
        for (size_t n = 0; n < 3; ++n) sum += c.grad_logprob[n] * result.logprob[n];
        return sum;
    };
    const auto gradient = score(c, Device::cpu, cpu).grad_logits;
    CHECK(finite_difference_error(c.logits, gradient, loss) < 1e-8);
}

TEST_CASE_TEMPLATE("cross_entropy: the number of threads changes no bit", T, float, bf16) {
    const Case<T> c(67, 2077);
    const auto with = [&](int threads) {
        return with_threads(threads, [&] { return score(c, tested_device(), run); });
    };
    const auto one = with(1), two = with(2);
    CHECK(same_bits(one.logprob, two.logprob));
    CHECK(same_bits(one.grad_logits, two.grad_logits));
}

TEST_CASE("cross_entropy: no rows is a no-op; wrong shapes and missing tensors are errors") {
    CHECK_NOTHROW(cross_entropy(CrossEntropy<float>{.vocabulary = 4}, test_stream()));
    CHECK_THROWS_WITH(cross_entropy(CrossEntropy<float>{.rows = 1}, test_stream()),
                      "cross_entropy: vocabulary is 0, expected at least 1");
    CHECK_THROWS_WITH(
        cross_entropy(CrossEntropy<float>{.rows = -1, .vocabulary = 4}, test_stream()),
        "cross_entropy: rows is -1, expected at least 0");
    CHECK_THROWS_WITH(cross_entropy(CrossEntropy<float>{.rows = 1, .vocabulary = 4}, test_stream()),
                      "cross_entropy: logprob is null, expected [1]");
    float grad[4];
    CHECK_THROWS_WITH(
        cross_entropy(CrossEntropy<float>{.grad_logits = grad, .rows = 1, .vocabulary = 4},
                      test_stream()),
        "cross_entropy: grad_logprob is null, expected grad_logits and grad_logprob both given or "
        "both null");
}
