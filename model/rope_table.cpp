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
    // Twice as many: a text that grows token by token is to pay for each of them once.
    positions = std::max(positions, 2 * positions_);
    cos_.reserve(static_cast<size_t>(positions) * frequencies_.size());
    sin_.reserve(static_cast<size_t>(positions) * frequencies_.size());
    for (; positions_ < positions; ++positions_) {
        for (const double frequency : frequencies_) {
            const double angle = static_cast<double>(positions_) * frequency;
            cos_.push_back(static_cast<Real>(std::cos(angle)));
            sin_.push_back(static_cast<Real>(std::sin(angle)));
        }
    }
}

template class RopeTable<float>;
template class RopeTable<double>;
