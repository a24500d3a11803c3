// Cross-entropy as the contract writes it, in double: the oracle, and the double instantiation's
// form.
#pragma once

#include <algorithm>
#include <cmath>
#include <limits>

#include "kernels/cross_entropy/cross_entropy.h"

template <typename T>
void cross_entropy_reference(const CrossEntropy<T>& args, StreamView = {}) {
    for (int64_t n = 0; n < args.rows; ++n) {
        const Accumulator<T>* logits = args.logits + n * args.vocabulary;  // [V]
        const int32_t target = args.targets[n];
        double largest = -std::numeric_limits<double>::infinity();
        for (int64_t v = 0; v < args.vocabulary; ++v)
            largest = std::max(largest, static_cast<double>(logits[v]));
        double sum = 0.0;
        for (int64_t v = 0; v < args.vocabulary; ++v) sum += std::exp(logits[v] - largest);
        args.logprob[n] = Accumulator<T>(
            target < 0 ? 0.0 : static_cast<double>(logits[target]) - largest - std::log(sum));
        if (args.grad_logits == nullptr) continue;
        for (int64_t v = 0; v < args.vocabulary; ++v) {
            const double probability = std::exp(logits[v] - largest) / sum;
            const double one = v == target ? 1.0 : 0.0;
            const double grad = static_cast<double>(args.grad_logprob[n]) * (one - probability);
            args.grad_logits[n * args.vocabulary + v] = T(target < 0 ? 0.0 : grad);
        }
    }
}
