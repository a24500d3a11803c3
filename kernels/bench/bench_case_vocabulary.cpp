// Cases of bin/bench: the ends of a model, where the vocabulary is.

#include <fmt/core.h>

#include "kernels/bench/case_list.h"
#include "kernels/cross_entropy/cross_entropy.h"
#include "kernels/cross_entropy/weighted_sum.h"
#include "kernels/embedding/embedding.h"
#include "kernels/sample/sample.h"

namespace {

template <typename T>
void add_embedding(Cases& cases, const Sizes& s) {
    const double row = static_cast<double>(s.channels);
    const auto tokens = static_cast<double>(s.tokens);
    cases.add(
        "embedding_forward", fmt::format("N={} C={} {}", s.tokens, s.channels, type_name<T>()),
        3 * tokens * row * sizeof(T), 0,
        [=](BenchMemory& m) {
            return EmbeddingForward<T>{.out = m.zeros<T>(s.tokens * s.channels),
                                       .tokens = m.counting(s.tokens, s.vocabulary),
                                       .positions = m.counting(s.tokens, s.row),
                                       .token_table = m.random<T>(s.vocabulary * s.channels),
                                       .position_table = m.random<T>(int64_t{s.row} * s.channels),
                                       .rows = s.tokens,
                                       .channels = s.channels};
        },
        embedding_forward<T>);
    cases.add(
        "embedding_backward", fmt::format("N={} C={} {}", s.tokens, s.channels, type_name<T>()),
        tokens * row * (sizeof(T) + 4 * sizeof(float)), 0,
        [=](BenchMemory& m) {
            return EmbeddingBackward<T>{
                .grad_token_table = m.zeros<float>(s.vocabulary * s.channels),
                .grad_position_table = m.zeros<float>(int64_t{s.row} * s.channels),
                .grad_out = m.random<T>(s.tokens * s.channels),
                .tokens = m.counting(s.tokens, s.vocabulary),
                .positions = m.counting(s.tokens, s.row),
                .rows = s.tokens,
                .channels = s.channels};
        },
        embedding_backward<T>);
}

template <typename T>
void add_cross_entropy(Cases& cases, const Sizes& s) {
    const int64_t logits = s.logit_rows * s.vocabulary;
    cases.add(
        "cross_entropy", fmt::format("N={} V={} {}", s.logit_rows, s.vocabulary, type_name<T>()),
        static_cast<double>(logits) * (sizeof(float) + sizeof(T)), 0,
        [=](BenchMemory& m) {
            return CrossEntropy<T>{.logprob = m.zeros<float>(s.logit_rows),
                                   .grad_logits = m.zeros<T>(logits),
                                   .logits = m.random<float>(logits),
                                   .targets = m.counting(s.logit_rows, s.vocabulary),
                                   .grad_logprob = m.random<float>(s.logit_rows),
                                   .rows = s.logit_rows,
                                   .vocabulary = s.vocabulary};
        },
        cross_entropy<T>);
}

void add_weighted_sum(Cases& cases, const Sizes& s) {
    cases.add(
        "weighted_sum", fmt::format("N={}", s.logit_rows), 8.0 * static_cast<double>(s.logit_rows),
        0,
        [=](BenchMemory& m) {
            return WeightedSum<float>{.sum = m.zeros<double>(1),
                                      .values = m.random<float>(s.logit_rows),
                                      .weights = m.random<float>(s.logit_rows),
                                      .count = s.logit_rows};
        },
        weighted_sum<float>);
}

void add_sample(Cases& cases, const Sizes& s) {
    cases.add(
        "sample", fmt::format("V={} top_k 50 top_p 0.9", s.vocabulary),
        4.0 * static_cast<double>(s.vocabulary), 0,
        [=](BenchMemory& m) {
            return Sample{
                .tokens = m.zeros<int32_t>(1),
                .scratch = m.scratch<char>(sample_scratch_bytes(m.device(), 1, s.vocabulary)),
                .logits = m.random<float>(s.vocabulary),
                .positions = m.zeros<int32_t>(1),
                .rows = 1,
                .vocabulary = s.vocabulary,
                .top_k = 50,
                .top_p = 0.9f};
        },
        sample);
}

}  // namespace

void add_vocabulary(Cases& cases, const Sizes& sizes) {
    add_embedding<float>(cases, sizes);
    add_cross_entropy<float>(cases, sizes);
    add_embedding<bf16>(cases, sizes);
    add_cross_entropy<bf16>(cases, sizes);
    add_weighted_sum(cases, sizes);
    add_sample(cases, sizes);
}
