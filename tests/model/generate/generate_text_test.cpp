// From a model folder and a prompt to text, with models that always say the same.

#include "model/generate/generate_text.h"

#include "model/text/tokenizer.h"
#include "tests/support/doctest.h"
#include "tests/support/temporary_folder.h"
#include "tests/support/tiny_model.h"

namespace {

// A model that says `byte` again and again; 0: that ends at once.
struct Parrot {
    TemporaryFolder folder;
    explicit Parrot(char byte) {
        write_tiny_model(folder.path(), -1, 0.0);
        const Tokenizer tokenizer = Tokenizer::from_folder(folder.path());
        const int32_t token = byte ? tokenizer.encode(std::string(1, byte)).at(0) : 0;
        write_tiny_model(folder.path(), token, /*logit=*/9.0);
    }
    GenerateTextOptions options() const {
        return {.model = folder.path().string(), .max_new_tokens = 5, .temperature = 0.0};
    }
};

}  // namespace

TEST_CASE("generate_text: continues a prompt to the length asked for, and streams the same text") {
    const Parrot parrot('a');
    std::string streamed;
    const auto rows =
        generate_text(parrot.options(), "xyz", [&](std::string_view piece) { streamed += piece; });
    REQUIRE(rows.size() == 1);
    CHECK(rows[0].text == "aaaaa");
    CHECK(rows[0].tokens == 5);
    CHECK(rows[0].finish_reason == "length");
    CHECK(streamed == rows[0].text);
    GenerateTextOptions narrow = parrot.options();
    narrow.precision = "bf16";
    CHECK(generate_text(narrow, "xyz")[0].text == "aaaaa");
}

TEST_CASE("generate_text: an empty prompt begins with BOS") {
    const Parrot parrot('a');
    CHECK(generate_text(parrot.options(), "")[0].text == "aaaaa");
}

TEST_CASE("generate_text: an end token ends the text and is no part of it") {
    const Parrot silent('\0');
    const auto row = generate_text(silent.options(), "xyz")[0];
    CHECK(row.text.empty());
    CHECK(row.tokens == 0);
    CHECK(row.finish_reason == "stop");
}

TEST_CASE("generate_text: a stop text ends it and is not shown") {
    const Parrot parrot('a');
    GenerateTextOptions options = parrot.options();
    options.stop = {"zz", "aaa"};
    std::string streamed;
    const auto row =
        generate_text(options, "xyz", [&](std::string_view piece) { streamed += piece; })[0];
    CHECK(row.text.empty());
    CHECK(streamed.empty());
    CHECK(row.tokens == 3);
    CHECK(row.finish_reason == "stop");
    options.stop = {"aaaaaa"};  // longer than the text: what was held back comes out at its end
    CHECK(generate_text(options, "xyz")[0].text == "aaaaa");
}

TEST_CASE("generate_text: ends where the model has no more positions, which is no stop") {
    const Parrot parrot('a');
    GenerateTextOptions options = parrot.options();
    options.max_new_tokens = 1000;
    const auto row = generate_text(options, std::string(60, 'x'))[0];
    CHECK(row.tokens == 5);  // at positions 60 to 63; the fifth is drawn, not read
    CHECK(row.text == "aaaaa");
    CHECK(row.finish_reason == "length");
    CHECK(generate_text(options, std::string(64, 'x'))[0].text == "a");
    CHECK(input_error([&] { generate_text(options, std::string(65, 'x')); }) ==
          "--prompt: 65 tokens, expected at most the model's 64 positions");
}

TEST_CASE("generate_text: rows are drawn apart; only the first one streams") {
    const TemporaryFolder folder;
    write_tiny_model(folder.path(), -1, 0.0);  // every token as probable
    GenerateTextOptions options{
        .model = folder.path().string(), .max_new_tokens = 20, .rows = 3, .seed = 5};
    std::string streamed;
    const auto rows =
        generate_text(options, "x", [&](std::string_view piece) { streamed += piece; });
    REQUIRE(rows.size() == 3);
    CHECK(streamed == rows[0].text);
    CHECK(rows[0].text != rows[1].text);
    CHECK(rows[1].text != rows[2].text);
    CHECK(generate_text(options, "x")[1].text == rows[1].text);
    options.seed = 6;
    CHECK(generate_text(options, "x")[1].text != rows[1].text);
}

TEST_CASE("generate_text: a folder that is no model and a tokenizer too large are refused") {
    const TemporaryFolder folder;
    CHECK(
        contains(input_error([&] { generate_text({.model = (folder / "absent").string()}, "x"); }),
                 "--model"));
    write_tiny_model(folder.path(), -1, 0.0, /*vocabulary=*/50);
    CHECK(contains(input_error([&] { generate_text({.model = folder.path().string()}, "\xFF"); }),
                   "--model: its tokenizer gives token"));
}
