// SentencePiece tokenizers against Hugging Face's `tokenizers` (tests/golden/tokenizer/small_llama,
// written by scripts/make_golden_tokenizer.py).

#include "model/text/sentence_piece.h"

#include <nlohmann/json.hpp>
#include <random>
#include <sstream>

#include "kernels/core/check.h"
#include "model/io/json.h"
#include "model/text/sentence_piece_json.h"
#include "model/text/tokenizer.h"
#include "tests/support/doctest.h"
#include "tests/support/temporary_folder.h"

using nlohmann::json;

namespace {

const std::filesystem::path kFolder = "tests/golden/tokenizer/small_llama";
using Prefix = SentencePiece::Prefix;

struct Form {
    const char* name;
    SentencePiece rule;
};

// What scripts/make_golden_tokenizer.py calls LLAMA_FORMS.
const Form kForms[] = {
    {"normalizer", {.prefix = Prefix::all, .strips_space = true}},
    {"no_prefix", {}},
    {"always", {.prefix = Prefix::all_without, .in_normalizer = false, .strips_space = true}},
    {"first", {.prefix = Prefix::first_if_without, .in_normalizer = false, .strips_space = true}},
    {"never", {.in_normalizer = false}},
    {"always_split",
     {.prefix = Prefix::all_without,
      .in_normalizer = false,
      .splits_words = true,
      .strips_space = true}},
};

// The golden tokenizer with another way of marking spaces.
Tokenizer tokenizer_with(const SentencePiece& rule) {
    nlohmann::ordered_json document =
        parse_ordered_json(read_text_file(kFolder / "tokenizer.json"), "golden");
    write_sentence_piece(rule, document);
    const TemporaryFolder folder;
    put(folder / "tokenizer.json", document.dump());
    return Tokenizer::from_folder(folder.path());
}

std::vector<json> golden_cases() {
    std::vector<json> cases;
    std::istringstream lines(read_text_file(kFolder / "cases.jsonl"));
    for (std::string line; std::getline(lines, line);)
        cases.push_back(parse_json(line, "cases.jsonl"));
    return cases;
}

SentencePiece read(const json& document) { return read_sentence_piece(document, "t.json"); }

}  // namespace

TEST_CASE("sentence piece: every way of marking spaces gives Hugging Face's ids and texts") {
    const auto cases = golden_cases();
    REQUIRE(cases.size() > 60);
    for (const Form& form : kForms) {
        const Tokenizer tokenizer = tokenizer_with(form.rule);
        for (const json& golden : cases) {
            const auto text = golden["text"].get<std::string>();
            const auto expected = golden[form.name]["ids"].get<std::vector<int32_t>>();
            CHECK_MESSAGE(tokenizer.encode(text) == expected, form.name, ": ", text);
            const auto decoded = golden[form.name]["decoded"].get<std::string>();
            CHECK_MESSAGE(tokenizer.decode(expected) == decoded, form.name, ": ", text);
        }
    }
}

TEST_CASE("sentence piece: any bytes come back, U+2581 as a space") {
    const Tokenizer tokenizer = Tokenizer::from_folder(kFolder);
    std::mt19937 random(1);
    for (int round = 0; round < 300; ++round) {
        std::string bytes(random() % 200, '\0');
        for (char& byte : bytes) byte = static_cast<char>(random() % (round % 2 ? 256 : 128));
        CHECK(tokenizer.decode(tokenizer.encode(bytes)) == marks_to_spaces(bytes));
    }
    CHECK(tokenizer.decode(tokenizer.encode("a\u2581\u2581b")) == "a  b");
}

TEST_CASE("sentence piece: text that grows token by token is the decoded text") {
    const Tokenizer tokenizer = Tokenizer::from_folder(kFolder);
    for (const std::string text : {"the man said", " the man", "😀 é", "<s>x", "x<mask>", ""}) {
        const auto ids = tokenizer.encode(text);
        std::string grown;
        for (size_t i = 0; i < ids.size(); ++i)
            grown += i == 0 ? tokenizer.first_token_bytes(ids[i]) : tokenizer.token_bytes(ids[i]);
        CHECK(grown == tokenizer.decode(ids));
    }
    const int32_t the = tokenizer.encode("the").at(0);
    CHECK(tokenizer.token_bytes(the) == " the");
    CHECK(tokenizer.first_token_bytes(the) == "the");
}

TEST_CASE("sentence piece: special tokens and what surrounds a text") {
    const Tokenizer tokenizer = Tokenizer::from_folder(kFolder);
    CHECK(tokenizer.prefix_ids() == std::vector<int32_t>{1});
    CHECK(tokenizer.is_special(1));
    const auto ids = tokenizer.encode("<s>the<unk> man</s>");
    CHECK(tokenizer.decode(ids) == "<s> the<unk>  man</s>");
    CHECK(tokenizer.decode(ids, /*skip_special=*/true) == "the  man");
}

TEST_CASE("sentence piece: merges that reach across words are not cut") {
    json document = read_json_file(kFolder / "tokenizer.json");
    const auto id = static_cast<int32_t>(document["model"]["vocab"].size()) + 10;
    document["model"]["vocab"]["e\u2581the"] = id;
    document["model"]["merges"].insert(document["model"]["merges"].begin(),
                                       json::array({"e", "\u2581the"}));
    const TemporaryFolder folder;
    put(folder / "tokenizer.json", document.dump());
    const Tokenizer tokenizer = Tokenizer::from_folder(folder.path());
    const auto ids = tokenizer.encode("z q te the");  // "the" is whole before "e" meets it
    CHECK(ids.back() == id);
}

TEST_CASE("read_sentence_piece: the published forms, and back") {
    for (const Form& form : kForms) {
        nlohmann::ordered_json document;
        write_sentence_piece(form.rule, document);
        CHECK(read(json::parse(document.dump())) == form.rule);
    }
    json older;
    nlohmann::ordered_json written;
    write_sentence_piece(kForms[0].rule, written);
    older["decoder"] = json::parse(written["decoder"].dump());
    older["pre_tokenizer"] = {
        {"type", "Metaspace"}, {"replacement", "\u2581"}, {"add_prefix_space", true}};
    CHECK(read(older) == kForms[5].rule);  // the defaults: always, split
}

TEST_CASE("read_sentence_piece: anything else is refused by its place") {
    nlohmann::ordered_json written;
    write_sentence_piece(kForms[0].rule, written);
    const json good = json::parse(written.dump());
    const auto complaint = [&](const std::string& pointer, const json& value) {
        json document = good;
        document[json::json_pointer(pointer)] = value;
        return input_error([&] { read(document); });
    };
    const json metaspace = {{"type", "Metaspace"}, {"prepend_scheme", "first"}};
    CHECK(complaint("/normalizer/normalizers/0/prepend", "_").starts_with("t.json: normalizer: "));
    CHECK(complaint("/normalizer", nullptr).starts_with("t.json: normalizer: found []"));
    CHECK(complaint("/normalizer", {{"type", "NFKC"}}) != "");
    CHECK(complaint("/normalizer/normalizers/1/pattern", {{"Regex", " "}}) != "");
    CHECK(complaint("/pre_tokenizer", metaspace).starts_with("t.json: pre_tokenizer: found"));
    CHECK(complaint("/decoder", nullptr).starts_with("t.json: decoder: "));
    CHECK(complaint("/decoder/decoders/3/start", 2).starts_with("t.json: decoder: "));
    CHECK(complaint("/decoder/decoders/1", {{"type", "ByteLevel"}}) != "");
    const auto complaint_of_metaspace = [&](const char* key, const json& value) {
        json document = good;
        document["normalizer"] = nullptr;
        document["pre_tokenizer"] = metaspace;
        document["pre_tokenizer"][key] = value;
        return input_error([&] { read(document); });
    };
    CHECK(complaint_of_metaspace("split", false) == "");
    CHECK(contains(complaint_of_metaspace("prepend_scheme", "last"), "prepend_scheme: found"));
    CHECK(contains(complaint_of_metaspace("replacement", "_"), "replacement: found \"_\""));
    CHECK(contains(complaint_of_metaspace("add_prefix_space", false), "add_prefix_space: found"));
    CHECK(contains(complaint_of_metaspace("type", "Split"), "found \"Split\""));
}

TEST_CASE("CharacterIds: a vocabulary without a byte or without U+2581 is refused") {
    for (const char* token : {"<0x7F>", "\u2581"}) {
        json document = read_json_file(kFolder / "tokenizer.json");
        document["model"]["vocab"].erase(token);
        document["model"]["merges"] = json::array();
        const TemporaryFolder folder;
        put(folder / "tokenizer.json", document.dump());
        const std::string error = input_error([&] { Tokenizer::from_folder(folder.path()); });
        CHECK_MESSAGE(contains(error, "found no token \"" + std::string(token) + "\""), error);
    }
}
