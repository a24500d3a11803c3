#include "model/text/tokenizer_writer.h"

#include <nlohmann/json.hpp>

#include "kernels/core/check.h"
#include "model/io/atomic_file.h"
#include "model/text/byte_alphabet.h"

namespace {

using nlohmann::ordered_json;

ordered_json byte_level(bool use_regex) {
    return {{"type", "ByteLevel"},
            {"add_prefix_space", false},
            {"trim_offsets", true},
            {"use_regex", use_regex}};
}

ordered_json added_tokens(const TrainedVocabulary& vocabulary) {
    ordered_json list = ordered_json::array();
    for (size_t id = 0; id < vocabulary.special_tokens.size(); ++id)
        list.push_back({{"id", id},
                        {"content", vocabulary.special_tokens[id]},
                        {"single_word", false},
                        {"lstrip", false},
                        {"rstrip", false},
                        {"normalized", false},
                        {"special", true}});
    return list;
}

ordered_json model(const TrainedVocabulary& vocabulary) {
    std::vector<std::string> characters;  // [id]
    for (size_t id = 0; id < vocabulary.token_bytes.size(); ++id) {
        const bool special = id < vocabulary.special_tokens.size();
        const std::string& bytes = vocabulary.token_bytes[id];
        characters.push_back(special ? bytes : bytes_to_alphabet(bytes));
    }
    // An ordered_json is a list, so looking up each key before inserting would be quadratic.
    ordered_json::object_t ids;
    for (size_t id = 0; id < characters.size(); ++id)
        ids.push_back({characters[id], static_cast<int64_t>(id)});
    ordered_json merges = ordered_json::array();
    for (const Merge& merge : vocabulary.merges)
        merges.push_back(ordered_json::array({characters[merge.left], characters[merge.right]}));
    return {{"type", "BPE"},
            {"dropout", nullptr},
            {"unk_token", nullptr},
            {"continuing_subword_prefix", ""},
            {"end_of_word_suffix", ""},
            {"fuse_unk", false},
            {"byte_fallback", false},
            {"ignore_merges", false},
            {"vocab", std::move(ids)},
            {"merges", std::move(merges)}};
}

ordered_json tokenizer_config(const TrainedVocabulary& vocabulary) {
    ordered_json config = {{"tokenizer_class", "PreTrainedTokenizerFast"},
                           {"add_prefix_space", false},
                           {"clean_up_tokenization_spaces", false}};
    const bool has_special = !vocabulary.special_tokens.empty();
    for (const char* role : {"bos_token", "eos_token", "pad_token"})
        config[role] = has_special ? ordered_json(vocabulary.special_tokens[0]) : ordered_json();
    return config;
}

}  // namespace

void write_tokenizer(const TrainedVocabulary& vocabulary, const std::filesystem::path& folder) {
    const PreTokenizer& cut = vocabulary.pre_tokenizer;
    ENSURE(cut.digits == PreTokenizer::Digits::in_pattern &&
               cut.pattern != PreTokenizer::Pattern::llama3,
           "only the GPT-2 pattern or none can be written");
    const ordered_json document = {
        {"version", "1.0"},
        {"truncation", nullptr},
        {"padding", nullptr},
        {"added_tokens", added_tokens(vocabulary)},
        {"normalizer", nullptr},
        {"pre_tokenizer", byte_level(cut.pattern == PreTokenizer::Pattern::gpt2)},
        {"post_processor", byte_level(true)},
        {"decoder", byte_level(true)},
        {"model", model(vocabulary)}};
    std::error_code failed;
    std::filesystem::create_directories(folder, failed);
    ENSURE_INPUT(!failed, folder.string(), "cannot be made: {}", failed.message());
    write_file(folder / "tokenizer.json", document.dump(2) + "\n");
    write_file(folder / "tokenizer_config.json", tokenizer_config(vocabulary).dump(2) + "\n");
}
