// Perplexity of texts under models whose probabilities are known.

#include "eval/suites/perplexity.h"

#include <cmath>

#include "kernels/core/check.h"
#include "model/io/sha256.h"
#include "tests/support/doctest.h"
#include "tests/support/temporary_folder.h"
#include "tests/support/tiny_model.h"

namespace {

constexpr double kTolerance = 1e-6;  // a float log-probability; the logits are exact

struct Fixture {
    TemporaryFolder folder;
    ModelConfig config = tiny_config();
    ParameterTable table{config};
    ParameterStore<float> store{table};
    Tokenizer tokenizer = [this] {
        write_tiny_model(folder / "model", -1, 0.0);
        return Tokenizer::from_folder(folder / "model");
    }();

    Fixture() { store.allocate(Role::weight); }
    PerplexityText read(const std::string& text, int64_t max_length) const {
        put(folder / "text.txt", text);
        return read_perplexity_text(folder / "text.txt", tokenizer, /*start=*/0, max_length);
    }
    Perplexity measure(const PerplexityText& text, int64_t max_length) {
        Transformer<float> model(config, store, {.tokens = 64, .longest_row = max_length});
        return perplexity(model, text);
    }
    int32_t id(char byte) const { return tokenizer.encode(std::string(1, byte)).at(0); }
};

bool close(double actual, double expected) {
    return std::abs(actual - expected) <= kTolerance * std::abs(expected);
}

}  // namespace

TEST_CASE("perplexity: windows predict every token of the text once, each from the one before") {
    const Fixture fixture;
    const std::string text = "It is a truth universally acknowledged";
    const auto ids = fixture.tokenizer.encode(text);
    for (const int64_t length : {2, 3, 7, 20, 38, 39, 40, 64}) {
        CAPTURE(length);
        const Corpus windows = fixture.read(text, length).windows;
        std::vector<int32_t> predicted;
        int32_t before = 0;
        for (int64_t r = 0; r < windows.num_rows(); ++r) {
            const auto row = windows.row(r);
            CHECK(static_cast<int64_t>(row.size()) <= length);
            CHECK(row.size() >= 2);
            CHECK(row.front() == before);
            predicted.insert(predicted.end(), row.begin() + 1, row.end());
            before = row.back();
        }
        CHECK(predicted == ids);
        CHECK(windows.target_tokens() == static_cast<int64_t>(ids.size()));
    }
}

TEST_CASE("perplexity: a model that prefers nothing has the vocabulary's, and its bits a byte") {
    Fixture fixture;
    const auto text = fixture.read("To be, or not to be:\nthat is\tthe \xC3\xA9tude.  ", 16);
    CHECK(text.bytes == 42);
    CHECK(text.words == 10);
    const Perplexity result = fixture.measure(text, 16);
    CHECK(result.sum.tokens == 42);
    CHECK(close(result.nats_per_token(), std::log(257.0)));
    CHECK(close(result.token_perplexity(), 257.0));
    CHECK(close(result.bits_per_byte(), std::log2(257.0)));  // a token a byte
    CHECK(close(result.word_perplexity(), std::pow(257.0, 4.2)));
}

// p(a) = e^3 / (e^3 + 256), any other token's is 1 / (e^3 + 256).
TEST_CASE("perplexity: a model that favours a token is measured exactly") {
    Fixture fixture;
    favour(fixture.store, fixture.id('a'), 3.0);
    const Perplexity result = fixture.measure(fixture.read("aaab", 3), 3);
    const double sum = 4.0 * std::log(std::exp(3.0) + 256.0) - 3.0 * 3.0;
    CHECK(close(result.sum.loss, sum));
    CHECK(close(result.nats_per_token(), sum / 4.0));
    CHECK(close(result.bits_per_byte(), sum / 4.0 / std::log(2.0)));
    // Losses x, x, x and x + 3: variance 3^2 / 4, standard error 3 / 4.
    CHECK(std::abs(result.sum.standard_error() - 0.75) <= 1e-4);
}

TEST_CASE("perplexity: tokens of more bytes lower the bits a byte") {
    Fixture fixture;
    const auto text = fixture.read("ab<|endoftext|>", 8);
    CHECK(text.windows.target_tokens() == 3);
    CHECK(close(fixture.measure(text, 8).bits_per_byte(), 3.0 * std::log2(257.0) / 15.0));
}

TEST_CASE("read_perplexity_text: hashes the file; an empty one and windows of one are refused") {
    const Fixture fixture;
    CHECK(fixture.read("abc", 8).sha256 == sha256_of("abc"));
    const std::string path = (fixture.folder / "text.txt").string();
    CHECK(input_error([&] { fixture.read("", 8); }) == path + ": is empty, expected text");
    CHECK(input_error([&] { fixture.read("abc", 1); }) == "--max_length: is 1, expected 2 or more");
    CHECK(contains(input_error([&] {
                       read_perplexity_text(fixture.folder / "none", fixture.tokenizer, 0, 8);
                   }),
                   "none"));
}
