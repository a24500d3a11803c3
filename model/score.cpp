#include "model/score.h"

#include <algorithm>
#include <cmath>

double ScoreSum::standard_error() const {
    if (tokens < 2) return 0.0;
    const auto n = static_cast<double>(tokens);
    const double variance = (loss_squares - loss * loss / n) / (n - 1.0);
    return std::sqrt(std::max(variance, 0.0) / n);
}

template <typename T>
ScoreSum score(Transformer<T>& model, const Corpus& corpus,
               const std::function<void(int64_t)>& progress) {
    ScoreSum sum;
    std::vector<Accumulator<T>> logprob;
    for (int64_t row = 0; row < corpus.num_rows();) {
        Batch batch;
        do {
            batch.append_row(corpus.row(row), corpus.row_weights(row), static_cast<int32_t>(row));
            ++row;
        } while (row < corpus.num_rows() &&
                 batch.num_tokens() + corpus.row_length(row) <= model.limits().tokens);
        corpus.forget_read();
        logprob.resize(batch.tokens.size());
        model.forward(batch);
        model.score(logprob.data());
        const Targets targets = targets_of(batch);
        for (size_t n = 0; n < logprob.size(); ++n) {
            if (targets.weights[n] == 0.0f) continue;  // a row's end, or not trained
            const auto loss = -static_cast<double>(logprob[n]);
            sum.loss += loss;
            sum.loss_squares += loss * loss;
            ++sum.tokens;
        }
        if (progress) progress(row);
    }
    return sum;
}

template ScoreSum score(Transformer<float>&, const Corpus&, const std::function<void(int64_t)>&);
template ScoreSum score(Transformer<bf16>&, const Corpus&, const std::function<void(int64_t)>&);
