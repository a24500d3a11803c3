// RMSNorm: every device against the reference in double.

#include "kernels/normalization/rmsnorm.h"

#include "kernels/normalization/rmsnorm_reference.h"
#include "tests/support/devices.h"
#include "tests/support/doctest.h"

namespace {

struct Shape {
    int64_t rows;
    int groups;
    int channels;
    int64_t input_stride;  // 0: groups * channels
    int64_t out_stride;

    int64_t inputs() const { return rows * (input_stride ? input_stride : groups * channels); }
    int64_t outs() const { return rows * (out_stride ? out_stride : groups * channels); }
};
// The last two are a head's norm inside rows of q, k and v.
constexpr Shape kShapes[] = {{1, 1, 1, 0, 0},     {3, 1, 31, 0, 0},     {9, 1, 33, 0, 0},
                             {5, 1, 257, 0, 0},   {4, 1, 768, 0, 0},    {3, 1, 8200, 0, 0},
                             {2100, 1, 64, 0, 0}, {70, 3, 5, 0, 0},     {31, 16, 64, 0, 0},
                             {9, 4, 32, 200, 0},  {65, 2, 64, 131, 140}};

// A float result differs from the double oracle by its sums of up to 768 terms; a bf16 one by the
// final rounding, half a unit, which a float error just before it can make a whole one.
template <typename T>
constexpr double kTolerance = 1e-5;
template <>
constexpr double kTolerance<bf16> = kUlp<bf16>;
constexpr double kStatisticsTolerance = 1e-5;

template <typename T>
struct Case {
    Shape shape;
    bool with_residual;
    std::vector<T> input, branch, weight, grad_out, grad_residual;
    std::vector<Accumulator<T>> rstd, grad_weight;

    Case(Shape s, bool residual)
        : shape(s),
          with_residual(residual),
          input(normal<T>(s.inputs(), 0.3, 1.0, /*seed=*/1)),
          branch(normal<T>(s.inputs(), 0.0, 1.0, /*seed=*/2)),
          weight(normal<T>(s.channels, 1.0, 0.1, /*seed=*/3)),
          grad_out(normal<T>(s.outs(), 0.0, 1.0, /*seed=*/4)),
          grad_residual(normal<T>(s.inputs(), 0.0, 1.0, /*seed=*/5)),
          grad_weight(normal<Accumulator<T>>(s.channels, 0.0, 1.0, /*seed=*/6)) {}
};

template <typename T>
struct ForwardResult {
    std::vector<T> out, residual_out;
    std::vector<Accumulator<T>> rstd;
};

// With `in_place`, residual_out is the input's own memory, as the contract allows.
template <typename T, typename Op>
ForwardResult<T> forward(const Case<T>& c, Device device, const Op& op, bool in_place = false) {
    Buffer<T> input(device, c.input), branch(device, c.branch), weight(device, c.weight),
        out(device, c.shape.outs()), residual(device, c.shape.inputs());
    Buffer<Accumulator<T>> rstd(device, c.shape.rows * c.shape.groups);
    op(RmsNormForward<T>{.out = out.data(),
                         .residual_out = in_place ? input.data() : residual.data(),
                         .rstd = rstd.data(),
                         .input = input.data(),
                         .branch = c.with_residual ? branch.data() : nullptr,
                         .weight = weight.data(),
                         .rows = c.shape.rows,
                         .groups = c.shape.groups,
                         .channels = c.shape.channels,
                         .input_stride = c.shape.input_stride,
                         .out_stride = c.shape.out_stride});
    return {out.to_host(), (in_place ? input : residual).to_host(), rstd.to_host()};
}

template <typename T>
struct BackwardResult {
    std::vector<T> grad_input;
    std::vector<Accumulator<T>> grad_weight;
};

enum class Overwrite { nothing, grad_residual, grad_out };

template <typename T, typename Op>
BackwardResult<T> backward(const Case<T>& c, Device device, const Op& op,
                           Overwrite overwrite = Overwrite::nothing) {
    using A = Accumulator<T>;
    Case<T> plain = c;
    plain.with_residual = false;
    const auto kept =
        forward(plain, Device::cpu, [](const auto& args) { rmsnorm_forward_reference(args); });
    Buffer<T> grad_out(device, c.grad_out), past(device, c.grad_residual), input(device, c.input),
        weight(device, c.weight), fresh(device, c.shape.inputs());
    Buffer<A> rstd(device, kept.rstd), grad_weight(device, c.grad_weight);
    Buffer<char> scratch(device, rmsnorm_backward_scratch_bytes(c.shape.channels, sizeof(A)));
    Buffer<T>& grad_input = overwrite == Overwrite::nothing         ? fresh
                            : overwrite == Overwrite::grad_residual ? past
                                                                    : grad_out;
    op(RmsNormBackward<T>{.grad_input = grad_input.data(),
                          .grad_weight = grad_weight.data(),
                          .scratch = scratch.data(),
                          .grad_out = grad_out.data(),
                          .grad_residual = c.with_residual ? past.data() : nullptr,
                          .input = input.data(),
                          .weight = weight.data(),
                          .rstd = rstd.data(),
                          .rows = c.shape.rows,
                          .groups = c.shape.groups,
                          .channels = c.shape.channels,
                          .input_stride = c.shape.input_stride,
                          .out_stride = c.shape.out_stride});
    return {grad_input.to_host(), grad_weight.to_host()};
}

constexpr auto run_forward = [](const auto& args) { rmsnorm_forward(args, test_stream()); };
constexpr auto run_backward = [](const auto& args) { rmsnorm_backward(args, test_stream()); };
constexpr auto oracle_forward = [](const auto& args) { rmsnorm_forward_reference(args); };
constexpr auto oracle_backward = [](const auto& args) { rmsnorm_backward_reference(args); };

}  // namespace

TEST_CASE_TEMPLATE("rmsnorm: agrees with the reference and leaves the gaps alone", T, float, bf16) {
    for (const Shape shape : kShapes) {
        for (const bool with_residual : {false, true}) {
            CAPTURE(shape.rows);
            CAPTURE(shape.channels);
            CAPTURE(with_residual);
            const Case<T> c(shape, with_residual);
            const auto actual = forward(c, tested_device(), run_forward);
            const auto expected = forward(c, Device::cpu, oracle_forward);
            CHECK(max_relative_error(actual.out, expected.out) <= kTolerance<T>);
            CHECK(max_relative_error(actual.rstd, expected.rstd) <= kStatisticsTolerance);
            // A sum of two is rounded once on both sides, and gaps are zero on both.
            CHECK(same_bits(actual.residual_out, expected.residual_out));

            const auto back = backward(c, tested_device(), run_backward);
            const auto expected_back = backward(c, Device::cpu, oracle_backward);
            // One channel has no gradient but epsilon's: what is left there is rounding.
            if (shape.channels > 1 || with_residual)
                CHECK(max_relative_error(back.grad_input, expected_back.grad_input) <=
                      kTolerance<T>);
            CHECK(max_relative_error(back.grad_weight, expected_back.grad_weight) <=
                  kStatisticsTolerance);
        }
    }
}

TEST_CASE_TEMPLATE("rmsnorm: outputs may overwrite what the contract allows", T, float, bf16) {
    const Case<T> c({9, 2, 33, 70, 70}, /*residual=*/true);
    const auto apart = forward(c, tested_device(), run_forward);
    auto in_place = forward(c, tested_device(), run_forward, /*in_place=*/true);
    CHECK(same_bits(apart.out, in_place.out));
    const auto back = backward(c, tested_device(), run_backward);
    for (const Overwrite overwrite : {Overwrite::grad_residual, Overwrite::grad_out}) {
        const auto over = backward(c, tested_device(), run_backward, overwrite);
        CHECK(same_bits(over.grad_weight, back.grad_weight));
        for (int64_t i = 0; i < 9 * 70; ++i)  // what lies in the gaps differs
            if (i % 70 < 66) CHECK(float(over.grad_input[i]) == float(back.grad_input[i]));
    }
}

TEST_CASE("rmsnorm: large and small rows are normalised alike") {
    Case<float> c({3, 1, 40, 0, 0}, /*residual=*/false);
    for (int d = 0; d < 40; ++d) {
        c.input[40 + d] = c.input[d] * 0x1p60f;  // its squares pass 2^120
        c.input[80 + d] = c.input[d] * 0x1p10f;
    }
    const auto out = forward(c, tested_device(), run_forward).out;
    for (int d = 0; d < 40; ++d) {
        CHECK(out[40 + d] == doctest::Approx(out[d]).epsilon(1e-5));  // epsilon counts in row 0
        CHECK(out[80 + d] == doctest::Approx(out[d]).epsilon(1e-5));
    }
}

TEST_CASE("rmsnorm: a NaN stays in its group; zeros give zeros") {
    Case<float> c({3, 2, 33, 0, 0}, /*residual=*/false);
    c.input[70] = std::numeric_limits<float>::quiet_NaN();  // row 1, group 0
    std::fill(c.input.begin() + 132, c.input.end(), 0.0f);
    const auto out = forward(c, tested_device(), run_forward).out;
    for (int i = 0; i < 198; ++i) {
        CHECK(std::isnan(out[i]) == (i / 33 == 2));
        if (i >= 132) CHECK(out[i] == 0.0f);
    }
}

TEST_CASE("rmsnorm: the double form's backward is the derivative of its forward") {
    Case<double> c({3, 2, 7, 15, 16}, /*residual=*/false);
    c.grad_weight.assign(7, 0.0);
    for (int64_t i = 0; i < c.shape.outs(); ++i)
        if (i % 16 >= 14) c.grad_out[i] = 0.0;  // gaps
    const auto loss = [&] {
        const auto result = forward(
            c, Device::cpu, [](const auto& a) { rmsnorm_forward(a, {.device = Device::cpu}); });
        double sum = 0.0;
        for (size_t i = 0; i < result.out.size(); ++i) sum += c.grad_out[i] * result.out[i];
        return sum;
    };
    const auto result = backward(
        c, Device::cpu, [](const auto& a) { rmsnorm_backward(a, {.device = Device::cpu}); });
    CHECK(finite_difference_error(c.input, result.grad_input, loss) < 1e-8);
    CHECK(finite_difference_error(c.weight, result.grad_weight, loss) < 1e-8);
}

TEST_CASE_TEMPLATE("rmsnorm: the number of threads changes no bit", T, float, bf16) {
    const Case<T> c({301, 2, 65, 0, 0}, /*residual=*/true);
    const auto with = [&](int threads) {
        return with_threads(threads, [&] {
            return std::pair(forward(c, tested_device(), run_forward),
                             backward(c, tested_device(), run_backward));
        });
    };
    const auto one = with(1), two = with(2);
    CHECK(same_bits(one.first.out, two.first.out));
    CHECK(same_bits(one.second.grad_input, two.second.grad_input));
    CHECK(same_bits(one.second.grad_weight, two.second.grad_weight));
}

TEST_CASE("rmsnorm: on a GPU, more groups than a grid or channels than shared memory are errors") {
    const auto forward_of = [](int groups) {
        forward(Case<float>({1, groups, 1, 0, 0}, /*residual=*/false), tested_device(),
                run_forward);
    };
    const auto backward_of = [](int channels) {
        backward(Case<float>({1, 1, channels, 0, 0}, /*residual=*/false), tested_device(),
                 run_backward);
    };
    CHECK_NOTHROW(backward_of(40'960));
    if (tested_device() == Device::cpu) {
        CHECK_NOTHROW(forward_of(65'536));
        CHECK_NOTHROW(backward_of(40'961));
    } else {
        CHECK_THROWS_WITH_AS(forward_of(65'536),
                             "rmsnorm_forward: 65536 groups, expected at most 65535", Error);
        CHECK_THROWS_WITH_AS(backward_of(40'961),
                             "rmsnorm_backward: 40961 channels, expected at most 40960", Error);
    }
}

TEST_CASE("rmsnorm: no rows is a no-op; wrong shapes and missing tensors are errors") {
    CHECK_NOTHROW(rmsnorm_forward(RmsNormForward<float>{.channels = 4}, test_stream()));
    CHECK_NOTHROW(rmsnorm_backward(RmsNormBackward<float>{.channels = 4}, test_stream()));
    CHECK_THROWS_WITH(rmsnorm_forward(RmsNormForward<float>{.rows = 1}, test_stream()),
                      "rmsnorm_forward: channels is 0, expected at least 1");
    CHECK_THROWS_WITH(
        rmsnorm_forward(
            RmsNormForward<float>{.rows = 1, .groups = 2, .channels = 4, .input_stride = 7},
            test_stream()),
        "rmsnorm_forward: strides are 7 and 8, expected at least groups * channels = 8");
    CHECK_THROWS_WITH(
        rmsnorm_backward(RmsNormBackward<float>{.rows = 1, .channels = 4}, test_stream()),
        "rmsnorm_backward: grad_input is null, expected [1, 1, 4]");
}
