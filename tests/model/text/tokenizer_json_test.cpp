// Corrupted tokenizer.json files: each is refused with a message that names the file.

#include <nlohmann/json.hpp>

#include "kernels/core/check.h"
#include "model/io/json.h"
#include "model/text/tokenizer.h"
#include "tests/support/doctest.h"
#include "tests/support/temporary_folder.h"

using nlohmann::json;

namespace {

const std::string kGood = "tests/golden/tokenizer/small_qwen/tokenizer.json";
const std::string kLlama = "tests/golden/tokenizer/small_llama/tokenizer.json";
const std::string kBothKinds[] = {kGood, kLlama};

// What from_folder says of this tokenizer.json; empty if it accepts it.
std::string complaint(const std::string& text) {
    const TemporaryFolder folder;
    put(folder / "tokenizer.json", text);
    try {
        Tokenizer::from_folder(folder.path());
    } catch (const InputError& error) {
        const std::string file = (folder.path() / "tokenizer.json").string();
        CHECK_MESSAGE(std::string(error.what()).starts_with(file), error.what());
        return std::string(error.what()).substr(file.size());
    }
    return "";
}

// The same after the value at a JSON pointer was replaced.
std::string complaint_with(const std::string& pointer, const json& value) {
    json document = read_json_file(kGood);
    document[json::json_pointer(pointer)] = value;
    return complaint(document.dump());
}

}  // namespace

TEST_CASE("tokenizer.json: the unchanged file is accepted") {
    for (const std::string& file : kBothKinds) CHECK(complaint(read_text_file(file)) == "");
}

TEST_CASE("tokenizer.json: cut short anywhere, it is refused") {
    for (const std::string& file : kBothKinds) {
        const std::string text = read_text_file(file);
        for (size_t size = 0; size + 2 < text.size(); size += 97)
            CHECK_MESSAGE(complaint(text.substr(0, size)) != "", size);
    }
}

TEST_CASE("tokenizer.json: a damaged byte is refused or read, never worse") {
    for (const std::string& file : kBothKinds) {
        const std::string text = read_text_file(file);
        int refused = 0;
        for (size_t i = 0; i < text.size(); i += 53) {
            std::string damaged = text;
            damaged[i] = static_cast<char>(damaged[i] ^ 0x15);
            refused += complaint(damaged) != "";
        }
        CHECK(refused > 20);
    }
}

TEST_CASE("tokenizer.json: models that are not byte-level pairs are refused by name") {
    CHECK(complaint_with("/model/type", "Unigram") ==
          ": model: type: found \"Unigram\", expected \"BPE\"");
    CHECK(complaint_with("/model/byte_fallback", true).starts_with(": pre_tokenizer: found "));
    CHECK(complaint_with("/model/dropout", 0.1).starts_with(": model: dropout: found 0.1"));
    CHECK(complaint_with("/model/end_of_word_suffix", "</w>") ==
          ": model: end_of_word_suffix: found \"</w>\", expected none");
    CHECK(complaint_with("/normalizer", {{"type", "NFKC"}}) ==
          ": normalizer: found {\"type\":\"NFKC\"}, expected NFC or none");
    CHECK(complaint_with("/decoder", {{"type", "Metaspace"}}) ==
          ": decoder: found \"Metaspace\", expected \"ByteLevel\"");
    CHECK(complaint_with("/pre_tokenizer", nullptr) != "");
    CHECK(complaint_with("/post_processor", {{"type", "BertProcessing"}}) != "");
}

TEST_CASE("tokenizer.json: what SentencePiece has no room for is refused by its place") {
    json document = read_json_file(kLlama);
    document["model"]["ignore_merges"] = true;
    CHECK(complaint(document.dump()).starts_with(": model: ignore_merges: found true"));
    document = read_json_file(kLlama);
    document["added_tokens"].back()["lstrip"] = true;  // <n:café>, which is normalized
    CHECK(contains(complaint(document.dump()), ": added_tokens: token \"<n:café>\" is normalized"));
    document["normalizer"] = nullptr;
    document["pre_tokenizer"] = {{"type", "Metaspace"}};
    CHECK(complaint(document.dump()) == "");
}

TEST_CASE("tokenizer.json: contradictions between ids are refused") {
    CHECK(complaint_with("/model/vocab/!", 7) == ": model: tokens \"!\" and \"&\" share id 7");
    CHECK(complaint_with("/model/vocab/!", 5'000'000)
              .starts_with(": model: token \"!\": found id 5000000, expected an integer from 0"));
    CHECK(complaint_with("/model/merges/0", {"!", "nowhere"}) ==
          ": model: merge 0: right token \"nowhere\" is not in the vocabulary");
    CHECK(complaint_with("/added_tokens/0/id", 3)
              .starts_with(": added_tokens: token \"<|endoftext|>\" has id 3, expected 0"));
    CHECK(complaint_with("/added_tokens/3/id", 300).find("which belongs to") != std::string::npos);
    CHECK(complaint_with("/added_tokens/4/id", 420)
              .starts_with(": added_tokens: token \"<pad>\" with id 420 clashes with \"<mask>\""));
    CHECK(complaint_with("/added_tokens/2/content", "") != "");
    CHECK(complaint("{}") != "");
    CHECK(complaint("[]") == ": found [], expected an object");
    CHECK(complaint_with("/model/byte_fallback", "yes")
              .starts_with(": model: byte_fallback: found \"yes\""));
}

TEST_CASE("tokenizer.json: a template's ids surround the text") {
    const json special = {
        {"<s>", {{"id", "<s>"}, {"ids", json::array({1})}, {"tokens", json::array({"<s>"})}}}};
    const json text = {{"Sequence", {{"id", "A"}, {"type_id", 0}}}};
    const json start = {{"SpecialToken", {{"id", "<s>"}, {"type_id", 0}}}};
    json document = read_json_file(kGood);
    document["post_processor"] = {{"type", "TemplateProcessing"},
                                  {"single", {start, text, start, start}},
                                  {"special_tokens", special}};
    TokenizerFiles files;
    const TemporaryFolder folder;
    put(folder / "tokenizer.json", document.dump());
    read_tokenizer_json(folder.path() / "tokenizer.json", files);
    CHECK(files.prefix == std::vector<int32_t>{1});
    CHECK(files.suffix == std::vector<int32_t>{1, 1});

    document["post_processor"]["single"] = json::array({start});
    CHECK(complaint(document.dump()) == ": post_processor: single: the text does not appear");
    document["post_processor"]["single"] = {start, text};
    document["post_processor"]["special_tokens"]["<s>"]["ids"] = json::array({99'999});
    CHECK(complaint(document.dump()) == ": post_processor: id 99999 has no token");
    document["post_processor"]["special_tokens"] = json::object();
    CHECK(complaint(document.dump()).ends_with("nothing found for \"<s>\""));
}
