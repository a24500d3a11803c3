// AdamW: every device against the reference, and the reference against torch's order of operations.

#include "kernels/adamw/adamw.h"

#include "kernels/adamw/adamw_reference.h"
#include "tests/support/devices.h"
#include "tests/support/doctest.h"

namespace {

// Hyperparameters that make every term of the formula matter.
template <typename T>
AdamW<T> settings(int64_t step) {
    return {.step = step,
            .learning_rate = 0.01,
            .beta1 = 0.8,
            .beta2 = 0.95,
            .epsilon = 1e-4,
            .weight_decay = 0.1};
}

template <typename T>
struct State {
    using A = Accumulator<T>;
    std::vector<A> master, moment1, moment2, gradient;
    std::vector<T> weight;

    explicit State(int64_t count)
        : master(normal<A>(count, 0.0, 1.0, /*seed=*/1)),
          moment1(normal<A>(count, 0.0, 0.1, /*seed=*/2)),
          moment2(normal<A>(count, 0.0, 0.1, /*seed=*/3)),
          gradient(normal<A>(count, 0.0, 1.0, /*seed=*/4)),
          weight(converted<T>(master)) {
        for (A& v : moment2) v = std::abs(v);
    }
};

struct Flags {
    bool with_scale = true;
    int finite = 1;
    bool weight_is_master = false;  // T = float only
};

// `state` after one update; the gradient stays as it was.
template <typename T, typename Op>
State<T> updated(State<T> state, Device device, AdamW<T> args, const Op& op, Flags flags = {}) {
    using A = Accumulator<T>;
    Buffer<A> master(device, state.master), moment1(device, state.moment1),
        moment2(device, state.moment2), gradient(device, state.gradient);
    Buffer<T> weight(device, state.weight);
    const Buffer<float> scale(device, std::vector{0.5f});
    const Buffer<int> finite(device, std::vector{flags.finite});
    args.weight = weight.data();
    if constexpr (std::is_same_v<T, A>)
        if (flags.weight_is_master) args.weight = master.data();
    args.master = master.data();
    args.moment1 = moment1.data();
    args.moment2 = moment2.data();
    args.gradient = gradient.data();
    args.gradient_scale = flags.with_scale ? scale.data() : nullptr;
    args.finite = finite.data();
    args.count = static_cast<int64_t>(state.master.size());
    op(args);
    state.master = master.to_host();
    state.moment1 = moment1.to_host();
    state.moment2 = moment2.to_host();
    state.weight = weight.to_host();
    return state;
}

constexpr auto run = [](const auto& args) { adamw(args, test_stream()); };

}  // namespace

TEST_CASE_TEMPLATE("adamw: agrees with the reference", T, float, bf16) {
    for (const int64_t count : {1, 3, 31, 33, 257, 1000, 70001}) {
        for (const int64_t step : {1, 2, 1000}) {
            for (const bool with_scale : {false, true}) {
                CAPTURE(count);
                CAPTURE(step);
                const State<T> before(count);
                const Flags flags{.with_scale = with_scale};
                const auto args = settings<T>(step);
                const auto actual = updated(before, tested_device(), args, run, flags);
                const auto expected = updated(before, Device::cpu, args, adamw_reference<T>, flags);
                // A dozen float operations, each within half a unit in the last place.
                CHECK(max_relative_error(actual.master, expected.master) <= 1e-6);
                CHECK(max_relative_error(actual.moment1, expected.moment1) <= 1e-6);
                CHECK(max_relative_error(actual.moment2, expected.moment2) <= 1e-6);
                CHECK(same_bits(actual.weight, converted<T>(actual.master)));
            }
        }
    }
}

TEST_CASE("adamw: the reference takes torch's steps in torch's order") {
    State<double> state(5);
    auto p = state.master, m = state.moment1, v = state.moment2;
    for (int step = 1; step <= 3; ++step) {
        const AdamW<double> args = settings<double>(step);
        state = updated(state, Device::cpu, args, adamw_reference<double>, {.with_scale = false});
        for (int i = 0; i < 5; ++i) {  // torch.optim.adamw._single_tensor_adamw, line by line
            const double gradient = state.gradient[i];
            p[i] *= 1 - 0.01 * 0.1;
            m[i] += (gradient - m[i]) * (1 - 0.8);
            v[i] = v[i] * 0.95 + (1 - 0.95) * gradient * gradient;
            const double step_size = 0.01 / (1 - std::pow(0.8, step));
            const double denominator = std::sqrt(v[i]) / std::sqrt(1 - std::pow(0.95, step)) + 1e-4;
            p[i] += -step_size * (m[i] / denominator);
        }
    }
    CHECK(max_relative_error(state.master, p) < 1e-14);
    CHECK(max_relative_error(state.moment1, m) < 1e-14);
    CHECK(max_relative_error(state.moment2, v) < 1e-14);
}

TEST_CASE("adamw: a tiny gradient at step 1 still moves by the learning rate") {
    // m / sqrt(v) is 1 after bias correction however small the gradient, as long as its square is
    // a float and epsilon is smaller.
    State<float> state(4);
    state.moment1.assign(4, 0.0f);
    state.moment2.assign(4, 0.0f);
    state.gradient.assign(4, 1e-15f);
    const AdamW<float> args{.learning_rate = 0.01, .epsilon = 1e-30};
    const auto after = updated(state, tested_device(), args, run, {.with_scale = false});
    for (int i = 0; i < 4; ++i)
        CHECK(after.master[i] - state.master[i] == doctest::Approx(-0.01).epsilon(1e-4));
}

TEST_CASE_TEMPLATE("adamw: a lowered finite flag leaves every bit as it was", T, float, bf16) {
    State<T> before(100);
    before.gradient[7] = std::numeric_limits<float>::infinity();
    const auto after = updated(before, tested_device(), settings<T>(1), run, {.finite = 0});
    CHECK(same_bits(after.master, before.master));
    CHECK(same_bits(after.moment1, before.moment1));
    CHECK(same_bits(after.moment2, before.moment2));
    CHECK(same_bits(after.weight, before.weight));
}

TEST_CASE("adamw: the weight may be the master") {
    const State<float> before(1000);
    const auto apart = updated(before, tested_device(), settings<float>(3), run);
    const auto shared = updated(before, tested_device(), settings<float>(3), run,
                                {.with_scale = true, .finite = 1, .weight_is_master = true});
    CHECK(same_bits(apart.master, shared.master));
}

TEST_CASE_TEMPLATE("adamw: the number of threads changes no bit", T, float, bf16) {
    const State<T> before(50001);
    const auto with = [&](int threads) {
        return with_threads(threads,
                            [&] { return updated(before, tested_device(), settings<T>(2), run); });
    };
    const auto one = with(1), two = with(2);
    CHECK(same_bits(one.master, two.master));
    CHECK(same_bits(one.moment2, two.moment2));
}

TEST_CASE("adamw: no parameters is a no-op; wrong settings and missing tensors are errors") {
    CHECK_NOTHROW(adamw(AdamW<float>{}, test_stream()));
    CHECK_THROWS_WITH(adamw(AdamW<float>{.step = 0}, test_stream()),
                      "adamw: step is 0, expected 1 or more (steps are 1-based)");
    CHECK_THROWS_AS(adamw(AdamW<float>{.count = -1}, test_stream()), Error);
    CHECK_THROWS_AS(adamw(AdamW<float>{.beta2 = 1.0}, test_stream()), Error);
    CHECK_THROWS_AS(adamw(AdamW<float>{.count = 1}, test_stream()), Error);
}
