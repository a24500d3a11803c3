#include "model/batch.h"

#include <algorithm>
#include <numeric>

#include "kernels/core/check.h"

void Batch::append_row(std::span<const int32_t> row, std::span<const float> weights,
                       int32_t row_id) {
    ENSURE(weights.empty() || weights.size() == row.size(),
           "batch: a row of {} tokens with {} weights", row.size(), weights.size());
    const size_t first = tokens.size();
    tokens.insert(tokens.end(), row.begin(), row.end());
    for (size_t i = 0; i < row.size(); ++i) {
        positions.push_back(static_cast<int32_t>(i));
        row_ids.push_back(row_id);
        loss_weight.push_back(i == 0 ? 0.0f : weights.empty() ? 1.0f : weights[i]);
    }
    row_starts.push_back(static_cast<int32_t>(first + row.size()));
}

int64_t Batch::longest_row() const {
    int32_t longest = 0;
    for (int r = 0; r < num_rows(); ++r)
        longest = std::max(longest, row_starts[r + 1] - row_starts[r]);
    return longest;
}

double Batch::weight_sum() const {
    return std::accumulate(loss_weight.begin(), loss_weight.end(), 0.0);
}

int64_t Batch::num_targets() const {
    return std::count_if(loss_weight.begin(), loss_weight.end(), [](float w) { return w > 0.0f; });
}

Targets targets_of(const Batch& batch) {
    Targets targets{std::vector<int32_t>(batch.tokens.size(), -1),
                    std::vector<float>(batch.tokens.size(), 0.0f)};
    for (int r = 0; r < batch.num_rows(); ++r) {
        for (int32_t n = batch.row_starts[r]; n + 1 < batch.row_starts[r + 1]; ++n) {
            targets.tokens[n] = batch.tokens[n + 1];
            targets.weights[n] = batch.loss_weight[n + 1];
        }
    }
    return targets;
}
