// RoPE: every device against the reference in double.

#include "kernels/rope/rope.h"

#include "kernels/rope/rope_reference.h"
#include "tests/support/devices.h"
#include "tests/support/doctest.h"

namespace {

struct Shape {
    int64_t rows;
    int heads;
    int head_dim;
    int64_t stride;  // 0: heads * head_dim
};
constexpr Shape kShapes[] = {{1, 1, 2, 0},    {3, 2, 62, 0},      {5, 3, 64, 200},
                             {7, 1, 66, 67},  {33, 9, 64, 0},     {257, 1, 6, 0},
                             {31, 1, 514, 0}, {300, 2, 128, 512}, {2, 40, 128, 7168}};
constexpr int kPositions = 50;

// Two products and a sum of numbers of order 1; in bf16 a float error just before the final
// rounding can make it a whole unit.
template <typename T>
constexpr double kTolerance = 1e-6;
template <>
constexpr double kTolerance<bf16> = kUlp<bf16>;

template <typename T>
struct Case {
    Shape shape;
    std::vector<T> data;
    std::vector<Accumulator<T>> cos, sin;
    std::vector<int32_t> positions;

    explicit Case(Shape s) : shape(s) {
        const int64_t stride = s.stride != 0 ? s.stride : int64_t{s.heads} * s.head_dim;
        data = normal<T>(s.rows * stride, 0.0, 1.0, /*seed=*/1);
        for (int i = 0; i < kPositions * s.head_dim / 2; ++i) {
            cos.push_back(static_cast<Accumulator<T>>(std::cos(0.37 * i)));
            sin.push_back(static_cast<Accumulator<T>>(std::sin(0.37 * i)));
        }
        for (int64_t n = 0; n < s.rows; ++n) positions.push_back((n * 7 + 3) % kPositions);
    }
};

template <typename T, typename Op>
std::vector<T> rotate(const Case<T>& c, Device device, const Op& op, bool inverse = false) {
    Buffer<T> data(device, c.data);
    Buffer<Accumulator<T>> cos(device, c.cos), sin(device, c.sin);
    Buffer<int32_t> positions(device, c.positions);
    op(Rope<T>{.data = data.data(),
               .cos = cos.data(),
               .sin = sin.data(),
               .positions = positions.data(),
               .rows = c.shape.rows,
               .heads = c.shape.heads,
               .head_dim = c.shape.head_dim,
               .stride = c.shape.stride,
               .inverse = inverse});
    return data.to_host();
}

constexpr auto run = [](const auto& args) { rope(args, test_stream()); };
constexpr auto oracle = [](const auto& args) { rope_reference(args); };

}  // namespace

TEST_CASE_TEMPLATE("rope: agrees with the reference, forward and back", T, float, bf16) {
    for (const Shape shape : kShapes) {
        CAPTURE(shape.rows);
        CAPTURE(shape.head_dim);
        const Case<T> c(shape);
        for (const bool inverse : {false, true})
            CHECK(max_relative_error(rotate(c, tested_device(), run, inverse),
                                     rotate(c, Device::cpu, oracle, inverse)) <= kTolerance<T>);
    }
}

TEST_CASE("rope: leaves what lies between the rows' heads alone") {
    const Case<float> c({5, 3, 64, 200});
    const auto out = rotate(c, tested_device(), run);
    int64_t changed = 0;
    for (int64_t i = 0; i < 1000; ++i) {
        if (i % 200 >= 192) CHECK(out[i] == c.data[i]);
        changed += out[i] != c.data[i];
    }
    CHECK(changed > 900);
}

TEST_CASE("rope: a quarter turn swaps the halves of a head") {
    Case<float> c({1, 1, 4, 0});
    c.data = {1.0f, 2.0f, 3.0f, 4.0f};
    c.positions = {1};
    c.cos = {9.0f, 9.0f, 0.0f, 0.0f};  // position 1 is the second row
    c.sin = {9.0f, 9.0f, 1.0f, 1.0f};
    CHECK(rotate(c, tested_device(), run) == std::vector<float>{-3.0f, -4.0f, 1.0f, 2.0f});
    CHECK(rotate(c, tested_device(), run, /*inverse=*/true) ==
          std::vector<float>{3.0f, 4.0f, -1.0f, -2.0f});
}

TEST_CASE("rope: the inverse is the derivative of the double form") {
    const Shape shape{3, 2, 6, 0};
    Case<double> c(shape);
    const auto slope = normal<double>(36, 0.0, 1.0, /*seed=*/2);
    const auto cpu = [](const auto& a) { rope(a, {.device = Device::cpu}); };
    const auto loss = [&] {
        const auto out = rotate(c, Device::cpu, cpu);
        double sum = 0.0;
        for (size_t i = 0; i < out.size(); ++i) sum += slope[i] * out[i];
        return sum;
    };
    Case<double> back = c;
    back.data = slope;
    const auto gradient = rotate(back, Device::cpu, cpu, /*inverse=*/true);
    CHECK(finite_difference_error(c.data, gradient, loss) < 1e-8);
}

TEST_CASE_TEMPLATE("rope: the number of threads changes no bit", T, float, bf16) {
    const Case<T> c({1001, 3, 66, 0});
    const auto with = [&](int threads) {
        return with_threads(threads, [&] { return rotate(c, tested_device(), run); });
    };
    CHECK(same_bits(with(1), with(2)));
}

TEST_CASE("rope: no rows is a no-op; wrong shapes and missing tensors are errors") {
    CHECK_NOTHROW(rope(Rope<float>{.heads = 1, .head_dim = 2}, test_stream()));
    CHECK_THROWS_WITH(rope(Rope<float>{.rows = 1, .heads = 1, .head_dim = 3}, test_stream()),
                      "rope: head_dim is 3, expected an even number of at least 2");
    CHECK_THROWS_WITH(
        rope(Rope<float>{.rows = 1, .heads = 2, .head_dim = 4, .stride = 7}, test_stream()),
        "rope: stride is 7, expected at least heads * head_dim = 8");
    CHECK_THROWS_WITH(rope(Rope<float>{.rows = 1, .heads = 2, .head_dim = 4}, test_stream()),
                      "rope: data is null, expected [1, 2, 4]");
}
