// How well a model predicts a text, every token once.
//
// The text is tokenised whole and cut into windows of max_length tokens, each beginning with the
// last token of the one before (the first with the tokenizer's BOS, or the model's: GPT-2's
// <|endoftext|>), so every token of the text is predicted exactly once with at least one token
// before it.
//
//   nats/token = sum -log p / tokens,   token perplexity = exp(nats/token)
//   bits/byte  = sum -log p / ln 2 / bytes of the text,  word perplexity = exp(sum -log p / words)
//
// where words are counted as lm-evaluation-harness's wikitext task does: the text split at white
// space. Its windows hold one token more (max_length predicted, not max_length - 1).
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>

#include "model/score.h"
#include "model/text/tokenizer.h"

struct PerplexityText {
    Corpus windows;
    int64_t bytes = 0;
    int64_t words = 0;
    std::string sha256;  // of the file
};

// `start` begins the first window. `progress` is told how many bytes were read.
PerplexityText read_perplexity_text(const std::filesystem::path& file, const Tokenizer& tokenizer,
                                    int32_t start, int64_t max_length,
                                    const std::function<void(int64_t)>& progress = {});

struct Perplexity {
    ScoreSum sum;
    int64_t bytes = 0;
    int64_t words = 0;

    double nats_per_token() const { return sum.mean(); }
    double token_perplexity() const;
    double word_perplexity() const;
    double bits_per_byte() const;
};

template <typename T>
Perplexity perplexity(Transformer<T>& model, const PerplexityText& text,
                      const std::function<void(int64_t)>& progress = {});
