// Continues a prompt token by token, with a KV cache.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "kernels/sample/sample.h"
#include "model/kv_cache.h"
#include "model/transformer.h"

struct GenerateOptions {
    int64_t max_new_tokens = 128;
    float temperature = 1.0f;  // 0: greedy
    int top_k = 0;             // 0: off
    float top_p = 1.0f;
    float repetition_penalty = 1.0f;
    int rows = 1;  // continuations of the same prompt
    uint64_t seed = 42;
    std::vector<int32_t> end_tokens =
        {};  // a row ends when it draws one; the token is not reported
};

// Called with each new token of a row; true ends the row.
using OnToken = std::function<bool(int row, int32_t token)>;

template <typename T>
class Generator {
public:
    // Borrows config and store. Prompt and new tokens together: at most `max_tokens` a row.
    Generator(const ModelConfig& config, ParameterStore<T>& store, int64_t max_tokens, int rows);

    // The prompt has at least one token. Returns each row's new tokens; a row also ends where the
    // model has no more positions.
    std::vector<std::vector<int32_t>> generate(std::span<const int32_t> prompt,
                                               const GenerateOptions& options,
                                               const OnToken& on_token = {});

private:
    void prefill(std::span<const int32_t> prompt);
    // Draws the next token of every row from the logits of the last forward.
    std::vector<int32_t> draw(const std::vector<std::vector<int32_t>>& rows, int64_t position,
                              const GenerateOptions& options);

    const ModelConfig& config_;
    const int64_t max_tokens_;
    const int rows_;
    Transformer<T> model_;
    KvCache<T> cache_;
    std::vector<Accumulator<T>> logits_;  // [R, V]  of each row's last token
    std::vector<unsigned char> scratch_;
};
