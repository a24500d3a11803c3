// Sampling as the contract writes it, every step over the whole sorted vocabulary: the oracle.
#pragma once

#include <algorithm>
#include <cmath>
#include <numeric>
#include <vector>

#include "kernels/sample/sample.h"

// The row's logits after the repetition penalty.
inline std::vector<float> penalised_logits(const Sample& args, int row) {
    const float* original = args.logits + row * args.vocabulary;  // [V]
    std::vector<float> logits(original, original + args.vocabulary);
    if (args.seen_starts == nullptr) return logits;
    for (int64_t i = args.seen_starts[row]; i < args.seen_starts[row + 1]; ++i) {
        const int32_t token = args.seen[i];
        logits[token] = original[token] > 0.0f ? original[token] / args.repetition_penalty
                                               : original[token] * args.repetition_penalty;
    }
    return logits;
}

inline int32_t sample_row_reference(const Sample& args, int row) {
    const std::vector<float> logits = penalised_logits(args, row);
    std::vector<int32_t> order;  // tokens that can be drawn, most probable first
    for (size_t v = 0; v < logits.size(); ++v)
        if (logits[v] > -std::numeric_limits<float>::infinity())
            order.push_back(static_cast<int32_t>(v));
    std::stable_sort(order.begin(), order.end(),
                     [&](int32_t a, int32_t b) { return logits[a] > logits[b]; });
    if (order.empty()) return -1;
    if (args.temperature == 0.0f) return order.front();
    if (args.top_k > 0) order.resize(std::min(order.size(), static_cast<size_t>(args.top_k)));

    std::vector<double> weights;  // exp((logit - largest) / temperature), in the same order
    for (const int32_t token : order)
        weights.push_back(logits[token] == logits[order.front()]
                              ? 1.0
                              : std::exp((double{logits[token]} - double{logits[order.front()]}) /
                                         double{args.temperature}));
    double total = std::accumulate(weights.begin(), weights.end(), 0.0);
    if (args.top_p < 1.0f) {
        const double enough = double{args.top_p} * total;
        size_t kept = 0;
        total = 0.0;
        while (kept < weights.size() && (kept == 0 || total < enough)) total += weights[kept++];
        weights.resize(kept);
    }
    const auto words =
        philox(args.key, {static_cast<uint32_t>(RandomPurpose::sample), static_cast<uint32_t>(row),
                          static_cast<uint32_t>(args.positions[row]), 0});
    const double goal = double{uniform(words[0])} * total;
    double sum = 0.0;
    for (size_t i = 0; i < weights.size(); ++i) {
        sum += weights[i];
        if (sum > goal) return order[i];
    }
    return order[weights.size() - 1];
}

inline void sample_reference(const Sample& args, StreamView = {}) {
    for (int row = 0; row < args.rows; ++row) args.tokens[row] = sample_row_reference(args, row);
}
