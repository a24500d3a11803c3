// Cosines and sines of every position and frequency, for kernels/rope.
#pragma once

#include <cstdint>
#include <vector>

#include "kernels/core/buffer.h"
#include "model/config.h"

// inverse_frequency[d] = theta^(-2d / D), stretched as config.rope_scaling says (llama3: Llama
// 3.1's scaling by wavelength; Hugging Face transformers, modeling_rope_utils).
std::vector<double> rope_inverse_frequencies(const ModelConfig& config);  // [D/2]

// Grows with the positions in use: those of Llama 3.1, 131,072 of 64, take tens of MiB, and a
// prompt needs a few hundred of them.
template <typename Real>
class RopeTable {
public:
    RopeTable() = default;  // of a model without RoPE
    RopeTable(const ModelConfig& config, Device device)
        : frequencies_(rope_inverse_frequencies(config)), device_(device) {}

    // Makes sure of the positions 0 .. positions - 1.
    void cover(int64_t positions);

    const Real* cos() const { return cos_.data(); }  // [P, D/2]
    const Real* sin() const { return sin_.data(); }  // [P, D/2]
    int64_t positions() const { return positions_; }

private:
    std::vector<double> frequencies_;  // [D/2]
    Device device_ = Device::cpu;
    Buffer<Real> cos_, sin_;
    int64_t positions_ = 0;
};
