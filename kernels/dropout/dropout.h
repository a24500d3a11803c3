// Dropout whose mask is a function of what it falls on, never stored: the backward pass is the same
// call on the gradient.
//
//   out[n,c] = keep(n,c) ? input[n,c] / (1 - probability) : 0
//   keep(n,c) = uniform(Philox(key, {purpose, row_ids[n], positions[n], c / 4})[c % 4])
//               >= probability,  purpose = RandomPurpose::dropout + 256 * site
//
// row_ids are rows of the step's global batch, so cutting the batch changes no mask.
// Rounding points: out is rounded to T once.
#pragma once

#include <cstdint>

#include "kernels/core/dtype.h"
#include "kernels/core/philox.h"
#include "kernels/core/stream.h"

// The first word of every counter at this site.
FETTLE_HOST_DEVICE inline uint32_t dropout_purpose(uint32_t site) {
    return static_cast<uint32_t>(RandomPurpose::dropout) + 256u * site;
}

template <typename T>
struct Dropout {
    T* out = nullptr;                    // [N, C]  may be `input`
    const T* input = nullptr;            // [N, C]
    const int32_t* row_ids = nullptr;    // [N]
    const int32_t* positions = nullptr;  // [N]
    int64_t rows = 0;                    // N
    int channels = 0;                    // C
    PhiloxKey key = {};                  // from the seed and the optimiser step
    uint32_t site = 0;                   // which place of the model: unique per layer and branch;
                                         // below 2^24
    double probability = 0.0;            // in [0, 1)
};

// Runs on the stream's device; allocates nothing.
template <typename T>
void dropout(const Dropout<T>& args, StreamView stream);
