// Cuts spelt out; tokenizer_test.cpp compares a thousand strings with Hugging Face's.

#include "model/text/pre_tokenizer.h"

#include <string>

#include "tests/support/doctest.h"

namespace {

using Pattern = PreTokenizer::Pattern;
using Digits = PreTokenizer::Digits;

const PreTokenizer kGpt2{.pattern = Pattern::gpt2};
const PreTokenizer kLlama3{.pattern = Pattern::llama3, .max_number_chars = 3};
const PreTokenizer kQwen2{.pattern = Pattern::llama3, .max_number_chars = 1};
const PreTokenizer kSmolLm{.pattern = Pattern::gpt2, .digits = Digits::individual};

// The pieces with a bar between them.
std::string cut(const PreTokenizer& pre_tokenizer, std::string_view text) {
    std::string joined;
    for (const std::string_view piece : pre_tokenizer.split(text)) {
        CHECK_FALSE(piece.empty());
        joined += joined.empty() ? "" : "|";
        joined += piece;
    }
    return joined;
}

}  // namespace

TEST_CASE("gpt2: words take the space before them, runs of spaces leave one") {
    CHECK(cut(kGpt2, "Hello world") == "Hello| world");
    CHECK(cut(kGpt2, "a   b") == "a|  | b");
    CHECK(cut(kGpt2, "a \n b\n") == "a| \n| b|\n");
    CHECK(cut(kGpt2, "a\n\nb") == "a|\n|\n|b");
    CHECK(cut(kGpt2, "x  ") == "x|  ");
    CHECK(cut(kGpt2, " ") == " ");
    CHECK(cut(kGpt2, "a\u00A0b") == "a|\u00A0|b");
    CHECK(cut(kGpt2, "a \u3000b") == "a| |\u3000|b");
}

TEST_CASE("gpt2: contractions are lower case only") {
    CHECK(cut(kGpt2, "it's we'll I'M") == "it|'s| we|'ll| I|'|M");
    CHECK(cut(kGpt2, "don't 'tis they've'd") == "don|'t| '|tis| they|'ve|'d");
    CHECK(cut(kGpt2, "'s") == "'s");
    CHECK(cut(kGpt2, "'l '") == "'|l| '");
}

TEST_CASE("gpt2: letters, numbers and the rest are runs of their own") {
    CHECK(cut(kGpt2, "abc123!? x²") == "abc|123|!?| x|²");
    CHECK(cut(kGpt2, "e\u0301a") == "e|\u0301|a");
    CHECK(cut(kGpt2, " 12 ...") == " 12| ...");
    CHECK(cut(kGpt2,
              "\xFF\xFE"
              "a") == "\xFF\xFE|a");
}

TEST_CASE("llama3: contractions in any case, numbers by three, one odd character before a word") {
    CHECK(cut(kLlama3, "It'S WE'LL i'\u017F") == "It|'S| WE|'LL| i|'\u017F");
    CHECK(cut(kLlama3, "1234567") == "123|456|7");
    CHECK(cut(kLlama3, "(hello) \tx $y") == "(hello|)| |\tx| $|y");
    CHECK(cut(kLlama3, " 12") == " |12");
}

TEST_CASE("llama3: newlines go with punctuation before them, or with spaces before them") {
    CHECK(cut(kLlama3, "a.\n\nb") == "a|.\n\n|b");
    CHECK(cut(kLlama3, "a \n \n  b") == "a| \n \n| | b");
    CHECK(cut(kLlama3, "a\r\nb") == "a|\r\n|b");
    CHECK(cut(kLlama3, "a  ") == "a|  ");
    CHECK(cut(kLlama3, "! \n") == "!| \n");
    CHECK(cut(kLlama3, "\nb") == "\n|b");
}

TEST_CASE("qwen2: each number is a piece") { CHECK(cut(kQwen2, "x 42½") == "x| |4|2|½"); }

TEST_CASE("SmolLM: digits are cut first, and what looks ahead stops at them") {
    CHECK(cut(kSmolLm, "a 42 b") == "a| |4|2| b");
    CHECK(cut(kSmolLm, "a  7") == "a|  |7");
    CHECK(cut(kSmolLm, "it's ٣") == "it|'s| |٣");
    const PreTokenizer grouped{.pattern = Pattern::gpt2, .digits = Digits::grouped};
    CHECK(cut(grouped, "a  42 b") == "a|  |42| b");
}

TEST_CASE("no pattern: the text stays whole") {
    const PreTokenizer whole{.pattern = Pattern::none};
    CHECK(cut(whole, "one two\n3") == "one two\n3");
}

TEST_CASE("every cut covers its text") {
    std::string text;
    for (int i = 0; i < 5000; ++i) text.push_back(static_cast<char>(i * 7919 % 251 + i % 5));
    for (const PreTokenizer& pre_tokenizer : {kGpt2, kLlama3, kQwen2, kSmolLm}) {
        std::string joined;
        for (const std::string_view piece : pre_tokenizer.split(text)) joined += piece;
        CHECK(joined == text);
        CHECK(pre_tokenizer.split("").empty());
    }
}
