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
    tokens_.append(ids);
    weights_.append(row_weights);
    rows_.append({.token = tokens_.size(), .weight = weights_.size()});
    longest_row_ = std::max(longest_row_, length);
    if (row_weights.empty()) {
        target_tokens_ += std::max<int64_t>(length - 1, 0);
    } else {
        target_tokens_ += std::count_if(row_weights.begin() + 1, row_weights.end(),
                                        [](float weight) { return weight > 0.0f; });
    }
}

void Corpus::forget_read() const {
    tokens_.forget_read();
    weights_.forget_read();
    rows_.forget_read();
}
