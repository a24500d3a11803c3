#include "model/text/corpus.h"

#include <algorithm>

#include "kernels/core/check.h"

Corpus::Corpus(int64_t bytes_in_memory)
    : tokens_("the data's tokens", bytes_in_memory),
      weights_("the weights of the data's tokens", bytes_in_memory),
      rows_("the data's rows", bytes_in_memory) {
    rows_.append(Begin{});
}

void Corpus::append(std::span<const int32_t> ids, std::span<const float> row_weights) {
    ENSURE(row_weights.empty() || row_weights.size() == ids.size(),
           "corpus: a row of {} tokens with {} weights", ids.size(), row_weights.size());
    const auto length = static_cast<int64_t>(ids.size());
    std::vector<WeightRun> runs;
    for (const float weight : row_weights) {
        if (runs.empty() || runs.back().weight != weight) runs.push_back({.weight = weight});
        ++runs.back().tokens;
    }
    tokens_.append(ids);
    weights_.append(runs);
    rows_.append({.token = tokens_.size(), .weight = weights_.size()});
    longest_row_ = std::max(longest_row_, length);
    if (row_weights.empty()) {
        target_tokens_ += std::max<int64_t>(length - 1, 0);
    } else {
        target_tokens_ += std::count_if(row_weights.begin() + 1, row_weights.end(),
                                        [](float weight) { return weight > 0.0f; });
    }
}

std::vector<float> Corpus::row_weights(int64_t r) const {
    std::vector<float> weights;
    const int64_t begin = rows_[r].weight, end = rows_[r + 1].weight;
    if (begin < end) weights.reserve(static_cast<size_t>(row_length(r)));
    for (const WeightRun& run : weights_.slice(begin, end - begin))
        weights.insert(weights.end(), static_cast<size_t>(run.tokens), run.weight);
    return weights;
}

void Corpus::forget_read() const {
    tokens_.forget_read();
    weights_.forget_read();
    rows_.forget_read();
}
