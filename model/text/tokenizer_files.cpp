#include "model/text/tokenizer_files.h"

#include <algorithm>
#include <charconv>
#include <nlohmann/json.hpp>

#include "kernels/core/check.h"
#include "model/io/json.h"
#include "model/text/vocabulary.h"

namespace {

using nlohmann::json;
namespace fs = std::filesystem;

json read_optional(const fs::path& file) {
    return fs::exists(file) ? read_json_file(file) : json::object();
}

bool is_gpt2(const std::string& kind) {
    return kind.empty() || kind == "gpt2" || kind.starts_with("GPT2Tokenizer");
}

bool is_llama(const std::string& kind) {
    return kind == "llama" || kind == "mistral" || kind.starts_with("LlamaTokenizer");
}

bool is_qwen2(const std::string& kind) {
    return kind == "qwen2" || kind == "qwen3" || kind.starts_with("Qwen2Tokenizer");
}

// What a folder without tokenizer.json says of its pre-tokenizer: the tokenizer's class, else the
// model's type.
std::string kind_of(const fs::path& folder) {
    const fs::path file = folder / "tokenizer_config.json", model_file = folder / "config.json";
    const json config = read_optional(file), model = read_optional(model_file);
    const std::string name = JsonObject(config, file.string()).string_or("tokenizer_class", "");
    return name.empty() ? JsonObject(model, model_file.string()).string_or("model_type", "") : name;
}

void set_pre_tokenizer(const std::string& kind, const fs::path& folder, TokenizerFiles& files) {
    ENSURE_INPUT(is_gpt2(kind) || is_qwen2(kind), folder.string(),
                 "found a tokenizer of kind \"{}\" without tokenizer.json; of those only GPT-2's "
                 "and Qwen2's are known",
                 kind);
    ENSURE_INPUT(!fs::exists(folder / "added_tokens.json"), (folder / "added_tokens.json").string(),
                 "found without tokenizer.json; expected added tokens in tokenizer.json or in the "
                 "added_tokens_decoder of tokenizer_config.json");
    if (!is_qwen2(kind)) return;
    files.pre_tokenizer = {.pattern = PreTokenizer::Pattern::llama3, .max_number_chars = 1};
    files.normalize_nfc = true;
}

// A token's text, from "text" or {"content": "text", ...}; empty for null.
std::string token_text(const json& value, const std::string& source, const char* key) {
    if (value.is_null()) return "";
    if (value.is_string()) return value.get<std::string>();
    return JsonObject(value, source + ": " + key).string("content");
}

void read_added_tokens_decoder(const json& config, const std::string& source,
                               TokenizerFiles& files) {
    const auto decoder = config.find("added_tokens_decoder");
    if (decoder == config.end()) return;
    const std::string where = source + ": added_tokens_decoder";
    ENSURE_INPUT(decoder->is_object(), where, "found {}, expected an object", excerpt(*decoder));
    for (const auto& [key, entry] : decoder->items()) {
        const JsonObject fields(entry, where);
        AddedToken token{.content = fields.string("content"),
                         .single_word = fields.boolean_or("single_word", false),
                         .lstrip = fields.boolean_or("lstrip", false),
                         .rstrip = fields.boolean_or("rstrip", false),
                         .normalized = fields.boolean_or("normalized", false),
                         .special = fields.boolean_or("special", false)};
        int64_t id = -1;
        const auto parsed = std::from_chars(key.data(), key.data() + key.size(), id);
        const bool whole = parsed.ec == std::errc() && parsed.ptr == key.data() + key.size();
        token.id = checked_token_id(whole ? json(id) : json(key), token.content, where);
        add_token(token, where, files);
    }
}

// Finds the tokens that the configuration gives a role.
class Roles {
public:
    Roles(const fs::path& folder, TokenizerFiles& files)
        : config_file_((folder / "tokenizer_config.json").string()),
          map_file_((folder / "special_tokens_map.json").string()),
          config_(read_optional(config_file_)),
          map_(read_optional(map_file_)),
          kind_(kind_of(folder)),
          files_(files) {
        const JsonObject fields(config_, config_file_);
        ENSURE_INPUT(map_.is_object(), map_file_, "found {}, expected an object", excerpt(map_));
        const bool prefix =
            files_.sentence_piece && files_.sentence_piece->prefix != SentencePiece::Prefix::none;
        ENSURE_INPUT(fields.boolean_or("add_prefix_space", prefix) == prefix, config_file_,
                     "add_prefix_space: found {}, expected {} as in tokenizer.json", !prefix,
                     prefix);
        read_added_tokens_decoder(config_, config_file_, files_);
    }

    std::optional<int32_t> find(const char* key) {
        std::string text, source = config_file_;
        if (config_.contains(key)) {
            text = token_text(config_[key], config_file_, key);
        } else if (map_.contains(key)) {
            source = map_file_;
            text = token_text(map_[key], map_file_, key);
        } else {
            text = default_text(key);
        }
        if (text.empty()) return std::nullopt;
        const auto added = std::find_if(files_.added.begin(), files_.added.end(),
                                        [&](const AddedToken& t) { return t.content == text; });
        if (added != files_.added.end()) return added->id;
        const auto found = files_.ids.find(text);
        ENSURE_INPUT(found != files_.ids.end(), source, "{}: \"{}\" is not in the vocabulary", key,
                     text);
        add_token({.id = found->second, .content = text, .special = true}, source, files_);
        return found->second;
    }

    // The configuration's own word on what surrounds a text replaces the post-processor's.
    void set_surroundings() {
        if (!config_.contains("add_bos_token") && !config_.contains("add_eos_token")) return;
        const JsonObject fields(config_, config_file_);
        files_.prefix.clear();
        files_.suffix.clear();
        if (files_.bos && fields.boolean_or("add_bos_token", false)) files_.prefix = {*files_.bos};
        if (files_.eos && fields.boolean_or("add_eos_token", false)) files_.suffix = {*files_.eos};
    }

private:
    bool exists(const std::string& content) const {
        return files_.ids.contains(content) ||
               std::any_of(files_.added.begin(), files_.added.end(),
                           [&](const AddedToken& token) { return token.content == content; });
    }

    // Published files that name no special tokens: their class knows them.
    std::string default_text(const std::string& key) const {
        std::string text;
        if (is_llama(kind_) && files_.sentence_piece) {
            if (key == "bos_token") text = "<s>";
            if (key == "eos_token") text = "</s>";
        } else if (is_gpt2(kind_) || is_qwen2(kind_)) {
            const bool has_default = key == "eos_token" || (key == "bos_token" && is_gpt2(kind_)) ||
                                     (key == "pad_token" && is_qwen2(kind_));
            if (has_default) text = "<|endoftext|>";
        }
        return exists(text) ? text : "";
    }

    std::string config_file_, map_file_;
    json config_, map_;
    std::string kind_;
    TokenizerFiles& files_;
};

}  // namespace

void add_token(const AddedToken& token, const std::string& source, TokenizerFiles& files) {
    ENSURE_INPUT(!token.content.empty(), source, "token {} is empty", token.id);
    const auto same = files.ids.find(token.content);
    ENSURE_INPUT(same == files.ids.end() || same->second == token.id, source,
                 "token \"{}\" has id {}, expected {} as in the vocabulary", token.content,
                 token.id, same->second);
    const auto by_id = files.added_by_id.find(token.id);
    const auto by_content = files.added_by_content.find(token.content);
    if (by_id != files.added_by_id.end() || by_content != files.added_by_content.end()) {
        const bool same_id = by_id != files.added_by_id.end();
        const AddedToken& other = files.added[same_id ? by_id->second : by_content->second];
        ENSURE_INPUT(other.id == token.id && other.content == token.content, source,
                     "token \"{}\" with id {} clashes with \"{}\" with id {}", token.content,
                     token.id, other.content, other.id);
        return;
    }
    files.added_by_id.emplace(token.id, files.added.size());
    files.added_by_content.emplace(token.content, files.added.size());
    files.added.push_back(token);
}

void read_special_tokens(const fs::path& folder, TokenizerFiles& files) {
    Roles roles(folder, files);
    files.bos = roles.find("bos_token");
    files.eos = roles.find("eos_token");
    files.pad = roles.find("pad_token");
    if (files.sentence_piece) files.unknown = roles.find("unk_token");
    roles.set_surroundings();
}

TokenizerFiles read_tokenizer_files(const fs::path& folder) {
    ENSURE_INPUT(fs::is_directory(folder), folder.string(), "is not a folder");
    TokenizerFiles files;
    if (fs::exists(folder / "tokenizer.json")) {
        read_tokenizer_json(folder / "tokenizer.json", files);
    } else {
        const bool old_names = !fs::exists(folder / "vocab.json");
        const fs::path vocabulary = folder / (old_names ? "encoder.json" : "vocab.json");
        const fs::path merges = folder / (old_names ? "vocab.bpe" : "merges.txt");
        ENSURE_INPUT(fs::exists(vocabulary) && fs::exists(merges), folder.string(),
                     "no tokenizer found, expected tokenizer.json, or vocab.json and merges.txt");
        read_vocabulary_and_merges(vocabulary, merges, files);
        set_pre_tokenizer(kind_of(folder), folder, files);
    }
    read_special_tokens(folder, files);
    return files;
}
