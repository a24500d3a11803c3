// Embedding: every device against the reference.

#include "kernels/embedding/embedding.h"

#include "kernels/embedding/embedding_reference.h"
#include "tests/support/devices.h"
#include "tests/support/doctest.h"

namespace {

constexpr int kVocabulary = 40;
constexpr int kPositions = 17;

template <typename T>
struct Case {
    int64_t rows;
    int channels;
    bool with_positions;
    std::vector<int32_t> tokens, positions;
    std::vector<T> token_table, position_table;

    Case(int64_t n, int c, bool p)
        : rows(n),
          channels(c),
          with_positions(p),
          token_table(normal<T>(int64_t{kVocabulary} * c, 0.0, 1.0, /*seed=*/1)),
          position_table(normal<T>(int64_t{kPositions} * c, 0.0, 1.0, /*seed=*/2)) {
        for (int64_t i = 0; i < n; ++i) {
            tokens.push_back(static_cast<int32_t>(i * i % 7 == 2 ? 5 : (i * 11) % kVocabulary));
            positions.push_back(static_cast<int32_t>(i % kPositions));
        }
    }
};

template <typename T, typename Op>
std::vector<T> forward(const Case<T>& c, Device device, const Op& op) {
    Buffer<int32_t> tokens(device, c.tokens), positions(device, c.positions);
    Buffer<T> table(device, c.token_table), position_table(device, c.position_table),
        out(device, c.rows * c.channels);
    op(EmbeddingForward<T>{.out = out.data(),
                           .tokens = tokens.data(),
                           .positions = c.with_positions ? positions.data() : nullptr,
                           .token_table = table.data(),
                           .position_table = c.with_positions ? position_table.data() : nullptr,
                           .rows = c.rows,
                           .channels = c.channels});
    return out.to_host();
}

template <typename T>
struct Gradients {
    std::vector<Accumulator<T>> token_table, position_table;
};

template <typename T, typename Op>
Gradients<T> backward(const Case<T>& c, const std::vector<T>& grad_out, Device device, const Op& op,
                      bool with_tokens = true) {
    using A = Accumulator<T>;
    Buffer<int32_t> tokens(device, c.tokens), positions(device, c.positions);
    Buffer<T> grad(device, grad_out);
    // Gradients are added to what is there.
    Buffer<A> table(device, normal<A>(int64_t{kVocabulary} * c.channels, 0.0, 1.0, /*seed=*/3)),
        position_table(device, normal<A>(int64_t{kPositions} * c.channels, 0.0, 1.0, /*seed=*/4));
    op(EmbeddingBackward<T>{
        .grad_token_table = with_tokens ? table.data() : nullptr,
        .grad_position_table = c.with_positions ? position_table.data() : nullptr,
        .grad_out = grad.data(),
        .tokens = tokens.data(),
        .positions = positions.data(),
        .rows = c.rows,
        .channels = c.channels});
    return {table.to_host(), position_table.to_host()};
}

constexpr auto run_forward = [](const auto& args) { embedding_forward(args, test_stream()); };
constexpr auto run_backward = [](const auto& args) { embedding_backward(args, test_stream()); };
constexpr auto oracle_forward = [](const auto& args) { embedding_forward_reference(args); };
constexpr auto oracle_backward = [](const auto& args) { embedding_backward_reference(args); };

}  // namespace

// One addition, rounded once, and sums in the order of the tokens: equal to the bit. (A bf16 sum is
// rounded from the exact sum by the oracle and from a float by the device; two bf16 numbers whose
// exponents are at most 16 apart, as these, have a sum that is exact in float.)
TEST_CASE_TEMPLATE("embedding: gives the reference's bits", T, float, bf16) {
    for (const int64_t rows : {1, 31, 257}) {
        for (const int channels : {1, 31, 33, 64, 200}) {
            for (const bool with_positions : {false, true}) {
                CAPTURE(rows);
                CAPTURE(channels);
                CAPTURE(with_positions);
                const Case<T> c(rows, channels, with_positions);
                CHECK(same_bits(forward(c, tested_device(), run_forward),
                                forward(c, Device::cpu, oracle_forward)));
                const auto grad = normal<T>(rows * channels, 0.0, 1.0, /*seed=*/5);
                const auto actual = backward(c, grad, tested_device(), run_backward);
                const auto expected = backward(c, grad, Device::cpu, oracle_backward);
                CHECK(same_bits(actual.token_table, expected.token_table));
                CHECK(same_bits(actual.position_table, expected.position_table));
            }
        }
    }
}

TEST_CASE("embedding_backward: a frozen table gets nothing, the other all") {
    const Case<float> c(31, 33, /*positions=*/true);
    const auto grad = normal<float>(31 * 33, 0.0, 1.0, /*seed=*/5);
    const auto both = backward(c, grad, tested_device(), run_backward);
    const auto frozen = backward(c, grad, tested_device(), run_backward, /*with_tokens=*/false);
    CHECK(same_bits(frozen.token_table,
                    normal<float>(int64_t{kVocabulary} * 33, 0.0, 1.0, /*seed=*/3)));
    CHECK(same_bits(frozen.position_table, both.position_table));
}

TEST_CASE("embedding: the double form's backward is the derivative of its forward") {
    Case<double> c(9, 5, /*positions=*/true);
    const auto slope = normal<double>(45, 0.0, 1.0, /*seed=*/6);
    const auto loss = [&] {
        const auto out = forward(
            c, Device::cpu, [](const auto& a) { embedding_forward(a, {.device = Device::cpu}); });
        double sum = 0.0;
        for (size_t i = 0; i < out.size(); ++i) sum += slope[i] * out[i];
        return sum;
    };
    auto result = backward(c, slope, Device::cpu,
                           [](const auto& a) { embedding_backward(a, {.device = Device::cpu}); });
    const auto before_tokens = normal<double>(int64_t{kVocabulary} * 5, 0.0, 1.0, /*seed=*/3);
    const auto before_positions = normal<double>(int64_t{kPositions} * 5, 0.0, 1.0, /*seed=*/4);
    for (size_t i = 0; i < before_tokens.size(); ++i) result.token_table[i] -= before_tokens[i];
    for (size_t i = 0; i < before_positions.size(); ++i)
        result.position_table[i] -= before_positions[i];
    CHECK(finite_difference_error(c.token_table, result.token_table, loss) < 1e-8);
    CHECK(finite_difference_error(c.position_table, result.position_table, loss) < 1e-8);
}

TEST_CASE_TEMPLATE("embedding: the number of threads changes no bit", T, float, bf16) {
    const Case<T> c(500, 333, /*positions=*/true);
    const auto grad = normal<T>(500 * 333, 0.0, 1.0, /*seed=*/5);
    const auto with = [&](int threads) {
        return with_threads(threads, [&] {
            return std::pair(forward(c, tested_device(), run_forward),
                             backward(c, grad, tested_device(), run_backward));
        });
    };
    const auto one = with(1), two = with(2);
    CHECK(same_bits(one.first, two.first));
    CHECK(same_bits(one.second.token_table, two.second.token_table));
    CHECK(same_bits(one.second.position_table, two.second.position_table));
}

TEST_CASE("embedding: no rows is a no-op; wrong shapes and missing tensors are errors") {
    CHECK_NOTHROW(embedding_forward(EmbeddingForward<float>{.channels = 4}, test_stream()));
    CHECK_NOTHROW(embedding_backward(EmbeddingBackward<float>{.channels = 4}, test_stream()));
    CHECK_THROWS_WITH(embedding_forward(EmbeddingForward<float>{.rows = 1}, test_stream()),
                      "embedding_forward: channels is 0, expected at least 1");
    float out[4], table[4];
    CHECK_THROWS_WITH(
        embedding_forward(
            EmbeddingForward<float>{.out = out, .token_table = table, .rows = 1, .channels = 4},
            test_stream()),
        "embedding_forward: tokens is null, expected [1]");
    CHECK_THROWS_WITH(
        embedding_backward(EmbeddingBackward<float>{.rows = 1, .channels = 4}, test_stream()),
        "embedding_backward: grad_out is null, expected [1, 4]");
}
