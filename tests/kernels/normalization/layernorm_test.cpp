// LayerNorm: every device against the reference. One program for all: --device cpu|cuda|simt.

#include "kernels/normalization/layernorm.h"

#include "kernels/normalization/layernorm_reference.h"
#include "tests/support/devices.h"
#include "tests/support/doctest.h"

namespace {

struct Shape {
    int64_t rows;
    int channels;
};
constexpr Shape kShapes[] = {{1, 1},   {3, 31},  {8, 32},   {9, 33},   {70, 5},
                             {5, 257}, {4, 768}, {5, 1030}, {3, 8200}, {2100, 64}};

// A float result differs from the double oracle by its sums of up to 768 terms; a bf16 one by the
// final rounding, half a unit, which a float error just before it can make a whole one.
template <typename T>
constexpr double kTolerance = 1e-5;
template <>
constexpr double kTolerance<bf16> = kUlp<bf16>;
constexpr double kStatisticsTolerance = 1e-5;

template <typename T>
struct ForwardCase {
    Shape shape;
    std::vector<T> input, branch, weight, bias;

    ForwardCase(Shape s, double mean, bool with_branch)
        : shape(s),
          input(normal<T>(s.rows * s.channels, mean, 1.0, /*seed=*/1)),
          branch(normal<T>(with_branch ? s.rows * s.channels : 0, 0.0, 1.0, /*seed=*/2)),
          weight(normal<T>(s.channels, 1.0, 0.1, /*seed=*/3)),
          bias(normal<T>(s.channels, 0.0, 0.1, /*seed=*/4)) {}
};

template <typename T>
struct ForwardResult {
    std::vector<T> out, residual_out;
    std::vector<Accumulator<T>> mean, rstd;
};

// With `in_place`, residual_out is the input's own memory, as the contract allows.
template <typename T, typename Op>
ForwardResult<T> forward(const ForwardCase<T>& c, Device device, const Op& op,
                         bool in_place = false) {
    const auto [rows, channels] = c.shape;
    Buffer<T> input(device, c.input), branch(device, c.branch), weight(device, c.weight),
        bias(device, c.bias), out(device, rows * channels),
        residual(device, in_place ? 0 : c.branch.size());
    Buffer<Accumulator<T>> mean(device, rows), rstd(device, rows);
    T* residual_out = in_place ? input.data() : residual.data();
    op(LayerNormForward<T>{.out = out.data(),
                           .residual_out = residual_out,
                           .mean = mean.data(),
                           .rstd = rstd.data(),
                           .input = input.data(),
                           .branch = branch.data(),
                           .weight = weight.data(),
                           .bias = bias.data(),
                           .rows = rows,
                           .channels = channels});
    return {out.to_host(), (in_place ? input : residual).to_host(), mean.to_host(), rstd.to_host()};
}

template <typename T>
struct BackwardCase {
    Shape shape;
    std::vector<T> grad_out, grad_residual, input, weight;
    std::vector<Accumulator<T>> mean, rstd, grad_weight, grad_bias;

    BackwardCase(Shape s, bool with_residual)
        : shape(s),
          grad_out(normal<T>(s.rows * s.channels, 0.0, 1.0, /*seed=*/5)),
          grad_residual(normal<T>(with_residual ? s.rows * s.channels : 0, 0.0, 1.0, /*seed=*/6)),
          grad_weight(normal<Accumulator<T>>(s.channels, 0.0, 1.0, /*seed=*/7)),
          grad_bias(normal<Accumulator<T>>(s.channels, 0.0, 1.0, /*seed=*/8)) {
        const ForwardCase<T> c(s, /*mean=*/0.5, /*with_branch=*/false);
        const auto result = forward(c, Device::cpu, layernorm_forward_reference<T>);
        input = c.input;
        weight = c.weight;
        mean = result.mean;
        rstd = result.rstd;
    }
};

template <typename T>
struct BackwardResult {
    std::vector<T> grad_input;
    std::vector<Accumulator<T>> grad_weight, grad_bias;
};

template <typename T, typename Op>
BackwardResult<T> backward(const BackwardCase<T>& c, Device device, const Op& op,
                           bool in_place = false) {
    using A = Accumulator<T>;
    const auto [rows, channels] = c.shape;
    Buffer<T> grad_out(device, c.grad_out), past(device, c.grad_residual), input(device, c.input),
        weight(device, c.weight), fresh(device, in_place ? 0 : rows * channels);
    Buffer<A> mean(device, c.mean), rstd(device, c.rstd), grad_weight(device, c.grad_weight),
        grad_bias(device, c.grad_bias);
    Buffer<char> scratch(device, layernorm_backward_scratch_bytes(channels, sizeof(A)));
    Buffer<T>& grad_input = in_place ? past : fresh;
    op(LayerNormBackward<T>{.grad_input = grad_input.data(),
                            .grad_weight = grad_weight.data(),
                            .grad_bias = grad_bias.data(),
                            .scratch = scratch.data(),
                            .grad_out = grad_out.data(),
                            .grad_residual = past.data(),
                            .input = input.data(),
                            .weight = weight.data(),
                            .mean = mean.data(),
                            .rstd = rstd.data(),
                            .rows = rows,
                            .channels = channels});
    return {grad_input.to_host(), grad_weight.to_host(), grad_bias.to_host()};
}

constexpr auto run_forward = [](const auto& args) { layernorm_forward(args, test_stream()); };
constexpr auto run_backward = [](const auto& args) { layernorm_backward(args, test_stream()); };

}  // namespace

TEST_CASE_TEMPLATE("layernorm_forward: agrees with the reference", T, float, bf16) {
    for (const Shape shape : kShapes) {
        for (const bool with_branch : {false, true}) {
            CAPTURE(shape.rows);
            CAPTURE(shape.channels);
            CAPTURE(with_branch);
            const ForwardCase<T> c(shape, /*mean=*/0.3, with_branch);
            const auto actual = forward(c, tested_device(), run_forward);
            const auto expected = forward(c, Device::cpu, layernorm_forward_reference<T>);
            CHECK(max_relative_error(actual.out, expected.out) <= kTolerance<T>);
            CHECK(max_relative_error(actual.mean, expected.mean) <= kStatisticsTolerance);
            CHECK(max_relative_error(actual.rstd, expected.rstd) <= kStatisticsTolerance);
            CHECK(same_bits(actual.residual_out, expected.residual_out));
        }
    }
}

TEST_CASE_TEMPLATE("layernorm_forward: the sum may overwrite the input", T, float, bf16) {
    const ForwardCase<T> c({9, 33}, /*mean=*/0.0, /*with_branch=*/true);
    const auto apart = forward(c, tested_device(), run_forward);
    const auto in_place = forward(c, tested_device(), run_forward, /*in_place=*/true);
    CHECK(same_bits(apart.out, in_place.out));
    CHECK(same_bits(apart.residual_out, in_place.residual_out));
}

TEST_CASE("layernorm_forward: rows far from zero keep their precision") {
    // In float, 1000^2 + 1 keeps four bits of the 1: a one-pass variance fails here. A float mean
    // near 1000 has a spacing of 6e-5, an error that every output of the row then carries.
    const ForwardCase<float> c({4, 768}, /*mean=*/1000.0, /*with_branch=*/false);
    const auto actual = forward(c, tested_device(), run_forward);
    const auto expected = forward(c, Device::cpu, layernorm_forward_reference<float>);
    CHECK(max_relative_error(actual.out, expected.out) < 1e-3);
}

TEST_CASE("layernorm_forward: a constant row gives the bias") {
    ForwardCase<float> c({2, 40}, /*mean=*/0.0, /*with_branch=*/false);
    std::fill(c.input.begin(), c.input.end(), 3.0f);
    const auto actual = forward(c, tested_device(), run_forward);
    for (int i = 0; i < 80; ++i) CHECK(actual.out[i] == doctest::Approx(c.bias[i % 40]));
}

TEST_CASE_TEMPLATE("layernorm_backward: agrees with the reference", T, float, bf16) {
    for (const Shape shape : kShapes) {
        for (const bool with_residual : {false, true}) {
            CAPTURE(shape.rows);
            CAPTURE(shape.channels);
            CAPTURE(with_residual);
            const BackwardCase<T> c(shape, with_residual);
            const auto actual = backward(c, tested_device(), run_backward);
            const auto expected = backward(c, Device::cpu, layernorm_backward_reference<T>);
            // One channel has no gradient: what is left there is rounding, of either sign.
            if (shape.channels > 1 || with_residual)
                CHECK(max_relative_error(actual.grad_input, expected.grad_input) <= kTolerance<T>);
            CHECK(max_relative_error(actual.grad_weight, expected.grad_weight) <= 1e-5);
            CHECK(max_relative_error(actual.grad_bias, expected.grad_bias) <= 1e-5);
        }
    }
}

TEST_CASE_TEMPLATE("layernorm_backward: may overwrite the gradient that flows past", T, float,
                   bf16) {
    const BackwardCase<T> c({9, 33}, /*with_residual=*/true);
    const auto apart = backward(c, tested_device(), run_backward);
    const auto in_place = backward(c, tested_device(), run_backward, /*in_place=*/true);
    CHECK(same_bits(apart.grad_input, in_place.grad_input));
}

TEST_CASE("layernorm: the reference's backward is the derivative of its forward") {
    const Shape shape{3, 7};
    ForwardCase<double> c(shape, /*mean=*/0.2, /*with_branch=*/false);
    const auto slope = normal<double>(shape.rows * shape.channels, 0.0, 1.0, /*seed=*/9);
    const auto run = [](const auto& args) { layernorm_forward(args, {.device = Device::cpu}); };
    const auto loss = [&] {
        const auto result = forward(c, Device::cpu, run);
        double sum = 0.0;
        for (size_t i = 0; i < slope.size(); ++i) sum += slope[i] * result.out[i];
        return sum;
    };
    BackwardCase<double> b(shape, /*with_residual=*/false);
    const auto kept = forward(c, Device::cpu, run);
    b.grad_out = slope;
    b.input = c.input;
    b.weight = c.weight;
    b.mean = kept.mean;
    b.rstd = kept.rstd;
    b.grad_weight.assign(7, 0.0);
    b.grad_bias.assign(7, 0.0);
    const auto result = backward(
        b, Device::cpu, [](const auto& a) { layernorm_backward(a, {.device = Device::cpu}); });
    CHECK(finite_difference_error(c.input, result.grad_input, loss) < 1e-8);
    CHECK(finite_difference_error(c.weight, result.grad_weight, loss) < 1e-8);
    CHECK(finite_difference_error(c.bias, result.grad_bias, loss) < 1e-8);
}

TEST_CASE_TEMPLATE("layernorm: the number of threads changes no bit", T, float, bf16) {
    const ForwardCase<T> f({301, 65}, /*mean=*/0.0, /*with_branch=*/true);
    const BackwardCase<T> b({301, 650}, /*with_residual=*/true);
    const auto forward_with = [&](int threads) {
        return with_threads(threads, [&] { return forward(f, tested_device(), run_forward); });
    };
    const auto backward_with = [&](int threads) {
        return with_threads(threads, [&] { return backward(b, tested_device(), run_backward); });
    };
    CHECK(same_bits(forward_with(1).out, forward_with(2).out));
    const auto one = backward_with(1), two = backward_with(2);
    CHECK(same_bits(one.grad_input, two.grad_input));
    CHECK(same_bits(one.grad_weight, two.grad_weight));
    CHECK(same_bits(one.grad_bias, two.grad_bias));
}

TEST_CASE("layernorm: a NaN stays in its row") {
    ForwardCase<float> c({3, 33}, /*mean=*/0.0, /*with_branch=*/false);
    c.input[40] = std::numeric_limits<float>::quiet_NaN();
    const auto actual = forward(c, tested_device(), run_forward);
    for (int i = 0; i < 99; ++i) CHECK(std::isnan(actual.out[i]) == (i / 33 == 1));
}

TEST_CASE("layernorm_backward: on a GPU, more channels than fit shared memory are an error") {
    const BackwardCase<float> most({1, 20480}, /*with_residual=*/false);
    const BackwardCase<float> more({1, 20481}, /*with_residual=*/false);
    CHECK_NOTHROW(backward(most, tested_device(), run_backward));
    if (tested_device() == Device::cpu) {
        CHECK_NOTHROW(backward(more, tested_device(), run_backward));
    } else {
        CHECK_THROWS_WITH_AS(backward(more, tested_device(), run_backward),
                             "layernorm_backward: 20481 channels, expected at most 20480", Error);
    }
}

TEST_CASE("layernorm: no rows is a no-op; wrong shapes and missing tensors are errors") {
    CHECK_NOTHROW(layernorm_forward(LayerNormForward<float>{.channels = 4}, test_stream()));
    CHECK_NOTHROW(layernorm_backward(LayerNormBackward<float>{.channels = 4}, test_stream()));
    CHECK_THROWS_AS(layernorm_forward(LayerNormForward<float>{.rows = 1}, test_stream()), Error);
    CHECK_THROWS_AS(
        layernorm_forward(LayerNormForward<float>{.rows = -1, .channels = 4}, test_stream()),
        Error);
    CHECK_THROWS_WITH(
        layernorm_forward(LayerNormForward<float>{.rows = 1, .channels = 4}, test_stream()),
        "layernorm_forward: out is null, expected a tensor");
    CHECK_THROWS_WITH(
        layernorm_backward(LayerNormBackward<float>{.rows = 1, .channels = 4}, test_stream()),
        "layernorm_backward: grad_input is null, expected a tensor");
}
