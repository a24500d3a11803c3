#include "model/rope_table.h"

#include <algorithm>
#include <cmath>
#include <numbers>

std::vector<double> rope_inverse_frequencies(const ModelConfig& config) {
    const RopeScaling& scaling = config.rope_scaling;
    std::vector<double> frequencies;
    for (int d = 0; d < config.head_dim / 2; ++d) {
        double frequency = std::pow(config.rope_theta, -2.0 * d / config.head_dim);
        if (scaling.kind == RopeScaling::Kind::linear) frequency /= scaling.factor;
        if (scaling.kind == RopeScaling::Kind::llama3) {
            // Long wavelengths are slowed by `factor`, short ones kept, those between blended.
            const double turns = static_cast<double>(scaling.original_max_positions) * frequency /
                                 (2.0 * std::numbers::pi);
            const double blend = (turns - scaling.low_freq_factor) /
                                 (scaling.high_freq_factor - scaling.low_freq_factor);
            const double kept = std::fmin(std::fmax(blend, 0.0), 1.0);
            frequency = (1.0 - kept) * frequency / scaling.factor + kept * frequency;
        }
        frequencies.push_back(frequency);
    }
    return frequencies;
}

template <typename Real>
void RopeTable<Real>::cover(int64_t positions) {
    if (positions <= positions_) return;
    // Twice as many: a text that grows token by token is to pay for few tables.
    positions_ = std::max(positions, 2 * positions_);
    std::vector<Real> cos, sin;
    for (int64_t position = 0; position < positions_; ++position) {
        for (const double frequency : frequencies_) {
            const double angle = static_cast<double>(position) * frequency;
            cos.push_back(static_cast<Real>(std::cos(angle)));
            sin.push_back(static_cast<Real>(std::sin(angle)));
        }
    }
    cos_ = Buffer<Real>(device_, cos, "RoPE table");
    sin_ = Buffer<Real>(device_, sin, "RoPE table");
}

template class RopeTable<float>;
template class RopeTable<double>;
