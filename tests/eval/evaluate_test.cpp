// From a model folder and a text to the JSON that bin/eval prints.

#include "eval/evaluate.h"

#include <cmath>
#include <nlohmann/json.hpp>

#include "model/io/json.h"
#include "model/io/sha256.h"
#include "tests/support/doctest.h"
#include "tests/support/temporary_folder.h"
#include "tests/support/tiny_model.h"

namespace {

struct Fixture {
    TemporaryFolder folder;
    std::string model = (folder / "model").string();
    std::string text = (folder / "text.txt").string();

    Fixture() {
        write_tiny_model(model, -1, 0.0);
        put(text, "one two three four five six seven eight");
    }
    EvaluateOptions options() const { return {.model = model, .suites = {"perplexity=" + text}}; }
};

std::string complaint(const EvaluateOptions& options) {
    return input_error([&] { evaluate(options); });
}

std::vector<std::string> keys(const nlohmann::ordered_json& object) {
    std::vector<std::string> names;
    for (const auto& [name, value] : object.items()) names.push_back(name);
    return names;
}

}  // namespace

TEST_CASE("evaluate: results carry their numbers, counts, standard error and the data's hash") {
    const Fixture fixture;
    const std::string output = evaluate(fixture.options());
    CHECK(output.back() == '\n');
    const auto json = parse_ordered_json(output, "output");
    CHECK(keys(json) == std::vector<std::string>{"model", "precision", "max_length", "results"});
    CHECK(json.at("model") == fixture.model);
    CHECK(json.at("precision") == "fp32");
    CHECK(json.at("max_length") == 64);  // the model's positions
    const auto& result = json.at("results").at("perplexity").at(fixture.text);
    CHECK(keys(result) == std::vector<std::string>{"nats_per_token", "standard_error",
                                                   "token_perplexity", "word_perplexity",
                                                   "bits_per_byte", "tokens", "words", "bytes",
                                                   "sha256"});
    CHECK(std::abs(result.at("nats_per_token").get<double>() - std::log(257.0)) <= 1e-5);
    CHECK(result.at("tokens") == 39);
    CHECK(result.at("words") == 8);
    CHECK(result.at("bytes") == 39);
    CHECK(result.at("sha256") == sha256_of("one two three four five six seven eight"));
}

TEST_CASE("evaluate: neither windows, batches nor bf16 change what a certain model scores") {
    const Fixture fixture;
    const auto nats = [&](EvaluateOptions options) {
        return parse_json(evaluate(options), "output")
            .at("results")
            .at("perplexity")
            .at(fixture.text)
            .at("nats_per_token")
            .get<double>();
    };
    EvaluateOptions options = fixture.options();
    const double expected = nats(options);
    options.max_length = 5;
    options.batch_tokens = 1;
    CHECK(std::abs(nats(options) - expected) <= 1e-6);
    options.precision = "bf16";
    CHECK(std::abs(nats(options) - expected) <= 1e-6);
}

TEST_CASE("evaluate: several texts are several results") {
    const Fixture fixture;
    const std::string other = (fixture.folder / "other.txt").string();
    put(other, "abc");
    EvaluateOptions options = fixture.options();
    options.suites.push_back("perplexity=" + other);
    const auto json = parse_json(evaluate(options), "output");
    CHECK(json.at("results").at("perplexity").size() == 2);
    CHECK(json.at("results").at("perplexity").at(other).at("tokens") == 3);
}

TEST_CASE("evaluate: what cannot be run is refused by the flag's or the file's name") {
    const Fixture fixture;
    EvaluateOptions options = fixture.options();
    options.suites = {"perplexity"};
    CHECK(complaint(options) ==
          "--suite: perplexity, expected NAME=PATH, for instance perplexity=text.txt");
    options.suites = {"juggling=" + fixture.text};
    CHECK(complaint(options) == "--suite: juggling, expected perplexity");
    options.suites = {"perplexity=" + fixture.model};
    CHECK(complaint(options) == "--suite: " + fixture.model + " is no file");
    put(fixture.folder / "caf\xe9.txt", "text");
    options.suites = {"perplexity=" + (fixture.folder / "caf\xe9.txt").string()};
    CHECK(contains(complaint(options), "is not UTF-8"));
    options = fixture.options();
    options.max_length = 65;
    CHECK(complaint(options) == "--max_length: is 65, expected at most the model's 64 positions");
    options.max_length = 1;
    CHECK(complaint(options) == "--max_length: is 1, expected 2 or more");
    options = fixture.options();
    options.model = (fixture.folder / "absent").string();
    CHECK(contains(complaint(options), "--model"));
}

TEST_CASE("evaluate: a tokenizer with more tokens than the model is refused") {
    const TemporaryFolder folder;
    write_tiny_model(folder / "model", -1, 0.0, /*vocabulary=*/200);
    put(folder / "text.txt", "abc");
    const std::string model = (folder / "model").string();
    CHECK(complaint({.model = model, .suites = {"perplexity=" + (folder / "text.txt").string()}}) ==
          model + ": its tokenizer has 257 tokens, its model a vocabulary of 200");
}
