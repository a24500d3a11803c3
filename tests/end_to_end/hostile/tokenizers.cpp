// tokenizer.json and its companions, spoilt one thing at a time. Each case is a folder.

#include <nlohmann/json.hpp>

#include "kernels/core/check.h"
#include "tests/end_to_end/hostile/hostile.h"

namespace {

using Json = nlohmann::ordered_json;
namespace fs = std::filesystem;

constexpr const char* kKind = "tokenizer";
constexpr const char* kFile = "/tokenizer.json|";

std::string read(const fs::path& path) {
    std::ifstream file(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

class Cases {
public:
    explicit Cases(Hostile& out)
        : out_(out),
          right_(Json::parse(read(out.root() / "gpt2" / "tokenizer.json"))),
          config_(Json::parse(read(out.root() / "gpt2" / "tokenizer_config.json"))) {}

    void write() {
        documents();
        vocabularies();
        merges();
        added_tokens();
        steps();
        configurations();
        old_files();
    }

private:
    static void put(const fs::path& path, const std::string& bytes) {
        std::ofstream file(path, std::ios::binary);
        file.exceptions(std::ios::failbit | std::ios::badbit);
        file << bytes;
        file.close();
    }
    // A folder of these files.
    void folder(const std::string& name, const std::string& texts,
                std::initializer_list<std::pair<const char*, std::string>> files) {
        const fs::path path = out_.next(kKind, name, texts);
        fs::create_directories(path);
        for (const auto& [file, bytes] : files) put(path / file, bytes);
    }
    void document(const std::string& name, const std::string& texts, const std::string& bytes) {
        folder(name, kFile + texts,
               {{"tokenizer.json", bytes}, {"tokenizer_config.json", config_.dump()}});
    }
    void config(const std::string& name, const std::string& texts, const std::string& bytes) {
        folder(name, "/tokenizer_config.json|" + texts,
               {{"tokenizer.json", right_.dump()}, {"tokenizer_config.json", bytes}});
    }
    template <typename Change>
    void change(const std::string& name, const std::string& texts, Change apply) {
        Json json = right_;
        apply(json);
        document(name, texts, json.dump());
    }
    void with(const std::string& name, const std::string& texts, const char* key,
              const Json& value) {
        change(name, texts, [&](Json& json) { json[key] = value; });
    }
    void model(const std::string& name, const std::string& texts, const char* key,
               const Json& value) {
        change(name, texts, [&](Json& json) { json["model"][key] = value; });
    }

    void documents();
    void vocabularies();
    void merges();
    void added_tokens();
    void steps();
    void configurations();
    void old_files();

    Hostile& out_;
    Json right_, config_;
};

void Cases::documents() {
    const std::string text = right_.dump();
    document("an empty file", "JSON", "");
    document("half a document", "JSON", text.substr(0, text.size() / 2));
    document("a list", "object", "[]");
    document("100000 brackets", "deep", std::string(100'000, '['));
    document("a normalizer in 100000 normalizers", "deep", [] {
        std::string nest = "{\"normalizer\":";
        for (int i = 0; i < 100'000; ++i) nest += R"({"type":"Sequence","normalizers":[)";
        return nest;
    }());
    document("a zero byte", "JSON", patched(text, text.size() / 2, std::string(1, '\0')));
    document("an invalid character", "JSON", patched(text, text.find("BPE"), "\xff\xfe\xfd"));
    document("a key twice", "twice", "{\"model\": {}, " + text.substr(1));
}

void Cases::vocabularies() {
    with("no model", "model|object", "model", nullptr);
    with("a model that is a list", "model|object", "model", Json::array());
    for (const char* type : {"WordPiece", "Unigram", "WordLevel", "bpe"})
        model(std::string("a model of type ") + type, std::string("type|") + type + "|BPE", "type",
              type);
    model("a type that is a number", "type|7|string", "type", 7);
    model("no vocabulary", "vocabulary|object", "vocab", nullptr);
    model("an empty vocabulary", "vocabulary|object", "vocab", Json::object());
    model("a vocabulary that is a list", "vocabulary|object", "vocab", {"a", "b"});
    model("a token that is a number of another kind", "a|1.5|integer", "vocab", {{"a", 1.5}});
    for (const Json& id : {Json(-1), Json(int64_t{1} << 31), Json(UINT64_MAX), Json("0"),
                           Json(nullptr), Json(int64_t{1} << 40)})
        model("a token of id " + id.dump(), "\"a\"|expected an integer", "vocab", {{"a", id}});
    model("two tokens of one id", "share id 3", "vocab", {{"a", 3}, {"b", 3}});
    model("an empty token", "empty token", "vocab", {{"", 0}});
    model("a vocabulary without the bytes", "<|endoftext|>|belongs", "vocab", {{"a", 0}});
    model("merges that are drawn", "dropout|0.1", "dropout", 0.1);
    model("a suffix at the end of words", "end_of_word_suffix|</w>", "end_of_word_suffix", "</w>");
    model("a prefix within words", "continuing_subword_prefix|##", "continuing_subword_prefix",
          "##");
    model("byte_fallback in words", "byte_fallback|true or false", "byte_fallback", "yes");
}

void Cases::merges() {
    model("no merges", "merges|list", "merges", nullptr);
    model("merges that are an object", "merges|list", "merges", Json::object());
    model("a merge that is no pair", "merge 0|qqq|two tokens", "merges", {"qqq"});
    model("a merge of three", "merge 0|two tokens", "merges", {"a b c"});
    model("a merge of unknown tokens", "merge 0|qqq|vocabulary", "merges", {"qqq zzz"});
    model("a merge into an unknown token", "merge 0|ab|vocabulary", "merges", {"a b"});
    model("a merge of numbers", "merge 0|two tokens", "merges", {7});
    model("a merge of two numbers", "merge 0|two tokens", "merges",
          Json::array({Json::array({1, 2})}));
    model("a merge of nothing", "merge 0", "merges", Json::array({Json::array({"", ""})}));
}

void Cases::added_tokens() {
    const Json right = {{"id", 257}, {"content", "<x>"}, {"special", true}};
    const auto added = [&](const std::string& name, const std::string& texts, const char* key,
                           const Json& value) {
        change(name, "added_tokens|" + texts, [&](Json& json) {
            Json token = right;
            token[key] = value;
            json["added_tokens"].push_back(token);
        });
    };
    with("added tokens that are an object", "added_tokens|list", "added_tokens", Json::object());
    with("an added token that is a number", "added_tokens|7|object", "added_tokens", {7});
    for (const Json& id : {Json(-1), Json(int64_t{1} << 31), Json("257"), Json(nullptr)})
        added("an added token of id " + id.dump(), "<x>|expected an integer", "id", id);
    added("an added token of another's id", "<x>|clashes", "id", 0);
    added("an added token without text", "content|string", "content", nullptr);
    added("an empty added token", "empty", "content", "");
    added("an added token of another id than in the vocabulary", "a|257", "content", "a");
    added("a flag that is a number", "lstrip|1|true or false", "lstrip", 1);
    change("100000 added tokens, the last of them twice", "added_tokens|<99999>|clashes",
           [](Json& json) {
               for (int i = 0; i < 100'001; ++i)
                   json["added_tokens"].push_back(
                       {{"id", 257 + i},
                        {"content", fmt::format("<{}>", std::min(i, 99'999))},
                        {"special", true}});
           });
}

void Cases::steps() {
    for (const char* type : {"Whitespace", "BertPreTokenizer", "Metaspace", "CharDelimiterSplit"})
        with(std::string("a pre-tokenizer called ") + type,
             std::string("pre_tokenizer|") + type + "|ByteLevel", "pre_tokenizer",
             {{"type", type}});
    with("a pre-tokenizer without type", "pre_tokenizer|type", "pre_tokenizer", Json::object());
    with("no pre-tokenizer", "pre_tokenizer", "pre_tokenizer", nullptr);
    with("a pre-tokenizer that is a list", "pre_tokenizer|object", "pre_tokenizer", Json::array());
    with("an unknown pattern", "pre_tokenizer", "pre_tokenizer",
         {{"type", "Sequence"},
          {"pretokenizers",
           {{{"type", "Split"}, {"pattern", {{"Regex", "(a+)+$"}}}, {"behavior", "Isolated"}},
            {{"type", "ByteLevel"}, {"add_prefix_space", false}, {"use_regex", false}}}}});
    with("steps in the wrong order", "pre_tokenizer", "pre_tokenizer",
         {{"type", "Sequence"},
          {"pretokenizers",
           {{{"type", "ByteLevel"}, {"add_prefix_space", false}},
            {{"type", "Digits"}, {"individual_digits", true}}}}});
    for (const char* type : {"Lowercase", "NFKC", "StripAccents", "Replace"})
        with(std::string("a normalizer called ") + type, std::string("normalizer|") + type + "|NFC",
             "normalizer", {{"type", type}});
    with("two normalizers", "normalizer", "normalizer",
         {{"type", "Sequence"}, {"normalizers", {{{"type", "NFC"}}, {{"type", "NFD"}}}}});
    for (const char* type : {"WordPiece", "Metaspace", "CTC"})
        with(std::string("a decoder called ") + type, std::string("decoder|") + type + "|ByteLevel",
             "decoder", {{"type", type}});
    with("an unknown post-processor", "post_processor|Bert", "post_processor",
         {{"type", "BertProcessing"}});
    const Json text = {{"Sequence", {{"id", "A"}}}};
    with("a template without the text", "post_processor|text", "post_processor",
         {{"type", "TemplateProcessing"}, {"single", Json::array()}});
    with("a template of two texts", "post_processor|twice", "post_processor",
         {{"type", "TemplateProcessing"}, {"single", Json::array({text, text})}});
    with("a template of an unknown token", "post_processor|<s>", "post_processor",
         {{"type", "TemplateProcessing"},
          {"single", Json::array({{{"SpecialToken", {{"id", "<s>"}}}}, text})}});
    Json beyond = right_;  // without a configuration, which would have the last word
    beyond["post_processor"] = {
        {"type", "TemplateProcessing"},
        {"single", Json::array({{{"SpecialToken", {{"id", "<s>"}}}}, text})},
        {"special_tokens", {{"<s>", {{"ids", {1'000'000}}}}}}};
    folder("a template of an id beyond the vocabulary", "post_processor|1000000",
           {{"tokenizer.json", beyond.dump()}});
    change("byte_fallback without its bytes", "expected",
           [](Json& json) { json["model"]["byte_fallback"] = true; });
}

void Cases::configurations() {
    const auto with_config = [&](const std::string& name, const std::string& texts, const char* key,
                                 const Json& value) {
        Json json = config_;
        json[key] = value;
        config(name, texts, json.dump());
    };
    config("a configuration that is no JSON", "JSON", "{");
    config("a configuration that is a list", "object", "[]");
    config("a configuration of brackets", "deep", std::string(100'000, '['));
    with_config("a BOS that is not there", "bos_token|<bos>|vocabulary", "bos_token", "<bos>");
    with_config("an EOS that is a number", "eos_token|7", "eos_token", 7);
    with_config("an EOS without text", "eos_token|content", "eos_token", Json::object());
    with_config("a space before each text", "add_prefix_space|true|false", "add_prefix_space",
                true);
    with_config("a class that is a number", "tokenizer_class|7|string", "tokenizer_class", 7);
    with_config("an id in words", "added_tokens_decoder|zero", "added_tokens_decoder",
                {{"zero", {{"content", "<x>"}}}});
    with_config("added tokens that are a list", "added_tokens_decoder|object",
                "added_tokens_decoder", {1});
    with_config("an added token of an absurd id", "added_tokens_decoder|<x>",
                "added_tokens_decoder", {{"99999999999", {{"content", "<x>"}}}});
}

void Cases::old_files() {
    const std::string vocabulary = right_["model"]["vocab"].dump();
    folder("a vocabulary without merges", "no tokenizer found", {{"vocab.json", vocabulary}});
    folder("merges without a vocabulary", "no tokenizer found", {{"merges.txt", "a b\n"}});
    folder("merges of unknown tokens", "/merges.txt: line 2|qqq",
           {{"vocab.json", vocabulary}, {"merges.txt", "#version: 0.2\nqqq zzz\n"}});
    folder("a merge of one token", "/merges.txt: line 1|qqq",
           {{"vocab.json", vocabulary}, {"merges.txt", "qqq\n"}});
    folder("a vocabulary that is a list", "/vocab.json|object",
           {{"vocab.json", "[1]"}, {"merges.txt", ""}});
    folder("old files of an unknown kind", "T5Tokenizer|tokenizer.json",
           {{"vocab.json", vocabulary},
            {"merges.txt", ""},
            {"tokenizer_config.json", R"({"tokenizer_class": "T5Tokenizer"})"}});
    folder("an empty folder", "no tokenizer found", {});
}

}  // namespace

void write_hostile_tokenizers(Hostile& out) { Cases(out).write(); }
