#include "model/rope_table.h"

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
RopeTable<Real> rope_table(const ModelConfig& config, int64_t positions) {
    RopeTable<Real> table;
    extend(table, config, positions);
    return table;
}

template <typename Real>
void extend(RopeTable<Real>& table, const ModelConfig& config, int64_t positions) {
    const auto frequencies = rope_inverse_frequencies(config);
    for (; table.positions < positions; ++table.positions) {
        for (const double frequency : frequencies) {
            const double angle = static_cast<double>(table.positions) * frequency;
            table.cos.push_back(static_cast<Real>(std::cos(angle)));
            table.sin.push_back(static_cast<Real>(std::sin(angle)));
        }
    }
}

template RopeTable<float> rope_table(const ModelConfig&, int64_t);
template RopeTable<double> rope_table(const ModelConfig&, int64_t);
template void extend(RopeTable<float>&, const ModelConfig&, int64_t);
template void extend(RopeTable<double>&, const ModelConfig&, int64_t);
