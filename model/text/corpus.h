// Rows of tokens: what training deals out and evaluation scores. corpus_reader.h makes them of
// files.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "model/io/growing_array.h"
#include "model/text/rows.h"

struct CorpusFile {
    std::string path;
    RowFormat format = RowFormat::text;
    std::string sha256 = {};
};

// What was read, and what became of it.
struct CorpusSource {
    std::vector<CorpusFile> files;  // in the order read
    int64_t rows_read = 0;          // before anything was dropped
    int64_t dropped_empty = 0;      // rows without a token to train on
    int64_t dropped_long = 0;       // rows longer than max_length (--truncation drop)
    int64_t truncated_rows = 0;     // --truncation truncate
    int64_t truncated_tokens = 0;
    int64_t bytes = 0;  // of text whose tokens are in rows
};

class Corpus {
public:
    // Tokens, weights and rows are in memory up to so many bytes each, beyond that in files without
    // names (model/io/scratch_file.h).
    static constexpr int64_t kBytesInMemory = int64_t{32} << 20;
    explicit Corpus(int64_t bytes_in_memory = kBytesInMemory);

    CorpusSource source;

    int64_t num_rows() const { return rows_.size() - 1; }
    int64_t num_tokens() const { return tokens_.size(); }
    int64_t row_length(int64_t r) const { return rows_[r + 1].token - rows_[r].token; }
    std::span<const int32_t> row(int64_t r) const {
        return tokens_.slice(rows_[r].token, row_length(r));
    }
    // Of each token as a target; empty: 1 for every token of the row.
    std::vector<float> row_weights(int64_t r) const;
    int64_t longest_row() const { return longest_row_; }
    // Tokens that are trained: of weight above 0, and no row's first.
    int64_t target_tokens() const { return target_tokens_; }

    // Adds a row; empty weights: 1 each. Spans of other rows end here.
    void append(std::span<const int32_t> ids, std::span<const float> row_weights = {});
    // Gives back the memory of rows that were read from a file.
    void forget_read() const;

private:
    struct Begin {
        int64_t token = 0, weight = 0;
    };
    struct WeightRun {  // tokens of one weight: most rows have a prompt's 0 and an answer's 1
        float weight = 0.0f;
        int32_t tokens = 0;
    };
    GrowingArray<int32_t> tokens_;
    GrowingArray<WeightRun> weights_;  // of rows that have them
    GrowingArray<Begin> rows_;         // [R + 1]
    int64_t longest_row_ = 0, target_tokens_ = 0;
};
