// GELU: every device against the reference in double.

#include "kernels/nonlinearity/gelu.h"

#include "kernels/nonlinearity/gelu_reference.h"
#include "tests/support/devices.h"
#include "tests/support/doctest.h"

namespace {

constexpr int64_t kCounts[] = {1, 31, 32, 33, 257, 1000, 20011};

// A result of order 1 carries a few float roundings of factors of order 1 to 10; a bf16 one the
// final rounding, half a unit, which a float error just before it can make a whole one.
template <typename T>
constexpr double kTolerance = 2e-6;
template <>
constexpr double kTolerance<bf16> = kUlp<bf16>;

constexpr auto run_forward = [](const auto& args) { gelu_forward(args, test_stream()); };
constexpr auto run_backward = [](const auto& args) { gelu_backward(args, test_stream()); };
constexpr auto oracle_forward = [](const auto& args) { gelu_forward_reference(args); };
constexpr auto oracle_backward = [](const auto& args) { gelu_backward_reference(args); };

template <typename T, typename Op>
std::vector<T> forward(const std::vector<T>& input, Device device, const Op& op,
                       bool in_place = false) {
    Buffer<T> x(device, input), out(device, static_cast<int64_t>(input.size()));
    op(GeluForward<T>{.out = in_place ? x.data() : out.data(),
                      .input = x.data(),
                      .count = static_cast<int64_t>(input.size())});
    return (in_place ? x : out).to_host();
}

template <typename T, typename Op>
std::vector<T> backward(const std::vector<T>& input, const std::vector<T>& grad, Device device,
                        const Op& op, bool in_place = false) {
    Buffer<T> x(device, input), g(device, grad), out(device, static_cast<int64_t>(input.size()));
    op(GeluBackward<T>{.grad_input = in_place ? g.data() : out.data(),
                       .grad_out = g.data(),
                       .input = x.data(),
                       .count = static_cast<int64_t>(input.size())});
    return (in_place ? g : out).to_host();
}

}  // namespace

TEST_CASE_TEMPLATE("gelu: agrees with the reference", T, float, bf16) {
    for (const int64_t count : kCounts) {
        CAPTURE(count);
        const auto input = normal<T>(count, 0.0, 3.0, /*seed=*/1);
        const auto grad = normal<T>(count, 0.0, 1.0, /*seed=*/2);
        CHECK(max_relative_error(forward(input, tested_device(), run_forward),
                                 forward(input, Device::cpu, oracle_forward)) <= kTolerance<T>);
        CHECK(max_relative_error(backward(input, grad, tested_device(), run_backward),
                                 backward(input, grad, Device::cpu, oracle_backward)) <=
              kTolerance<T>);
    }
}

TEST_CASE_TEMPLATE("gelu: the output may overwrite what the contract allows", T, float, bf16) {
    const auto input = normal<T>(9001, 0.0, 3.0, /*seed=*/1);
    const auto grad = normal<T>(9001, 0.0, 1.0, /*seed=*/2);
    CHECK(same_bits(forward(input, tested_device(), run_forward),
                    forward(input, tested_device(), run_forward, /*in_place=*/true)));
    CHECK(same_bits(backward(input, grad, tested_device(), run_backward),
                    backward(input, grad, tested_device(), run_backward, /*in_place=*/true)));
}

TEST_CASE_TEMPLATE("gelu: operands may begin anywhere in a buffer, each elsewhere", T, float,
                   bf16) {
    const auto input = normal<T>(301, 0.0, 3.0, /*seed=*/1);
    const auto grad = normal<T>(303, 0.0, 1.0, /*seed=*/2);
    const auto run = [&](Device device, auto op_forward, auto op_backward) {
        const auto sevens = std::vector<T>(308, T(7.0f));
        Buffer<T> x(device, input), g(device, grad), out(device, sevens), slope(device, sevens);
        op_forward(GeluForward<T>{.out = out.data() + 5, .input = x.data() + 1, .count = 300});
        op_backward(GeluBackward<T>{.grad_input = slope.data() + 2,
                                    .grad_out = g.data() + 3,
                                    .input = x.data() + 1,
                                    .count = 300});
        return std::pair(out.to_host(), slope.to_host());
    };
    const auto actual = run(tested_device(), run_forward, run_backward);
    const auto expected = run(Device::cpu, oracle_forward, oracle_backward);
    CHECK(max_relative_error(actual.first, expected.first) <= kTolerance<T>);
    CHECK(max_relative_error(actual.second, expected.second) <= kTolerance<T>);
    for (const int i : {0, 1, 2, 3, 4, 305, 306, 307}) CHECK(float(actual.first[i]) == 7.0f);
    for (const int i : {0, 1, 302, 303, 304, 305}) CHECK(float(actual.second[i]) == 7.0f);
}

TEST_CASE("gelu: far from zero it is 0 or x, its derivative 0 or 1") {
    const std::vector<float> input{-3e38f, -1e20f, -1e4f, -40.0f, -11.0f,
                                   11.0f,  40.0f,  1e4f,  1e20f,  3e38f};
    const auto out = forward(input, tested_device(), run_forward);
    const auto slope = backward(input, std::vector<float>(10, 1.0f), tested_device(), run_backward);
    for (int i = 0; i < 10; ++i) {
        CAPTURE(input[i]);
        CHECK(std::abs(out[i] - std::max(input[i], 0.0f)) <= 1e-30f);
        CHECK(std::abs(slope[i] - (input[i] > 0.0f ? 1.0f : 0.0f)) <= 1e-30f);
    }
}

TEST_CASE("gelu: a NaN stays where it is") {
    std::vector<float> input(100, 1.0f);
    input[37] = std::numeric_limits<float>::quiet_NaN();
    const auto out = forward(input, tested_device(), run_forward);
    const auto slope =
        backward(input, std::vector<float>(100, 1.0f), tested_device(), run_backward);
    for (int i = 0; i < 100; ++i) {
        CHECK(std::isnan(out[i]) == (i == 37));
        CHECK(std::isnan(slope[i]) == (i == 37));
    }
}

TEST_CASE("gelu: the double form's backward is the derivative of its forward") {
    auto input = normal<double>(40, 0.0, 2.0, /*seed=*/3);
    const auto grad = normal<double>(40, 0.0, 1.0, /*seed=*/4);
    const auto loss = [&] {
        const auto out = forward(input, Device::cpu,
                                 [](const auto& a) { gelu_forward(a, {.device = Device::cpu}); });
        double sum = 0.0;
        for (size_t i = 0; i < out.size(); ++i) sum += grad[i] * out[i];
        return sum;
    };
    const auto gradient = backward(
        input, grad, Device::cpu, [](const auto& a) { gelu_backward(a, {.device = Device::cpu}); });
    CHECK(finite_difference_error(input, gradient, loss) < 1e-8);
}

TEST_CASE_TEMPLATE("gelu: the number of threads changes no bit", T, float, bf16) {
    const auto input = normal<T>(50'021, 0.0, 3.0, /*seed=*/5);
    const auto with = [&](int threads) {
        return with_threads(threads, [&] {
            return std::pair(forward(input, tested_device(), run_forward),
                             backward(input, input, tested_device(), run_backward));
        });
    };
    const auto one = with(1), two = with(2);
    CHECK(same_bits(one.first, two.first));
    CHECK(same_bits(one.second, two.second));
}

TEST_CASE("gelu: nothing is a no-op; wrong counts and missing tensors are errors") {
    CHECK_NOTHROW(gelu_forward(GeluForward<float>{}, test_stream()));
    CHECK_NOTHROW(gelu_backward(GeluBackward<float>{}, test_stream()));
    CHECK_THROWS_WITH(gelu_forward(GeluForward<float>{.count = -1}, test_stream()),
                      "gelu_forward: count is -1, expected at least 0");
    CHECK_THROWS_WITH(gelu_forward(GeluForward<float>{.count = 3}, test_stream()),
                      "gelu_forward: out is null, expected [3]");
    CHECK_THROWS_WITH(gelu_backward(GeluBackward<float>{.count = 3}, test_stream()),
                      "gelu_backward: grad_input is null, expected [3]");
}
