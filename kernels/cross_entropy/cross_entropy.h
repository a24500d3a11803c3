// Log-probability of each target under softmax(logits), and the gradient of the logits, in one pass
// over a chunk of rows: the logits of a batch are never stored.
//
//   logprob[n] = logits[n, target[n]] - log sum_v exp(logits[n,v])
//   grad_logits[n,v] = grad_logprob[n] * ([v == target[n]] - softmax(logits[n])[v])
//
// A target of -1 is none: logprob and the row's gradient are 0.
// Rounding points: sums are Accumulator<T>; grad_logits is rounded to T once.
#pragma once

#include <cstdint>

#include "kernels/core/dtype.h"
#include "kernels/core/stream.h"

template <typename T>
struct CrossEntropy {
    Accumulator<T>* logprob = nullptr;             // [N]
    T* grad_logits = nullptr;                      // [N, V]  may be `logits` if T is its type; or
                                                   // null: score only
    const Accumulator<T>* logits = nullptr;        // [N, V]
    const int32_t* targets = nullptr;              // [N]
    const Accumulator<T>* grad_logprob = nullptr;  // [N]  null exactly if grad_logits is
    int64_t rows = 0;                              // N
    int64_t vocabulary = 0;                        // V
};

// Runs on the stream's device; allocates nothing.
template <typename T>
void cross_entropy(const CrossEntropy<T>& args, StreamView stream);
