// Which files of a folder count, and what tokenizer_config.json adds.

#include "model/text/tokenizer_files.h"

#include <nlohmann/json.hpp>

#include "kernels/core/check.h"
#include "model/io/json.h"
#include "model/text/byte_alphabet.h"
#include "tests/support/doctest.h"
#include "tests/support/temporary_folder.h"

using nlohmann::json;

namespace {

using Pattern = PreTokenizer::Pattern;

// The 256 bytes, "ab" and <|endoftext|>, as vocab.json and merges.txt.
struct SmallFolder : TemporaryFolder {
    SmallFolder(const std::string& vocabulary = "vocab.json",
                const std::string& merges = "merges.txt") {
        json ids;
        for (const uint8_t byte : bytes_in_alphabet_order())
            ids[bytes_to_alphabet(std::string(1, static_cast<char>(byte)))] = ids.size();
        ids["ab"] = 256;
        ids["<|endoftext|>"] = 257;
        put(*this / vocabulary, ids.dump());
        put(*this / merges, "#version: 0.2\na b\n");
    }
    void configure(const json& config) const {
        put(*this / "tokenizer_config.json", config.dump());
    }
    TokenizerFiles read() const { return read_tokenizer_files(path()); }
};

}  // namespace

TEST_CASE("folder: vocab.json and merges.txt under both names are GPT-2's") {
    for (const bool old_names : {false, true}) {
        const SmallFolder folder(old_names ? "encoder.json" : "vocab.json",
                                 old_names ? "vocab.bpe" : "merges.txt");
        const TokenizerFiles files = folder.read();
        CHECK(files.ids.size() == 258);
        CHECK(files.merges.size() == 1);
        CHECK(files.pre_tokenizer.pattern == Pattern::gpt2);
        CHECK(files.bos == 257);
        CHECK(files.eos == 257);
        CHECK(files.pad == std::nullopt);
        CHECK(files.prefix.empty());
        REQUIRE(files.added.size() == 1);
        CHECK(files.added[0].special);
    }
}

TEST_CASE("folder: the tokenizer's class or the model's type chooses Qwen's cut") {
    const SmallFolder folder;
    folder.configure({{"tokenizer_class", "Qwen2Tokenizer"}, {"bos_token", nullptr}});
    const TokenizerFiles files = folder.read();
    CHECK(files.pre_tokenizer.pattern == Pattern::llama3);
    CHECK(files.pre_tokenizer.max_number_chars == 1);
    CHECK(files.normalize_nfc);
    CHECK(files.bos == std::nullopt);
    CHECK(files.eos == 257);
    CHECK(files.pad == 257);

    const SmallFolder by_model;
    put(by_model / "config.json", R"({"model_type": "qwen3"})");
    CHECK(by_model.read().pre_tokenizer.pattern == Pattern::llama3);

    const SmallFolder unknown;
    unknown.configure({{"tokenizer_class", "BertTokenizer"}});
    CHECK_THROWS_WITH_AS(unknown.read(), doctest::Contains("\"BertTokenizer\""), InputError);
}

TEST_CASE("folder: Llama's class knows its special tokens; the prefix space must agree") {
    const TemporaryFolder folder;
    json document = read_json_file("tests/golden/tokenizer/small_llama/tokenizer.json");
    put(folder / "tokenizer.json", document.dump());
    CHECK(read_tokenizer_files(folder.path()).bos == std::nullopt);
    put(folder / "config.json", R"({"model_type": "llama"})");
    CHECK(read_tokenizer_files(folder.path()).bos == 1);
    CHECK(read_tokenizer_files(folder.path()).eos == 2);
    put(folder / "tokenizer_config.json", R"({"add_prefix_space": true, "unk_token": "<unk>"})");
    CHECK(read_tokenizer_files(folder.path()).unknown == 0);
    put(folder / "tokenizer_config.json", R"({"add_prefix_space": false})");
    CHECK_THROWS_WITH_AS(read_tokenizer_files(folder.path()),
                         doctest::Contains("found false, expected true as in tokenizer.json"),
                         InputError);
}

TEST_CASE("folder: special tokens by name, from the configuration, then from the map") {
    const SmallFolder folder;
    folder.configure({{"eos_token", {{"content", "ab"}, {"lstrip", false}}},
                      {"pad_token", "<|pad|>"},
                      {"added_tokens_decoder",
                       {{"300", {{"content", "<|pad|>"}, {"special", true}, {"lstrip", true}}}}}});
    put(folder / "special_tokens_map.json", R"({"bos_token": "!", "eos_token": "a"})");
    const TokenizerFiles files = folder.read();
    CHECK(files.eos == 256);
    CHECK(files.bos == 0);
    CHECK(files.pad == 300);
    REQUIRE(files.added.size() == 3);
    CHECK(files.added[0].content == "<|pad|>");
    CHECK(files.added[0].lstrip);
}

TEST_CASE("folder: the configuration decides whether BOS and EOS surround a text") {
    const SmallFolder folder;
    folder.configure({{"add_bos_token", true}});
    CHECK(folder.read().prefix == std::vector<int32_t>{257});
    CHECK(folder.read().suffix.empty());
    folder.configure({{"add_bos_token", false}, {"add_eos_token", true}});
    CHECK(folder.read().prefix.empty());
    CHECK(folder.read().suffix == std::vector<int32_t>{257});
    folder.configure({{"add_bos_token", true}, {"bos_token", nullptr}});
    CHECK(folder.read().prefix.empty());
}

TEST_CASE("folder: what cannot be used is refused by file") {
    const auto complaint = [](const json& config) {
        const SmallFolder folder;
        folder.configure(config);
        try {
            folder.read();
        } catch (const InputError& error) {
            return std::string(error.what()).substr(folder.path().string().size() + 1);
        }
        return std::string();
    };
    CHECK(complaint({{"eos_token", "</s>"}}) ==
          "tokenizer_config.json: eos_token: \"</s>\" is not in the vocabulary");
    CHECK(complaint({{"add_prefix_space", true}}) ==
          "tokenizer_config.json: add_prefix_space: found true, expected false as in "
          "tokenizer.json");
    CHECK(complaint({{"added_tokens_decoder", {{"x1", {{"content", "<x>"}}}}}}) != "");
    CHECK(complaint({{"added_tokens_decoder", {{"99999999", {{"content", "<x>"}}}}}}) != "");
    CHECK(complaint({{"added_tokens_decoder", {{"5", {{"content", "ab"}}}}}}) != "");
    CHECK(complaint({{"eos_token", 5}}) != "");
    CHECK(complaint(json::array()) != "");
}

TEST_CASE("folder: a missing, empty or half folder is refused by name") {
    const TemporaryFolder folder;
    CHECK_THROWS_WITH_AS(read_tokenizer_files(folder.path() / "none"),
                         doctest::Contains("none: is not a folder"), InputError);
    CHECK_THROWS_WITH_AS(read_tokenizer_files(folder.path()),
                         doctest::Contains("expected tokenizer.json, or vocab.json and merges.txt"),
                         InputError);
    put(folder / "vocab.json", "{\"a\": 0}");
    CHECK_THROWS_AS(read_tokenizer_files(folder.path()), InputError);
    const SmallFolder with_additions;
    put(with_additions / "added_tokens.json", "{}");
    CHECK_THROWS_WITH_AS(with_additions.read(), doctest::Contains("added_tokens.json: found"),
                         InputError);
}
