#include "model/initialize.h"

#include <cmath>
#include <numbers>

#include "kernels/core/parallel.h"
#include "kernels/core/philox.h"

namespace {

// Box-Muller from two of a counter's words: four elements share a counter, in pairs.
double normal_at(PhiloxKey key, uint32_t parameter, int64_t element) {
    const auto quad = static_cast<uint64_t>(element) / 4;
    const auto words =
        philox(key, {static_cast<uint32_t>(RandomPurpose::initializer), parameter,
                     static_cast<uint32_t>(quad), static_cast<uint32_t>(quad >> 32)});
    const auto pair = static_cast<size_t>(element % 4 / 2) * 2;
    const double radius_word = (words[pair] + 1.0) * 0x1p-32;  // in (0, 1]
    const double angle = 2.0 * std::numbers::pi * (words[pair + 1] * 0x1p-32);
    const double radius = std::sqrt(-2.0 * std::log(radius_word));
    return radius * (element % 2 == 0 ? std::cos(angle) : std::sin(angle));
}

}  // namespace

template <typename T>
void initialize(ParameterStore<T>& store, uint64_t seed) {
    const PhiloxKey key{static_cast<uint32_t>(seed), static_cast<uint32_t>(seed >> 32)};
    for (int p = 0; p < store.table().size(); ++p) {
        const Parameter& parameter = store.table()[p];
        if (parameter.tied_to) continue;
        using Initializer = Parameter::Initializer;
        parallel_for(parameter.count, 4096, [&](int64_t begin, int64_t end) {
            for (int64_t i = begin; i < end; ++i) {
                double value = parameter.init == Initializer::ones ? 1.0 : 0.0;
                if (parameter.init == Initializer::normal ||
                    parameter.init == Initializer::normal_scaled_residual)
                    value = parameter.init_std * normal_at(key, static_cast<uint32_t>(p), i);
                const auto real = static_cast<Accumulator<T>>(value);
                store.weight(p)[i] = static_cast<T>(real);
                if (store.has(Role::master)) store.master(p)[i] = real;
            }
        });
    }
}

template void initialize(ParameterStore<float>&, uint64_t);
template void initialize(ParameterStore<bf16>&, uint64_t);
template void initialize(ParameterStore<double>&, uint64_t);
