// How well a model predicts rows of text: what evaluation during training and the suites sum up.
#pragma once

#include <cstdint>
#include <functional>

#include "model/text/corpus.h"
#include "model/transformer.h"

struct ScoreSum {
    double loss = 0.0;          // sum of -log p over predicted tokens, in nats
    double loss_squares = 0.0;  // sum of (-log p)^2, for the standard error
    int64_t tokens = 0;         // predicted: those of weight above 0, and no row's first

    double mean() const { return loss / static_cast<double>(tokens); }  // nats/token
    double standard_error() const;                                      // of the mean
};

// Scores every row; batches are as many whole rows as fit into the model's limits. `progress`, if
// given, is called with the rows done.
template <typename T>
ScoreSum score(Transformer<T>& model, const Corpus& corpus,
               const std::function<void(int64_t)>& progress = {});
