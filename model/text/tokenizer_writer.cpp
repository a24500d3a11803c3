#include "model/text/tokenizer_writer.h"

#include <nlohmann/json.hpp>

#include "kernels/core/check.h"
#include "model/io/atomic_file.h"
#include "model/text/byte_alphabet.h"
#include "model/text/pre_tokenizer_json.h"
#include "model/text/sentence_piece_json.h"
#include "model/text/unicode.h"

namespace {

using nlohmann::ordered_json;

// [id]; empty where there is no token.
std::vector<std::string> tokens_by_id(const TokenizerFiles& files) {
    int32_t largest = -1;
    for (const auto& [token, id] : files.ids) largest = std::max(largest, id);
    for (const AddedToken& token : files.added) largest = std::max(largest, token.id);
    std::vector<std::string> tokens(static_cast<size_t>(largest + 1));
    for (const auto& [token, id] : files.ids) tokens.at(static_cast<size_t>(id)) = token;
    for (const AddedToken& token : files.added)
        tokens.at(static_cast<size_t>(token.id)) = token.content;
    for (size_t id = 0; id < tokens.size(); ++id)
        ENSURE_INPUT(is_valid_utf8(tokens[id]), files.source,
                     "token {}: found {} bytes that are not UTF-8, expected text", id,
                     tokens[id].size());
    return tokens;
}

ordered_json added_tokens(const TokenizerFiles& files) {
    ordered_json list = ordered_json::array();
    for (const AddedToken& token : files.added)
        list.push_back({{"id", token.id},
                        {"content", token.content},
                        {"single_word", token.single_word},
                        {"lstrip", token.lstrip},
                        {"rstrip", token.rstrip},
                        {"normalized", token.normalized},
                        {"special", token.special}});
    return list;
}

ordered_json model(const TokenizerFiles& files, const std::vector<std::string>& tokens) {
    // An ordered_json is a list, so looking up each key before inserting would be quadratic.
    ordered_json::object_t ids;
    for (size_t id = 0; id < tokens.size(); ++id)
        if (files.ids.contains(tokens[id])) ids.push_back({tokens[id], static_cast<int64_t>(id)});
    ordered_json merges = ordered_json::array();
    for (const Merge& merge : files.merges)
        merges.push_back(ordered_json::array({tokens[merge.left], tokens[merge.right]}));
    const bool fallback = files.sentence_piece.has_value();
    ordered_json unknown;  // in a byte-level model it would stand for bytes, which have none
    if (fallback && files.unknown) unknown = tokens[*files.unknown];
    return {{"type", "BPE"},
            {"dropout", nullptr},
            {"unk_token", unknown},
            {"continuing_subword_prefix", fallback ? ordered_json() : ordered_json("")},
            {"end_of_word_suffix", fallback ? ordered_json() : ordered_json("")},
            {"fuse_unk", fallback},
            {"byte_fallback", fallback},
            {"ignore_merges", files.ignore_merges},
            {"vocab", std::move(ids)},
            {"merges", std::move(merges)}};
}

// What stands around a text, and around each of two.
ordered_json template_processing(const TokenizerFiles& files,
                                 const std::vector<std::string>& tokens) {
    ordered_json names = ordered_json::object();
    const auto sequence = [&](const char* text, int type_id) {
        ordered_json list = ordered_json::array();
        const auto add = [&](const std::vector<int32_t>& ids) {
            for (const int32_t id : ids) {
                const std::string& name = tokens[id];
                list.push_back({{"SpecialToken", {{"id", name}, {"type_id", type_id}}}});
                names[name] = {{"id", name},
                               {"ids", ordered_json::array({id})},
                               {"tokens", ordered_json::array({name})}};
            }
        };
        add(files.prefix);
        list.push_back({{"Sequence", {{"id", text}, {"type_id", type_id}}}});
        add(files.suffix);
        return list;
    };
    const ordered_json single = sequence("A", 0);
    ordered_json pair = single;
    for (const auto& piece : sequence("B", 1)) pair.push_back(piece);
    return {{"type", "TemplateProcessing"},
            {"single", single},
            {"pair", std::move(pair)},
            {"special_tokens", std::move(names)}};
}

ordered_json post_processor(const TokenizerFiles& files, const std::vector<std::string>& tokens) {
    const bool surrounds = !files.prefix.empty() || !files.suffix.empty();
    if (files.sentence_piece)
        return surrounds ? template_processing(files, tokens) : ordered_json();
    if (!surrounds) return byte_level_json(true);
    return {{"type", "Sequence"},
            {"processors",
             ordered_json::array({byte_level_json(true), template_processing(files, tokens)})}};
}

ordered_json document(const TokenizerFiles& files, const std::vector<std::string>& tokens) {
    ordered_json all = {{"version", "1.0"},
                        {"truncation", nullptr},
                        {"padding", nullptr},
                        {"added_tokens", added_tokens(files)},
                        {"normalizer", nullptr},
                        {"pre_tokenizer", nullptr},
                        {"post_processor", post_processor(files, tokens)},
                        {"decoder", byte_level_json(true)},
                        {"model", model(files, tokens)}};
    if (files.sentence_piece) {
        write_sentence_piece(*files.sentence_piece, all);
    } else {
        all["pre_tokenizer"] = pre_tokenizer_json(files.pre_tokenizer);
        if (files.normalize_nfc) all["normalizer"] = {{"type", "NFC"}};
    }
    return all;
}

ordered_json tokenizer_config(const TokenizerFiles& files, const std::vector<std::string>& tokens,
                              const std::string& chat_template) {
    const auto name = [&](std::optional<int32_t> id) {
        return id ? ordered_json(tokens[*id]) : ordered_json();
    };
    // A class of its own would build its pre-tokenizer itself; this one takes tokenizer.json's.
    ordered_json config = {{"tokenizer_class", "PreTrainedTokenizerFast"},
                           {"clean_up_tokenization_spaces", false},
                           {"bos_token", name(files.bos)},
                           {"eos_token", name(files.eos)},
                           {"pad_token", name(files.pad)}};
    if (!files.sentence_piece) config["add_prefix_space"] = false;
    if (files.unknown) config["unk_token"] = name(files.unknown);
    config["add_bos_token"] = !files.prefix.empty();
    config["add_eos_token"] = !files.suffix.empty();
    if (!chat_template.empty()) config["chat_template"] = chat_template;
    return config;
}

}  // namespace

void write_tokenizer_files(const TokenizerFiles& files, const std::filesystem::path& folder,
                           const std::string& chat_template) {
    ENSURE_INPUT(is_valid_utf8(chat_template), files.source,
                 "chat template: found bytes that are not UTF-8, expected text");
    const std::vector<std::string> tokens = tokens_by_id(files);
    const std::string text = document(files, tokens).dump(2) + "\n";
    const std::string config = tokenizer_config(files, tokens, chat_template).dump(2) + "\n";
    std::error_code failed;
    std::filesystem::create_directories(folder, failed);
    ENSURE_INPUT(!failed, folder.string(), "cannot be made: {}", failed.message());
    write_file(folder / "tokenizer_config.json", config);
    if (!chat_template.empty()) write_file(folder / "chat_template.jinja", chat_template);
    write_file(folder / "tokenizer.json", text);  // last: without it this is no tokenizer
}

void write_tokenizer(const TrainedVocabulary& vocabulary, const std::filesystem::path& folder) {
    TokenizerFiles files;
    files.source = folder.string();
    files.merges = vocabulary.merges;
    files.pre_tokenizer = vocabulary.pre_tokenizer;
    for (size_t i = 0; i < vocabulary.token_bytes.size(); ++i) {
        const auto id = static_cast<int32_t>(i);
        const std::string& bytes = vocabulary.token_bytes[i];
        const bool special = i < vocabulary.special_tokens.size();
        files.ids.emplace(special ? bytes : bytes_to_alphabet(bytes), id);
        if (special) files.added.push_back({.id = id, .content = bytes, .special = true});
    }
    if (!vocabulary.special_tokens.empty()) files.bos = files.eos = files.pad = 0;
    write_tokenizer_files(files, folder);
}
