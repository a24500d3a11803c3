#include "model/generate/generator.h"

#include <algorithm>

#include "kernels/core/check.h"

namespace {

constexpr int64_t kPrefillTokens = 512;  // of a row at once: bounds the memory of long prompts

BatchLimits limits_for(int64_t max_tokens, int rows) {
    const int64_t chunk = std::min(kPrefillTokens, max_tokens);
    return {.tokens = chunk * rows, .longest_row = chunk, .positions = max_tokens};
}

}  // namespace

template <typename T>
Generator<T>::Generator(const ModelConfig& config, ParameterStore<T>& store, int64_t max_tokens,
                        int rows)
    : config_(config),
      max_tokens_(std::min<int64_t>(max_tokens, config.max_positions)),
      rows_(rows),
      model_(config, store, limits_for(max_tokens_, rows)),
      cache_(config, rows, max_tokens_),
      logits_(static_cast<size_t>(rows) * static_cast<size_t>(config.vocab_size)),
      scratch_(static_cast<size_t>(sample_scratch_bytes(rows, config.vocab_size))) {}

template <typename T>
void Generator<T>::prefill(std::span<const int32_t> prompt) {
    for (size_t first = 0; first < prompt.size(); first += kPrefillTokens) {
        const auto piece =
            prompt.subspan(first, std::min<size_t>(kPrefillTokens, prompt.size() - first));
        Batch batch;
        for (int r = 0; r < rows_; ++r) batch.append_row(piece, {}, r);
        model_.forward(batch, {}, &cache_);
        if (first + piece.size() < prompt.size()) continue;
        for (int r = 0; r < rows_; ++r)
            model_.logits(batch.row_starts[r + 1] - 1, 1,
                          logits_.data() + static_cast<int64_t>(r) * config_.vocab_size);
    }
}

template <typename T>
std::vector<int32_t> Generator<T>::draw(const std::vector<std::vector<int32_t>>& rows,
                                        int64_t position, const GenerateOptions& options) {
    std::vector<int32_t> seen;
    std::vector<int64_t> seen_starts = {0};
    for (const auto& row : rows) {
        seen.insert(seen.end(), row.begin(), row.end());
        seen_starts.push_back(static_cast<int64_t>(seen.size()));
    }
    const std::vector<int32_t> positions(rows.size(), static_cast<int32_t>(position));
    std::vector<int32_t> drawn(rows.size());
    sample(Sample{.tokens = drawn.data(),
                  .scratch = scratch_.data(),
                  .logits = logits_.data(),
                  .seen = seen.data(),
                  .seen_starts = seen_starts.data(),
                  .positions = positions.data(),
                  .rows = rows_,
                  .vocabulary = config_.vocab_size,
                  .temperature = options.temperature,
                  .top_k = options.top_k,
                  .top_p = options.top_p,
                  .repetition_penalty = options.repetition_penalty,
                  .key = {static_cast<uint32_t>(options.seed),
                          static_cast<uint32_t>(options.seed >> 32)}},
           {});
    for (const int32_t token : drawn)
        ENSURE(token >= 0, "generate: no finite logit at position {}", position);
    return drawn;
}

template <typename T>
std::vector<std::vector<int32_t>> Generator<T>::generate(std::span<const int32_t> prompt,
                                                         const GenerateOptions& options,
                                                         const OnToken& on_token) {
    const auto prompt_tokens = static_cast<int64_t>(prompt.size());
    ENSURE(prompt_tokens >= 1 && prompt_tokens < max_tokens_ + 1,
           "generate: a prompt of {} tokens, expected 1 to {}", prompt_tokens, max_tokens_);
    std::fill(cache_.counts().begin(), cache_.counts().end(), 0);
    prefill(prompt);
    const std::vector<int32_t> start(prompt.begin(), prompt.end());
    std::vector<std::vector<int32_t>> rows(static_cast<size_t>(rows_), start);
    std::vector<std::vector<int32_t>> fresh(static_cast<size_t>(rows_));
    std::vector<bool> ended(static_cast<size_t>(rows_), false);
    const int64_t last = std::min(prompt_tokens + options.max_new_tokens, max_tokens_ + 1);
    for (int64_t position = prompt_tokens; position < last; ++position) {
        const std::vector<int32_t> drawn = draw(rows, position, options);
        Batch batch;
        for (int r = 0; r < rows_; ++r) {
            const auto at = static_cast<size_t>(r);
            batch.append_row(std::span(&drawn[at], 1), {}, r);
            rows[at].push_back(drawn[at]);
            if (ended[at]) continue;
            const auto& ends = options.end_tokens;
            if (std::find(ends.begin(), ends.end(), drawn[at]) != ends.end()) {
                ended[at] = true;
                continue;
            }
            fresh[at].push_back(drawn[at]);
            if (on_token && on_token(r, drawn[at])) ended[at] = true;
        }
        const bool all_ended = std::find(ended.begin(), ended.end(), false) == ended.end();
        if (all_ended || position + 1 >= last || position >= max_tokens_) break;
        model_.forward(batch, {}, &cache_);
        model_.logits(0, rows_, logits_.data());
    }
    return fresh;
}

template class Generator<float>;
template class Generator<bf16>;
