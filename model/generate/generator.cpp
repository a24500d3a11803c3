#include "model/generate/generator.h"

#include <algorithm>

#include "kernels/core/check.h"

namespace {

// Of all rows at once: bounds the memory of long prompts.
constexpr int64_t kPrefillTokens = 512;
// The cache's first size, of a row.
constexpr int64_t kFirstCapacity = 256;

BatchLimits limits_for(int64_t piece, int rows) {
    return {.tokens = piece * rows, .longest_row = piece, .head = false};
}

// The rows of one call as they grow.
class Rows {
public:
    Rows(int count, const GenerateOptions& options, const OnToken& on_token)
        : options_(options),
          on_token_(on_token),
          rows_(static_cast<size_t>(count)),
          ended_(static_cast<size_t>(count), false) {}

    // A row that has ended goes on unseen, for the others' sake.
    void take(const std::vector<int32_t>& drawn) {
        const auto& ends = options_.end_tokens;
        for (size_t r = 0; r < drawn.size(); ++r) {
            if (ended_[r]) continue;
            if (std::find(ends.begin(), ends.end(), drawn[r]) != ends.end()) {
                end(r, Continuation::End::end_token);
                continue;
            }
            rows_[r].tokens.push_back(drawn[r]);
            if (on_token_ && on_token_(static_cast<int>(r), drawn[r]))
                end(r, Continuation::End::on_token);
        }
    }
    void cancel() {
        for (size_t r = 0; r < rows_.size(); ++r)
            if (!ended_[r]) end(r, Continuation::End::cancelled);
    }
    bool all_ended() const {
        return std::find(ended_.begin(), ended_.end(), false) == ended_.end();
    }
    std::vector<Continuation> result() { return std::move(rows_); }

private:
    void end(size_t r, Continuation::End how) {
        rows_[r].end = how;
        ended_[r] = true;
    }

    const GenerateOptions& options_;
    const OnToken& on_token_;
    std::vector<Continuation> rows_;
    std::vector<bool> ended_;
};

}  // namespace

template <typename T>
Generator<T>::Generator(const ModelConfig& config, ParameterStore<T>& store, int64_t max_tokens,
                        int rows)
    : config_(config),
      max_tokens_(std::min<int64_t>(max_tokens, config.max_positions)),
      rows_(rows),
      piece_(std::clamp<int64_t>(kPrefillTokens / rows, 1, max_tokens_)),
      stream_(store.device()),
      model_(config, store, limits_for(piece_, rows), stream_.view()),
      cache_(config, rows, std::min(kFirstCapacity, max_tokens_), store.device()),
      seen_(static_cast<size_t>(rows)),
      logits_(store.device(), int64_t{rows} * config.vocab_size, "logits"),
      scratch_(store.device(), sample_scratch_bytes(store.device(), rows, config.vocab_size),
               "sampling") {}

template <typename T>
int64_t Generator<T>::rewind(std::span<const int32_t> prompt) {
    size_t shared = prompt.size() - 1;
    for (const std::vector<int32_t>& seen : seen_) {
        shared = std::min(shared, seen.size());
        const auto end = seen.begin() + static_cast<int64_t>(shared);
        shared = static_cast<size_t>(std::mismatch(seen.begin(), end, prompt.begin()).first -
                                     seen.begin());
    }
    for (std::vector<int32_t>& seen : seen_) seen.resize(shared);
    std::fill(cache_.counts().begin(), cache_.counts().end(), static_cast<int32_t>(shared));
    return static_cast<int64_t>(shared);
}

template <typename T>
void Generator<T>::forward(const Batch& batch) {
    // All rows have seen equally many tokens.
    const auto needed = static_cast<int64_t>(seen_.front().size()) + batch.longest_row();
    if (needed > cache_.capacity())
        cache_.reserve(std::min(std::max(needed, 2 * cache_.capacity()), max_tokens_));
    model_.forward(batch, {}, &cache_);
    for (int r = 0; r < rows_; ++r)
        seen_[static_cast<size_t>(r)].insert(seen_[static_cast<size_t>(r)].end(),
                                             batch.tokens.begin() + batch.row_starts[r],
                                             batch.tokens.begin() + batch.row_starts[r + 1]);
    tokens_read_ += batch.num_tokens();
}

template <typename T>
bool Generator<T>::prefill(std::span<const int32_t> prompt, const GenerateOptions& options) {
    const auto length = static_cast<int64_t>(prompt.size());
    for (int64_t first = rewind(prompt); first < length; first += piece_) {
        if (options.cancelled && options.cancelled()) return false;
        const auto piece = prompt.subspan(static_cast<size_t>(first),
                                          static_cast<size_t>(std::min(piece_, length - first)));
        Batch batch;
        for (int r = 0; r < rows_; ++r) batch.append_row(piece, {}, r);
        forward(batch);
        if (first + piece_ < length) continue;
        for (int r = 0; r < rows_; ++r)
            model_.logits(batch.row_starts[r + 1] - 1, 1,
                          logits_.data() + static_cast<int64_t>(r) * config_.vocab_size);
    }
    return true;
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
    const Device device = stream_.view().device;
    const Buffer<int32_t> drawn_there(device, rows_), seen_there(device, seen),
        positions(device, std::vector<int32_t>(rows.size(), static_cast<int32_t>(position)));
    const Buffer<int64_t> starts_there(device, seen_starts);
    sample(Sample{.tokens = drawn_there.data(),
                  .scratch = scratch_.data(),
                  .logits = logits_.data(),
                  .seen = seen_there.data(),
                  .seen_starts = starts_there.data(),
                  .positions = positions.data(),
                  .rows = rows_,
                  .vocabulary = config_.vocab_size,
                  .temperature = options.temperature,
                  .top_k = options.top_k,
                  .top_p = options.top_p,
                  .repetition_penalty = options.repetition_penalty,
                  .key = {static_cast<uint32_t>(options.seed),
                          static_cast<uint32_t>(options.seed >> 32)}},
           stream_.view());
    const std::vector<int32_t> drawn = drawn_there.to_host();
    for (const int32_t token : drawn)
        ENSURE(token >= 0, "generate: no finite logit at position {}", position);
    return drawn;
}

template <typename T>
std::vector<Continuation> Generator<T>::generate(std::span<const int32_t> prompt,
                                                 const GenerateOptions& options,
                                                 const OnToken& on_token) {
    const auto prompt_tokens = static_cast<int64_t>(prompt.size());
    ENSURE(prompt_tokens >= 1 && prompt_tokens <= max_tokens_,
           "generate: a prompt of {} tokens, expected 1 to {}", prompt_tokens, max_tokens_);
    Rows rows(rows_, options, on_token);
    if (!prefill(prompt, options)) rows.cancel();
    // The last token that the positions allow is drawn and not read.
    const int64_t last = std::min(prompt_tokens + options.max_new_tokens, max_tokens_ + 1);
    for (int64_t position = prompt_tokens; position < last && !rows.all_ended(); ++position) {
        const std::vector<int32_t> drawn = draw(seen_, position, options);
        rows.take(drawn);
        if (rows.all_ended() || position + 1 == last) break;
        if (options.cancelled && options.cancelled()) {
            rows.cancel();
            break;
        }
        Batch batch;
        for (size_t r = 0; r < drawn.size(); ++r)
            batch.append_row(std::span(&drawn[r], 1), {}, static_cast<int32_t>(r));
        forward(batch);
        model_.logits(0, rows_, logits_.data());
    }
    return rows.result();
}

template class Generator<float>;
template class Generator<bf16>;
