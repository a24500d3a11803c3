// Sampling on the cpu device: sorts only as many tokens as the draw walks past.
//
// Threads   a row each.
// Traffic   reads RV logits; 8 bytes of scratch an element, one exponential a token without top_k.
//           A draw usually ends among the 64 most probable tokens, which one selection finds.
// Numerics  weights and sums in double. Without top_k the weights' total is summed by token id,
//           with it from most to least probable.

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "kernels/core/parallel.h"
#include "kernels/sample/sample.h"

namespace on_cpu {
namespace {

constexpr float kMinusInfinity = -std::numeric_limits<float>::infinity();

// The tokens of one row from most to least probable, sorted only as far as somebody has looked.
class Ranking {
public:
    Ranking(const float* logits, int32_t* order, int64_t vocabulary, double temperature)
        : logits_(logits),
          order_(order),
          vocabulary_(vocabulary),
          limit_(vocabulary),
          temperature_(temperature) {
        std::iota(order, order + vocabulary, 0);
        largest_ = *std::max_element(logits, logits + vocabulary);
    }

    int64_t size() const { return limit_; }
    void cut(int64_t size) { limit_ = std::min(limit_, size); }
    bool is_empty() const { return largest_ == kMinusInfinity; }

    int32_t token(int64_t rank) {
        if (rank >= sorted_) sort_beyond(rank);
        return order_[rank];
    }
    double weight(int32_t token) const {
        const float logit = logits_[token];
        if (logit == largest_) return 1.0;  // also where both are infinite
        return std::exp((double{logit} - double{largest_}) / temperature_);
    }

private:
    void sort_beyond(int64_t rank) {
        const auto before = [this](int32_t a, int32_t b) {
            return logits_[a] > logits_[b] || (logits_[a] == logits_[b] && a < b);
        };
        const int64_t end = std::min(limit_, std::max<int64_t>(64, 8 * (rank + 1)));
        if (end < vocabulary_)
            std::nth_element(order_ + sorted_, order_ + end, order_ + vocabulary_, before);
        std::sort(order_ + sorted_, order_ + end, before);
        sorted_ = end;
    }

    const float* logits_;  // [V]
    int32_t* order_;       // [V]
    int64_t vocabulary_;
    int64_t limit_;  // tokens that can still be drawn
    double temperature_;
    float largest_ = kMinusInfinity;
    int64_t sorted_ = 0;
};

// Sum of the weights of all tokens that can still be drawn.
double total_weight(Ranking& ranking, const Sample& args) {
    double total = 0.0;
    if (ranking.size() < args.vocabulary) {
        for (int64_t i = 0; i < ranking.size(); ++i) total += ranking.weight(ranking.token(i));
    } else {
        for (int64_t v = 0; v < args.vocabulary; ++v)
            total += ranking.weight(static_cast<int32_t>(v));
    }
    return total;
}

int32_t draw(Ranking& ranking, const Sample& args, int row) {
    if (args.top_k > 0) ranking.cut(args.top_k);
    double total = total_weight(ranking, args);
    if (args.top_p < 1.0f) {
        const double enough = double{args.top_p} * total;
        int64_t kept = 1;
        total = ranking.weight(ranking.token(0));
        for (; kept < ranking.size() && total < enough; ++kept)
            total += ranking.weight(ranking.token(kept));
        ranking.cut(kept);
    }
    const auto words =
        philox(args.key, {static_cast<uint32_t>(RandomPurpose::sample), static_cast<uint32_t>(row),
                          static_cast<uint32_t>(args.positions[row]), 0});
    const double goal = double{uniform(words[0])} * total;
    double sum = 0.0;
    int32_t last = ranking.token(0);
    for (int64_t i = 0; i < ranking.size(); ++i) {
        const int32_t token = ranking.token(i);
        const double weight = ranking.weight(token);
        if (weight == 0.0) break;  // and so are all that follow
        last = token;
        sum += weight;
        if (sum > goal) break;
    }
    return last;
}

// Row `row` of the logits with the penalty applied; NaN becomes -infinity, so that logits order.
void adjust(const Sample& args, int row, float* adjusted) {
    const float* logits = args.logits + row * args.vocabulary;  // [V]
    const auto usable = [](float x) { return x > kMinusInfinity ? x : kMinusInfinity; };
    for (int64_t v = 0; v < args.vocabulary; ++v) adjusted[v] = usable(logits[v]);
    if (args.repetition_penalty == 1.0f) return;
    for (int64_t i = args.seen_starts[row]; i < args.seen_starts[row + 1]; ++i) {
        const float x = logits[args.seen[i]];
        adjusted[args.seen[i]] =
            usable(x > 0.0f ? x / args.repetition_penalty : x * args.repetition_penalty);
    }
}

}  // namespace

void sample(const Sample& args, StreamView) {
    auto* adjusted = static_cast<float*>(args.scratch);                                // [R, V]
    auto* order = reinterpret_cast<int32_t*>(adjusted + args.rows * args.vocabulary);  // [R, V]
    parallel_for(args.rows, 1, [&](int64_t begin, int64_t end) {
        for (int64_t n = begin; n < end; ++n) {
            const int row = static_cast<int>(n);
            float* logits = adjusted + n * args.vocabulary;  // [V]
            adjust(args, row, logits);
            if (args.temperature == 0.0f) {
                const float* best = std::max_element(logits, logits + args.vocabulary);
                args.tokens[n] = *best > kMinusInfinity ? static_cast<int32_t>(best - logits) : -1;
                continue;
            }
            Ranking ranking(logits, order + n * args.vocabulary, args.vocabulary, args.temperature);
            args.tokens[n] = ranking.is_empty() ? -1 : draw(ranking, args, row);
        }
    });
}

}  // namespace on_cpu
