// From a model folder and a prompt to text, with models that always say the same.

#include "model/generate/text_generator.h"

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
    TextGenerator generator(const std::string& precision = "fp32") const {
        return TextGenerator(folder.path().string(), precision);
    }
};

const TextOptions kFive{.max_new_tokens = 5, .temperature = 0.0};

}  // namespace

TEST_CASE("text_generator: continues a prompt to the length asked for, and streams the same text") {
    const Parrot parrot('a');
    std::string streamed;
    TextGenerator generator = parrot.generator();
    const auto rows =
        generator.generate("xyz", kFive, [&](std::string_view piece) { streamed += piece; });
    REQUIRE(rows.size() == 1);
    CHECK(rows[0].text == "aaaaa");
    CHECK(rows[0].tokens == 5);
    CHECK(rows[0].finish_reason == "length");
    CHECK(streamed == rows[0].text);
    CHECK(generator.generate("another", kFive)[0].text == "aaaaa");
    CHECK(parrot.generator("bf16").generate("xyz", kFive)[0].text == "aaaaa");
}

TEST_CASE("text_generator: an empty prompt begins with BOS") {
    const Parrot parrot('a');
    CHECK(parrot.generator().generate("", kFive)[0].text == "aaaaa");
}

TEST_CASE("text_generator: an end token ends the text and is no part of it") {
    const Parrot silent('\0'), parrot('a');
    for (const auto& row :
         {silent.generator().generate("xyz", kFive)[0], parrot.generator().generate("xyz", [&] {
              TextOptions options = kFive;
              options.end_tokens = parrot.generator().prompt_ids("a");
              return options;
          }())[0]}) {
        CHECK(row.text.empty());
        CHECK(row.tokens == 0);
        CHECK(row.finish_reason == "stop");
    }
}

TEST_CASE("text_generator: a stop text ends it and is not shown") {
    const Parrot parrot('a');
    TextGenerator generator = parrot.generator();
    TextOptions options = kFive;
    options.stop = {"zz", "aaa"};
    std::string streamed;
    const auto row =
        generator.generate("xyz", options, [&](std::string_view piece) { streamed += piece; })[0];
    CHECK(row.text.empty());
    CHECK(streamed.empty());
    CHECK(row.tokens == 3);
    CHECK(row.finish_reason == "stop");
    options.stop = {"aaaaaa"};  // longer than the text: what was held back comes out at its end
    CHECK(generator.generate("xyz", options)[0].text == "aaaaa");
}

TEST_CASE("text_generator: a cancelled text keeps what there is of it") {
    const Parrot parrot('a');
    TextOptions options = kFive;
    int asked = 0;
    options.cancelled = [&] { return ++asked > 2; };
    const auto row = parrot.generator().generate("xyz", options)[0];
    CHECK(row.text == "aa");
    CHECK(row.finish_reason == "cancelled");
}

TEST_CASE("text_generator: ends where the model has no more positions, which is no stop") {
    const Parrot parrot('a');
    TextGenerator generator = parrot.generator();
    TextOptions options = kFive;
    options.max_new_tokens = 1000;
    const auto row = generator.generate(std::string(60, 'x'), options)[0];
    CHECK(row.tokens == 5);  // at positions 60 to 63; the fifth is drawn, not read
    CHECK(row.text == "aaaaa");
    CHECK(row.finish_reason == "length");
    CHECK(generator.generate(std::string(64, 'x'), options)[0].text == "a");
    CHECK(input_error([&] { generator.generate(std::string(65, 'x'), options); }) ==
          "--prompt: 65 tokens, expected at most the model's 64 positions");
}

TEST_CASE("text_generator: rows are drawn apart; only the first one streams") {
    const TemporaryFolder folder;
    write_tiny_model(folder.path(), -1, 0.0);  // every token as probable
    TextGenerator generator(folder.path().string(), "fp32");
    TextOptions options{.max_new_tokens = 20, .rows = 3, .seed = 5};
    std::string streamed;
    const auto rows =
        generator.generate("x", options, [&](std::string_view piece) { streamed += piece; });
    REQUIRE(rows.size() == 3);
    CHECK(streamed == rows[0].text);
    CHECK(rows[0].text != rows[1].text);
    CHECK(rows[1].text != rows[2].text);
    CHECK(generator.generate("x", options)[1].text == rows[1].text);
    options.seed = 6;
    CHECK(generator.generate("x", options)[1].text != rows[1].text);
}

TEST_CASE("text_generator: a folder that is no model and a tokenizer too large are refused") {
    const TemporaryFolder folder;
    CHECK(contains(input_error([&] { TextGenerator((folder / "absent").string(), "fp32"); }),
                   "--model"));
    write_tiny_model(folder.path(), -1, 0.0, /*vocabulary=*/50);
    TextGenerator generator(folder.path().string(), "fp32");
    CHECK(contains(input_error([&] { generator.generate("\xFF", kFive); }),
                   "--model: its tokenizer gives token"));
}
