// Draws the next token of each row from its logits.
//
//   1. repetition penalty (Keskar et al., arXiv 1909.05858): the logit of a token seen before, once
//      or often, is divided by the penalty if positive, multiplied if negative
//   2. temperature: logits / temperature; 0 takes the largest logit (the first of equals) and draws
//      nothing
//   3. top_k: the k largest logits (0: all)
//   4. top_p: the fewest most probable tokens whose probabilities sum to at least p (1: all)
//   5. a draw by the inverse of the cumulative distribution, tokens from most to least probable
//
// The order is Hugging Face's: penalty, temperature, top_k, top_p. Equal logits order by token id.
// The uniform number is uniform(Philox(key, {RandomPurpose::sample, row, position, 0})[0]).
// A logit of -infinity or NaN is never drawn; a row with nothing else yields -1.
// Rounding points: penalised logits are float; probabilities and their sums are double on the cpu,
// elsewhere integers (sample.cu): a draw may differ where it falls within 1e-9 of a boundary.
#pragma once

#include <cstdint>

#include "kernels/core/philox.h"
#include "kernels/core/stream.h"

struct Sample {
    int32_t* tokens = nullptr;      // [R]  what was drawn
    void* scratch = nullptr;        // sample_scratch_bytes(device, R, V)
    const float* logits = nullptr;  // [R, V]
    const int32_t* seen = nullptr;  // [seen_starts[R]]  tokens of every row so far, end to end
    const int64_t* seen_starts = nullptr;  // [R + 1]  into `seen`
    const int32_t* positions = nullptr;    // [R]  position that is being filled
    int rows = 0;                          // R
    int64_t vocabulary = 0;                // V
    float temperature = 1.0f;              // >= 0
    int top_k = 0;                         // 0: off
    float top_p = 1.0f;                    // in (0, 1]
    float repetition_penalty = 1.0f;       // > 0
    PhiloxKey key = {};                    // from the seed
};

// Runs on the stream's device; allocates nothing.
void sample(const Sample& args, StreamView stream);
int64_t sample_scratch_bytes(Device device, int rows, int64_t vocabulary);
