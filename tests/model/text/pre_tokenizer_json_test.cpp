#include "model/text/pre_tokenizer_json.h"

#include <nlohmann/json.hpp>

#include "kernels/core/check.h"
#include "tests/support/doctest.h"

namespace {

using Pattern = PreTokenizer::Pattern;
using Digits = PreTokenizer::Digits;

PreTokenizer read(const std::string& text) {
    return read_pre_tokenizer(nlohmann::json::parse(text), "dir/tokenizer.json: pre_tokenizer");
}

std::string split(const std::string& regex, const std::string& rest) {
    return R"({"type": "Sequence", "pretokenizers": [{"type": "Split", "pattern": {"Regex": ")" +
           regex + R"("}, )" + rest +
           R"(}, {"type": "ByteLevel", "add_prefix_space": false, "use_regex": false}]})";
}

const std::string kIsolated = R"("behavior": "Isolated", "invert": false)";
const std::string kQwen2 =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+)";
const std::string kLlama3 =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+)";

}  // namespace

TEST_CASE("read_pre_tokenizer: the published ones") {
    const auto gpt2 = read(R"({"type": "ByteLevel", "add_prefix_space": false})");
    CHECK(gpt2.pattern == Pattern::gpt2);
    CHECK(gpt2.digits == Digits::in_pattern);

    const auto llama3 = read(split(kLlama3, kIsolated));
    CHECK(llama3.pattern == Pattern::llama3);
    CHECK(llama3.max_number_chars == 3);
    CHECK(read(split(kQwen2, kIsolated)).max_number_chars == 1);
    CHECK(read(split(kQwen2, R"("behavior": "Removed", "invert": true)")).max_number_chars == 1);

    const auto smollm = read(R"({"type": "Sequence", "pretokenizers": [
        {"type": "Digits", "individual_digits": true},
        {"type": "ByteLevel", "add_prefix_space": false, "use_regex": true}]})");
    CHECK(smollm.digits == Digits::individual);
    CHECK(smollm.pattern == Pattern::gpt2);

    const auto whole = read(R"({"type": "ByteLevel", "add_prefix_space": false,
                                "use_regex": false})");
    CHECK(whole.pattern == Pattern::none);
}

TEST_CASE("read_pre_tokenizer: anything else is refused and named") {
    for (const std::string& text : {
             std::string(R"({"type": "Metaspace", "replacement": "_"})"),
             std::string(R"({"type": "ByteLevel", "add_prefix_space": true})"),
             std::string(R"({"type": "ByteLevel"})"),
             std::string(R"({"type": "Digits", "individual_digits": true})"),
             std::string(R"({"type": "Sequence", "pretokenizers": []})"),
             std::string(R"({"type": "Sequence"})"),
             std::string(R"({"type": "Sequence", "pretokenizers": [
                 {"type": "ByteLevel", "add_prefix_space": false}, {"type": "Digits"}]})"),
             split("\\\\p{L}+", kIsolated),
             split(kQwen2, R"("behavior": "MergedWithNext", "invert": false)"),
             split(kQwen2, R"("behavior": "Isolated", "invert": true)"),
             std::string("null"),
             std::string("[]"),
         }) {
        CAPTURE(text);
        CHECK_THROWS_AS(read(text), InputError);
    }
    CHECK_THROWS_WITH_AS(read(R"({"type": "Metaspace"})"),
                         doctest::Contains("dir/tokenizer.json: pre_tokenizer: found {\"type\":"
                                           "\"Metaspace\"}, expected ByteLevel"),
                         InputError);
}
