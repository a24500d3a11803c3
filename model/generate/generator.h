// Continues a prompt token by token, with a KV cache.
//
// The cache outlives a call: of the next prompt only what departs from the tokens already seen is
// computed, so a conversation costs its new tokens. Prompts go through in pieces of bounded size,
// and the cache grows with what it holds.
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
    uint64_t seed = 42;
    std::vector<int32_t> end_tokens =
        {};  // a row ends when it draws one; the token is not reported
    // Asked before each forward pass; true ends all rows.
    std::function<bool()> cancelled = {};
};

// Called with each new token of a row; true ends the row.
using OnToken = std::function<bool(int row, int32_t token)>;

struct Continuation {
    enum class End { length, end_token, on_token, cancelled };
    std::vector<int32_t> tokens;
    End end = End::length;  // also where the model has no more positions
};

template <typename T>
class Generator {
public:
    // Borrows config and store, and runs on the store's device. Prompt and new tokens together: at
    // most `max_tokens` a row.
    Generator(const ModelConfig& config, ParameterStore<T>& store, int64_t max_tokens, int rows);

    // Every row continues the prompt, which has at least one token.
    std::vector<Continuation> generate(std::span<const int32_t> prompt,
                                       const GenerateOptions& options,
                                       const OnToken& on_token = {});

    // Tokens that forward passes have read so far, all rows together.
    int64_t tokens_read() const { return tokens_read_; }

private:
    // Forgets what the rows saw beyond the beginning that they share with the prompt, whose last
    // token is always read again: its logits are needed. Returns the length of what is left.
    int64_t rewind(std::span<const int32_t> prompt);
    void forward(const Batch& batch);
    // False if it was cancelled.
    bool prefill(std::span<const int32_t> prompt, const GenerateOptions& options);
    // Draws the next token of every row from the logits of the last forward.
    std::vector<int32_t> draw(const std::vector<std::vector<int32_t>>& rows, int64_t position,
                              const GenerateOptions& options);

    const ModelConfig& config_;
    const int64_t max_tokens_;
    const int rows_;
    const int64_t piece_;  // tokens of a row that go through at once
    const Stream stream_;
    Transformer<T> model_;
    KvCache<T> cache_;
    std::vector<std::vector<int32_t>> seen_;  // [R]  the tokens behind the cache
    Buffer<Accumulator<T>> logits_;           // [R, V]  of each row's last token
    Buffer<unsigned char> scratch_;
    int64_t tokens_read_ = 0;
};
