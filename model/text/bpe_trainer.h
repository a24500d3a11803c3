// Learns a byte-level byte-pair vocabulary from text.
//
// The text is cut by a pre-tokenizer; every piece is a sequence of bytes. Then, until the
// vocabulary is full, the most frequent neighbouring pair becomes a new token, everywhere at once.
// Of equally frequent pairs the one whose bytes are greater wins (left token first, as strings), so
// the result depends on nothing but the text. Ids: special tokens, the 256 bytes in alphabet order,
// the merges.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "model/text/bpe.h"
#include "model/text/pre_tokenizer.h"

struct TrainedVocabulary {
    std::vector<std::string> special_tokens;  // the first ids
    std::vector<std::string> token_bytes;     // [id]
    std::vector<Merge> merges;
    PreTokenizer pre_tokenizer;  // of the patterns with a published form
};

class BpeTrainer {
public:
    explicit BpeTrainer(std::vector<std::string> special_tokens = {"<|endoftext|>"});

    // One document: pieces do not reach across its ends, nor across special tokens in it.
    void add_text(std::string_view text);
    // Fewer tokens if the text runs out of pairs. `vocab_size` counts special tokens and bytes.
    TrainedVocabulary train(int64_t vocab_size) const;

private:
    struct Hash {
        using is_transparent = void;
        size_t operator()(std::string_view text) const {
            return std::hash<std::string_view>{}(text);
        }
    };

    std::vector<std::string> special_tokens_;
    PreTokenizer pre_tokenizer_;
    std::unordered_map<std::string, int64_t, Hash, std::equal_to<>> piece_counts_;
};

// `bin/tokenize --train_bpe`: writes tokenizer.json and tokenizer_config.json into the folder.
// Returns the size of the vocabulary.
int64_t train_bpe(const std::vector<std::filesystem::path>& files, int64_t vocab_size,
                  const std::filesystem::path& output_folder);
