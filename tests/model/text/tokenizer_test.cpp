// Ids against Hugging Face's `tokenizers` (tests/golden/tokenizer, written by
// scripts/make_golden_tokenizer.py) and against published token counts.

#include "model/text/tokenizer.h"

#include <ctime>
#include <nlohmann/json.hpp>
#include <random>
#include <sstream>

#include "kernels/core/check.h"
#include "model/io/json.h"
#include "model/text/unicode.h"
#include "tests/support/doctest.h"
#include "tests/support/shared_data.h"
#include "tests/support/temporary_folder.h"

namespace {

const std::filesystem::path kGolden = "tests/golden/tokenizer";

std::vector<std::string> lines_of(const std::string& text) {
    std::vector<std::string> lines;
    std::istringstream stream(text);
    for (std::string line; std::getline(stream, line);) lines.push_back(line);
    return lines;
}

std::vector<std::string> golden_strings() {
    std::vector<std::string> strings;
    for (const std::string& line : lines_of(read_text_file(kGolden / "strings.jsonl")))
        strings.push_back(parse_json(line, "strings.jsonl").get<std::string>());
    return strings;
}

// One line of an .ids file: base-64 digits, `digits` per id.
std::vector<int32_t> parse_ids(const std::string& line, size_t digits) {
    const std::string alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    std::vector<int32_t> ids;
    for (size_t i = 0; i + digits <= line.size(); i += digits) {
        int32_t id = 0;
        for (size_t k = i; k < i + digits; ++k)
            id = id * 64 + static_cast<int32_t>(alphabet.find(line[k]));
        ids.push_back(id);
    }
    return ids;
}

void check_golden(const std::filesystem::path& folder, const std::string& name, size_t digits,
                  size_t count) {
    const Tokenizer tokenizer = Tokenizer::from_folder(folder);
    const auto strings = golden_strings();
    const auto lines = lines_of(read_text_file(kGolden / (name + ".ids")));
    REQUIRE(lines.size() == count);
    REQUIRE(strings.size() >= count);
    size_t equal = 0;
    for (size_t i = 0; i < count; ++i) {
        const bool same = tokenizer.encode(strings[i]) == parse_ids(lines[i], digits);
        CHECK_MESSAGE(same, name, " string ", i, ": ", strings[i]);
        equal += same;
    }
    CHECK(equal == count);
}

Tokenizer small(const std::string& name) { return Tokenizer::from_folder(kGolden / name); }

size_t count_lines(const Tokenizer& tokenizer, const std::string& text) {
    size_t tokens = 0;
    for (const std::string& line : lines_of(text)) tokens += tokenizer.encode(line).size();
    return tokens;
}

}  // namespace

TEST_CASE("small tokenizers: ids equal Hugging Face's") {
    for (const char* name : {"small_gpt2", "small_smollm", "small_qwen", "small_llama3"})
        check_golden(kGolden / name, name, /*digits=*/2, /*count=*/400);
}

TEST_CASE("published tokenizers: 1,000 strings equal Hugging Face's ids") {
    if (const auto folder = shared_data("gpt2_tokenizer")) check_golden(*folder, "gpt2", 3, 1000);
    if (const auto folder = shared_data("qwen_tokenizer")) check_golden(*folder, "qwen", 3, 1000);
}

TEST_CASE("sentence piece: 1,000 strings equal Hugging Face's ids") {
    check_golden(kGolden / "small_llama", "small_llama", 2, 1000);
}

TEST_CASE("gpt2: 100 published prompts with their ids") {
    const auto folder = shared_data("gpt2_tokenizer");
    const auto prompts = shared_data("tokenizer_golden_ggml/gpt-2.txt");
    if (!folder || !prompts) return;
    const Tokenizer tokenizer = Tokenizer::from_folder(*folder);
    const auto lines = lines_of(read_text_file(*prompts));
    REQUIRE(lines.size() == 100);
    for (const std::string& line : lines) {
        const size_t arrow = line.rfind(" => ");
        std::vector<int32_t> expected;
        std::istringstream ids(line.substr(arrow + 4));
        for (std::string id; std::getline(ids, id, ',');) expected.push_back(std::stoi(id));
        CHECK_MESSAGE(tokenizer.encode(line.substr(0, arrow)) == expected, line);
    }
}

TEST_CASE("gpt2: published token counts of whole corpora") {
    const auto folder = shared_data("gpt2_tokenizer");
    if (!folder) return;
    const Tokenizer tokenizer = Tokenizer::from_folder(*folder);
    if (const auto file = shared_data("tinyshakespeare/input.txt")) {
        const std::string text = read_text_file(*file);  // ASCII: a character is a byte
        const size_t cut = text.size() * 9 / 10;
        CHECK(tokenizer.encode(text.substr(0, cut)).size() == 301'966);
        CHECK(tokenizer.encode(text.substr(cut)).size() == 36'059);
    }
    if (const auto file = shared_data("wikitext2/wiki.test.raw")) {
        const std::string text = read_text_file(*file);
        const auto ids = tokenizer.encode(text);
        CHECK(ids.size() == 286'221);
        CHECK(tokenizer.decode(ids) == text);
        std::string joined;  // as Hugging Face's guide joins the data set's rows
        for (const std::string& line : lines_of(text)) {
            const bool blank = leading_space_bytes(line) == line.size();
            joined += (blank ? "" : line + "\n") + "\n\n";
        }
        joined.resize(joined.size() - 2);
        CHECK(tokenizer.encode(joined).size() == 287'644);
    }
    if (const auto file = shared_data("sotu/sotu_all.txt"))
        CHECK(count_lines(tokenizer, read_text_file(*file)) == 2'077'654);
}

TEST_CASE("encode, decode: the same bytes, valid UTF-8 or not") {
    std::mt19937 random(1);
    const Tokenizer tokenizers[] = {small("small_gpt2"), small("small_smollm"),
                                    small("small_llama3")};
    for (int round = 0; round < 300; ++round) {
        std::string bytes(random() % 200, '\0');
        for (char& byte : bytes) byte = static_cast<char>(random() % (round % 2 ? 256 : 128));
        for (const Tokenizer& tokenizer : tokenizers)
            CHECK(tokenizer.decode(tokenizer.encode(bytes)) == bytes);
    }
    const Tokenizer qwen = small("small_qwen");  // normalises what is valid, keeps what is not
    CHECK(qwen.decode(qwen.encode("\xFF"
                                  "e\u0301\xC3(\x80")) ==
          "\xFF"
          "é\xC3(\x80");
}

TEST_CASE("special tokens: recognised in text, left out of decoding on request") {
    const Tokenizer tokenizer = small("small_gpt2");
    const auto ids = tokenizer.encode("a<|endoftext|>b");
    REQUIRE(ids.size() == 3);
    CHECK(ids[1] == 0);
    CHECK(tokenizer.is_special(0));
    CHECK_FALSE(tokenizer.is_special(ids[0]));
    CHECK(tokenizer.decode(ids) == "a<|endoftext|>b");
    CHECK(tokenizer.decode(ids, /*skip_special=*/true) == "ab");
    CHECK(tokenizer.token_bytes(0) == "<|endoftext|>");
    CHECK(tokenizer.eos_id() == 0);
}

TEST_CASE("prefix: what the tokenizer itself puts in front") {
    CHECK(small("small_llama3").prefix_ids() == std::vector<int32_t>{1});
    CHECK(small("small_gpt2").prefix_ids().empty());
}

TEST_CASE("ids without a token are refused") {
    const Tokenizer tokenizer = small("small_gpt2");
    for (const int32_t id : {-1, tokenizer.vocab_size(), INT32_MAX}) {
        CHECK_FALSE(tokenizer.has_token(id));
        CHECK_THROWS_AS(tokenizer.token_bytes(id), InputError);
        CHECK_THROWS_AS(tokenizer.decode(std::vector<int32_t>{0, id}), InputError);
    }
}

TEST_CASE("a vocabulary of a few characters: what it lacks is dropped, and told") {
    const TemporaryFolder folder;
    put(folder / "tokenizer.json", R"({"model": {"type": "BPE", "merges": [],
        "vocab": {"a": 0, "b": 1, "\u0120": 2, "\u010a": 3}},
        "pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": false, "use_regex": false}})");
    const Tokenizer tokenizer = Tokenizer::from_folder(folder.path());
    CHECK(tokenizer.encode("ab ba\n") == std::vector<int32_t>{0, 1, 2, 1, 0, 3});
    CHECK(tokenizer.vocab_size() == 4);
    CHECK(tokenizer.eos_id() == std::nullopt);
    CHECK(tokenizer.dropped_text().empty());
    for (int round = 0; round < 2; ++round)  // the second from what is remembered of pieces
        CHECK(tokenizer.encode("acb\x01") == std::vector<int32_t>{0, 1});
    CHECK(tokenizer.dropped_text() ==
          (folder / "tokenizer.json").string() +
              ": no token for 0x01, 0x63: such bytes were dropped from the text");
    CHECK(tokenizer.encode("xyz").empty());
    CHECK(Tokenizer::from_folder(folder.path()).dropped_text().empty());
}

TEST_CASE("ten megabytes without a place to cut take linear time") {
    for (const char* name : {"small_gpt2", "small_llama"}) {
        const Tokenizer tokenizer = small(name);
        const auto seconds = [&](const std::string& unit, size_t bytes) {
            std::string text;
            while (text.size() < bytes) text += unit;
            const std::clock_t start = std::clock();  // of this process: others may be busy
            CHECK(!tokenizer.encode(text).empty());
            return static_cast<double>(std::clock() - start) / CLOCKS_PER_SEC;
        };
        // Four times the text; quadratic time would be 16 times as much. Seen: 4.0 to 5.8.
        for (const char* unit : {"a", " ", "😀"})
            CHECK(seconds(unit, 10'000'000) < 10 * seconds(unit, 2'500'000));
    }
}

TEST_CASE("one tokenizer's pieces are not another's") {
    const Tokenizer first = small("small_gpt2"), second = small("small_qwen");
    const auto expected_first = small("small_gpt2").encode("hello world 42");
    const auto expected_second = small("small_qwen").encode("hello world 42");
    CHECK(expected_first != expected_second);
    for (int round = 0; round < 3; ++round) {
        CHECK(first.encode("hello world 42") == expected_first);
        CHECK(second.encode("hello world 42") == expected_second);
    }
}
