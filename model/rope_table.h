// Cosines and sines of every position and frequency, for kernels/rope.
#pragma once

#include <vector>

#include "model/config.h"

// inverse_frequency[d] = theta^(-2d / D), stretched as config.rope_scaling says (llama3: Llama
// 3.1's scaling by wavelength; Hugging Face transformers, modeling_rope_utils).
std::vector<double> rope_inverse_frequencies(const ModelConfig& config);  // [D/2]

template <typename Real>
struct RopeTable {
    std::vector<Real> cos;  // [P, D/2]
    std::vector<Real> sin;  // [P, D/2]
    int64_t positions = 0;  // P
};
// For positions 0 .. positions - 1.
template <typename Real>
RopeTable<Real> rope_table(const ModelConfig& config, int64_t positions);
// Adds what the table lacks for positions 0 .. positions - 1. Models allow millions, few texts have
// thousands.
template <typename Real>
void extend(RopeTable<Real>& table, const ModelConfig& config, int64_t positions);
