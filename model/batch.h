// A ragged micro-batch: rows of tokens end to end, no padding.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

// Row r is tokens row_starts[r] .. row_starts[r+1]; positions restart with each row.
struct Batch {
    std::vector<int32_t> tokens;            // [N]
    std::vector<int32_t> row_starts = {0};  // [R + 1]
    std::vector<int32_t> positions;         // [N]
    std::vector<int32_t> row_ids;           // [N]  the row's number in the step's global batch
    std::vector<float> loss_weight;         // [N]  of token n as a target; 0 at a row's first token

    // Adds a row; weights[0] is ignored: nothing comes before the first token to predict it from.
    // Empty weights: every token but the first counts 1.
    void append_row(std::span<const int32_t> row, std::span<const float> weights, int32_t row_id);

    int64_t num_tokens() const { return static_cast<int64_t>(tokens.size()); }
    int num_rows() const { return static_cast<int>(row_starts.size()) - 1; }
    int64_t longest_row() const;
    double weight_sum() const;    // of this micro-batch: a share of the step's divisor
    int64_t num_targets() const;  // tokens of weight above 0
};

// What position n predicts: the next token of its row (-1 at a row's end) and its loss weight.
struct Targets {
    std::vector<int32_t> tokens;  // [N]
    std::vector<float> weights;   // [N]
};
Targets targets_of(const Batch& batch);
