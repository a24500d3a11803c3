// SwiGLU: every device against the reference in double.

#include "kernels/nonlinearity/swiglu.h"

#include "kernels/nonlinearity/swiglu_reference.h"
#include "tests/support/devices.h"
#include "tests/support/doctest.h"

namespace {

struct Shape {
    int64_t rows;
    int channels;
};
constexpr Shape kShapes[] = {{1, 1},   {3, 31},   {8, 32},   {9, 33},
                             {2, 257}, {5, 1536}, {3, 8200}, {300, 65}};

// Results are products of three or four factors, each within a few float roundings; in bf16 a float
// error just before the final rounding can make it a whole unit.
template <typename T>
constexpr double kTolerance = 2e-6;
template <>
constexpr double kTolerance<bf16> = kUlp<bf16>;

constexpr auto run_forward = [](const auto& args) { swiglu_forward(args, test_stream()); };
constexpr auto run_backward = [](const auto& args) { swiglu_backward(args, test_stream()); };
constexpr auto oracle_forward = [](const auto& args) { swiglu_forward_reference(args); };
constexpr auto oracle_backward = [](const auto& args) { swiglu_backward_reference(args); };

template <typename T, typename Op>
std::vector<T> forward(const std::vector<T>& gate_up, Shape shape, Device device, const Op& op) {
    Buffer<T> x(device, gate_up), out(device, shape.rows * shape.channels);
    op(SwigluForward<T>{
        .out = out.data(), .gate_up = x.data(), .rows = shape.rows, .channels = shape.channels});
    return out.to_host();
}

template <typename T, typename Op>
std::vector<T> backward(const std::vector<T>& gate_up, const std::vector<T>& grad_out, Shape shape,
                        Device device, const Op& op, bool in_place = false) {
    Buffer<T> x(device, gate_up), g(device, grad_out), out(device, 2 * shape.rows * shape.channels);
    op(SwigluBackward<T>{.grad_gate_up = in_place ? x.data() : out.data(),
                         .grad_out = g.data(),
                         .gate_up = x.data(),
                         .rows = shape.rows,
                         .channels = shape.channels});
    return (in_place ? x : out).to_host();
}

template <typename T>
struct Inputs {
    std::vector<T> gate_up, grad_out;
    explicit Inputs(Shape shape)
        : gate_up(normal<T>(2 * shape.rows * shape.channels, 0.0, 3.0, /*seed=*/1)),
          grad_out(normal<T>(shape.rows * shape.channels, 0.0, 1.0, /*seed=*/2)) {}
};

}  // namespace

TEST_CASE_TEMPLATE("swiglu: agrees with the reference", T, float, bf16) {
    for (const Shape shape : kShapes) {
        CAPTURE(shape.rows);
        CAPTURE(shape.channels);
        const Inputs<T> in(shape);
        CHECK(max_relative_error(forward(in.gate_up, shape, tested_device(), run_forward),
                                 forward(in.gate_up, shape, Device::cpu, oracle_forward)) <=
              kTolerance<T>);
        CHECK(max_relative_error(
                  backward(in.gate_up, in.grad_out, shape, tested_device(), run_backward),
                  backward(in.gate_up, in.grad_out, shape, Device::cpu, oracle_backward)) <=
              kTolerance<T>);
    }
}

TEST_CASE_TEMPLATE("swiglu_backward: the gradient may overwrite the gates and ups", T, float,
                   bf16) {
    for (const Shape shape : {Shape{9, 33}, Shape{3, 1536}}) {
        const Inputs<T> in(shape);
        CHECK(same_bits(backward(in.gate_up, in.grad_out, shape, tested_device(), run_backward),
                        backward(in.gate_up, in.grad_out, shape, tested_device(), run_backward,
                                 /*in_place=*/true)));
    }
}

TEST_CASE("swiglu: gates far from zero are closed or open, with slopes 0 and 1") {
    const std::vector<float> gates{-3e30f, -1e4f, -90.0f, 90.0f, 1e4f, 3e30f};
    std::vector<float> gate_up = gates;
    gate_up.insert(gate_up.end(), 6, 1.0f);
    const Shape shape{1, 6};
    const auto out = forward(gate_up, shape, tested_device(), run_forward);
    const auto grad =
        backward(gate_up, std::vector<float>(6, 1.0f), shape, tested_device(), run_backward);
    for (int i = 0; i < 6; ++i) {
        CAPTURE(gates[i]);
        CHECK(std::abs(out[i] - std::max(gates[i], 0.0f)) <= 1e-30f);
        CHECK(std::abs(grad[i] - (gates[i] > 0.0f ? 1.0f : 0.0f)) <= 1e-30f);
        CHECK(std::abs(grad[6 + i] - out[i]) <= 1e-30f);
    }
}

TEST_CASE("swiglu: the double form's backward is the derivative of its forward") {
    const Shape shape{3, 7};
    Inputs<double> in(shape);
    const auto loss = [&] {
        const auto out = forward(in.gate_up, shape, Device::cpu,
                                 [](const auto& a) { swiglu_forward(a, {.device = Device::cpu}); });
        double sum = 0.0;
        for (size_t i = 0; i < out.size(); ++i) sum += in.grad_out[i] * out[i];
        return sum;
    };
    const auto gradient = backward(in.gate_up, in.grad_out, shape, Device::cpu, [](const auto& a) {
        swiglu_backward(a, {.device = Device::cpu});
    });
    CHECK(finite_difference_error(in.gate_up, gradient, loss) < 1e-8);
}

TEST_CASE_TEMPLATE("swiglu: the number of threads changes no bit", T, float, bf16) {
    const Shape shape{301, 650};
    const Inputs<T> in(shape);
    const auto with = [&](int threads) {
        return with_threads(threads, [&] {
            return std::pair(
                forward(in.gate_up, shape, tested_device(), run_forward),
                backward(in.gate_up, in.grad_out, shape, tested_device(), run_backward));
        });
    };
    const auto one = with(1), two = with(2);
    CHECK(same_bits(one.first, two.first));
    CHECK(same_bits(one.second, two.second));
}

TEST_CASE("swiglu: no rows is a no-op; wrong shapes and missing tensors are errors") {
    CHECK_NOTHROW(swiglu_forward(SwigluForward<float>{.channels = 4}, test_stream()));
    CHECK_NOTHROW(swiglu_backward(SwigluBackward<float>{.channels = 4}, test_stream()));
    CHECK_THROWS_WITH(swiglu_forward(SwigluForward<float>{.rows = 1}, test_stream()),
                      "swiglu_forward: channels is 0, expected at least 1");
    CHECK_THROWS_WITH(
        swiglu_forward(SwigluForward<float>{.rows = -1, .channels = 4}, test_stream()),
        "swiglu_forward: rows is -1, expected at least 0");
    CHECK_THROWS_WITH(
        swiglu_backward(SwigluBackward<float>{.rows = 2, .channels = 4}, test_stream()),
        "swiglu_backward: grad_gate_up is null, expected [2, 8]");
}
