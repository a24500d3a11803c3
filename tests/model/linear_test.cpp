// A linear layer over the table: GPT-2's [in, out] storage and everyone else's [out, in].

#include "model/linear.h"

#include <numeric>

#include "kernels/matmul/matmul.h"
#include "model/decoder_layout.h"
#include "tests/support/devices.h"
#include "tests/support/doctest.h"
#include "tests/support/golden.h"

namespace {

constexpr int64_t kRows = 5;

// A model's first block and one of its linear layers, with inputs.
struct Case {
    GoldenModel<double> golden;
    Linear linear;
    std::vector<double> input, grad_out;

    Case(const std::string& model, Linear BlockLayout::*which)
        : golden(model),
          linear(decoder_layout(golden.folder.config, golden.table).blocks[0].*which),
          input(normal<double>(kRows * linear.in, 0.0, 1.0, /*seed=*/1)),
          grad_out(normal<double>(kRows * linear.out, 0.0, 1.0, /*seed=*/2)) {}

    std::vector<double> forward() const {
        std::vector<double> out(kRows * linear.out);
        linear_forward(golden.store, linear,
                       {.out = out.data(), .input = input.data(), .rows = kRows}, {});
        return out;
    }
    double loss() const {
        const auto out = forward();
        return std::inner_product(out.begin(), out.end(), grad_out.begin(), 0.0);
    }
    std::vector<double> backward() {
        std::vector<double> grad_input(kRows * linear.in);
        linear_backward(golden.store, linear,
                        {.grad_input = grad_input.data(),
                         .grad_out = grad_out.data(),
                         .input = input.data(),
                         .rows = kRows},
                        {});
        return grad_input;
    }
    double weight(int64_t out, int64_t in) const {
        const double* w = golden.store.weight(linear.weight);
        return linear.transposed ? w[in * linear.out + out] : w[out * linear.in + in];
    }
    // Whether `gradient`, of `count` numbers from the parameter on, is the slope of the loss.
    double gradient_error(int parameter, int64_t count) {
        double* weights = golden.store.weight(parameter);
        const double* gradient = golden.store.gradient(parameter);
        double error = 0.0, size = 0.0;
        for (int64_t i = 0; i < count; ++i) {
            const double kept = weights[i];
            weights[i] = kept + 0.5;  // the loss is linear in a weight: any step is exact
            const double above = loss();
            weights[i] = kept - 0.5;
            const double slope = above - loss();
            weights[i] = kept;
            error = std::max(error, std::abs(gradient[i] - slope));
            size = std::max(size, std::abs(slope));
        }
        return error / size;
    }
};

// GPT-2: transposed, bias. Qwen2: three joined matrices and biases. Llama: no bias.
struct Layer {
    const char* model;
    Linear BlockLayout::*which;
};
const Layer kLayers[] = {{"gpt2", &BlockLayout::qkv},
                         {"gpt2", &BlockLayout::mlp_out},
                         {"qwen2", &BlockLayout::qkv},
                         {"llama", &BlockLayout::mlp_in},
                         {"qwen3", &BlockLayout::attention_out}};

}  // namespace

TEST_CASE("linear_forward: is input times weight plus bias, however the weight is stored") {
    for (const Layer& layer : kLayers) {
        CAPTURE(layer.model);
        const Case c(layer.model, layer.which);
        std::vector<double> expected;
        for (int64_t n = 0; n < kRows; ++n) {
            for (int64_t o = 0; o < c.linear.out; ++o) {
                double sum = c.linear.bias < 0 ? 0.0 : c.golden.store.weight(c.linear.bias)[o];
                for (int64_t i = 0; i < c.linear.in; ++i)
                    sum += c.input[n * c.linear.in + i] * c.weight(o, i);
                expected.push_back(sum);
            }
        }
        CHECK(max_relative_error(c.forward(), expected) <= 1e-13);
    }
}

TEST_CASE("linear_backward: gradients of input, weight and bias are the slopes of a loss") {
    for (const Layer& layer : kLayers) {
        CAPTURE(layer.model);
        Case c(layer.model, layer.which);
        const auto grad_input = c.backward();
        CHECK(finite_difference_error(
                  c.input, grad_input, [&] { return c.loss(); }, 0.5) <= 1e-12);
        CHECK(c.gradient_error(c.linear.weight, c.linear.in * c.linear.out) <= 1e-12);
        if (c.linear.bias >= 0) CHECK(c.gradient_error(c.linear.bias, c.linear.out) <= 1e-12);
    }
}

TEST_CASE("linear_backward: adds to gradients, touches no other's, and may skip the input's") {
    Case c("gpt2", &BlockLayout::qkv);
    c.backward();
    const auto all = c.golden.store.all(Role::gradient);
    const std::vector<double> once(all.begin(), all.end());
    linear_backward(c.golden.store, c.linear,
                    {.grad_out = c.grad_out.data(), .input = c.input.data(), .rows = kRows}, {});
    for (int p = 0; p < c.golden.table.size(); ++p) {
        const Parameter& parameter = c.golden.table[p];
        CAPTURE(parameter.name);
        const bool ours = p == c.linear.weight || p == c.linear.bias;
        bool doubled = true, zero = true;
        for (int64_t i = parameter.offset; i < parameter.offset + parameter.count; ++i) {
            doubled = doubled && std::abs(all[i] - 2.0 * once[i]) <= 1e-12;
            zero = zero && all[i] == 0.0;
        }
        CHECK(doubled);
        CHECK(zero == !ours);
    }
}

TEST_CASE_TEMPLATE("linear: agrees with its double form", T, float, bf16) {
    const double tolerance = std::is_same_v<T, bf16> ? kUlp<bf16> : 1e-5;  // one final rounding
    for (const Layer& layer : kLayers) {
        CAPTURE(layer.model);
        GoldenModel<T> golden(layer.model);
        Case c(layer.model, layer.which);
        const Linear& linear = c.linear;
        const auto input = converted<T>(c.input), grad_out = converted<T>(c.grad_out);
        c.input = converted<double>(input);
        c.grad_out = converted<double>(grad_out);
        const auto rounded = golden.store.weights();
        std::transform(rounded.begin(), rounded.end(), c.golden.store.weights().begin(),
                       [](T value) { return static_cast<double>(value); });

        std::vector<T> out(kRows * linear.out), grad_input(kRows * linear.in);
        std::vector<unsigned char> scratch(std::max(matmul_scratch_bytes<T>(Device::cpu),
                                                    bias_gradient_scratch_bytes(linear.out)));
        linear_forward(
            golden.store, linear,
            {.out = out.data(), .input = input.data(), .scratch = scratch.data(), .rows = kRows},
            {});
        linear_backward(golden.store, linear,
                        {.grad_input = grad_input.data(),
                         .grad_out = grad_out.data(),
                         .input = input.data(),
                         .scratch = scratch.data(),
                         .rows = kRows},
                        {});
        CHECK(max_relative_error(out, c.forward()) <= tolerance);
        CHECK(max_relative_error(grad_input, c.backward()) <= tolerance);
        const auto actual = golden.store.all(Role::gradient);
        const auto expected = c.golden.store.all(Role::gradient);
        CHECK(max_relative_error(std::vector<double>(actual.begin(), actual.end()),
                                 std::vector<double>(expected.begin(), expected.end())) <= 1e-5);
    }
}
