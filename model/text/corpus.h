// Text turned into rows of tokens, once: what training deals out and evaluation scores.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "model/text/rows.h"
#include "model/text/tokenizer.h"

struct CorpusFile {
    std::string path;
    RowFormat format = RowFormat::text;
};

// Rows end to end; row r is tokens[starts[r]] .. tokens[starts[r + 1]].
struct Corpus {
    std::vector<int32_t> tokens;
    std::vector<float> weights;         // of each token as a target; empty: all are 1
    std::vector<int64_t> starts = {0};  // [R + 1]
    std::vector<CorpusFile> files;      // that were read, in this order
    int64_t rows_read = 0;              // before anything was dropped
    int64_t dropped_empty = 0;          // rows without a token to train on
    int64_t dropped_long = 0;           // rows longer than max_length (--truncation drop)
    int64_t truncated_rows = 0;         // --truncation truncate
    int64_t truncated_tokens = 0;
    int64_t bytes = 0;  // of text whose tokens are in rows

    int64_t num_rows() const { return static_cast<int64_t>(starts.size()) - 1; }
    std::span<const int32_t> row(int64_t r) const {
        return std::span(tokens).subspan(static_cast<size_t>(starts[r]),
                                         static_cast<size_t>(starts[r + 1] - starts[r]));
    }
    // Empty: 1 for every token of the row.
    std::span<const float> row_weights(int64_t r) const {
        if (weights.empty()) return {};
        return std::span(weights).subspan(static_cast<size_t>(starts[r]), row(r).size());
    }
    // Adds a row; empty weights: 1 each.
    void append(std::span<const int32_t> ids, std::span<const float> row_weights = {});
    int64_t longest_row() const;
    // Tokens that are trained: of weight above 0, and no row's first.
    int64_t target_tokens() const;
};

enum class TextRows { file, paragraph, line };
enum class Truncation { error, drop, truncate };

struct CorpusOptions {
    TextRows text_rows = TextRows::file;
    Truncation truncation = Truncation::drop;
    int64_t max_length = 1024;                // tokens of a row
    RowFormat format = RowFormat::automatic;  // of JSON's rows
    std::optional<ChatTemplate> chat = {};    // renders instructions and their answers
};

// Files, folders (their .txt, .jsonl and .json, by name) and globs, each as `path` or
// `path:repeat`, in the order given. Text files are windows, paragraphs or lines; rows of JSON are
// those of model/text/rows.h, of one format a file. An InputError names file, and row, of what
// cannot be used.
// `flag` is the one that named the paths, for messages.
Corpus read_corpus(const std::vector<std::string>& paths, const std::string& flag,
                   const Tokenizer& tokenizer, const CorpusOptions& options);

// The files that a data argument means, `:repeat` taken off and applied.
std::vector<std::filesystem::path> files_of(const std::string& argument, const std::string& flag);
