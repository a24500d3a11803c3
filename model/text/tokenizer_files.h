// The files of a tokenizer, read into plain data. docs/format_tokenizer.md says which files and
// fields count and what is refused.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "model/text/added_tokens.h"
#include "model/text/bpe.h"
#include "model/text/pre_tokenizer.h"
#include "model/text/sentence_piece.h"

struct TokenizerFiles {
    std::string source;             // the file with the vocabulary
    TokenIds ids;                   // of the vocabulary, as written in the file
    std::vector<Merge> merges;      // lowest rank first
    std::vector<AddedToken> added;  // their ids may be among `ids` or beyond
    // Places in `added` of what add_token put there: some tokenizers have tens of thousands.
    std::unordered_map<int32_t, size_t> added_by_id;
    std::unordered_map<std::string, size_t> added_by_content;
    PreTokenizer pre_tokenizer;                   // of a byte-level tokenizer
    std::optional<SentencePiece> sentence_piece;  // else this
    bool normalize_nfc = false;
    bool ignore_merges = false;  // a piece that is itself in the vocabulary needs no merges
    std::optional<int32_t> bos, eos, pad;
    std::optional<int32_t> unknown;       // of sentence_piece; no text leads to it
    std::vector<int32_t> prefix, suffix;  // what the tokenizer itself puts around a text
};

// `tokenizer.json`, or `vocab.json` and `merges.txt`, or `encoder.json` and `vocab.bpe`, with
// `tokenizer_config.json` and `special_tokens_map.json` where they exist.
TokenizerFiles read_tokenizer_files(const std::filesystem::path& folder);

// The parts, for read_tokenizer_files.
void read_tokenizer_json(const std::filesystem::path& file, TokenizerFiles& files);
void read_vocabulary_and_merges(const std::filesystem::path& vocabulary,
                                const std::filesystem::path& merges, TokenizerFiles& files);
void read_special_tokens(const std::filesystem::path& folder, TokenizerFiles& files);

// Puts a token among the added ones; an InputError if its id or its content is already taken by
// another token. One that is there already stays as it is.
void add_token(const AddedToken& token, const std::string& source, TokenizerFiles& files);
