// Cases of bin/bench: the update of the weights.

#include <fmt/core.h>

#include "kernels/adamw/adamw.h"
#include "kernels/bench/case_list.h"
#include "kernels/gradient_norm/gradient_norm.h"

namespace {

template <typename T>
void add_adamw(Cases& cases, const Sizes& s) {
    cases.add(
        "adamw", fmt::format("{} parameters {}", s.parameters, type_name<T>()),
        static_cast<double>(s.parameters) * (std::is_same_v<T, float> ? 28 : 30), 0,
        [=](BenchMemory& m) {
            auto* master = m.random<float>(s.parameters);
            T* weight = m.random<T>(s.parameters);
            if constexpr (std::is_same_v<T, float>) weight = master;
            return AdamW<T>{.weight = weight,
                            .master = master,
                            .moment1 = m.zeros<float>(s.parameters),
                            .moment2 = m.zeros<float>(s.parameters),
                            .gradient = m.random<float>(s.parameters),
                            .count = s.parameters,
                            .learning_rate = 1e-4,
                            .weight_decay = 0.1};
        },
        adamw<T>);
}

void add_gradient_norm(Cases& cases, const Sizes& s) {
    cases.add(
        "gradient_norm", fmt::format("{} gradients", s.parameters), 4.0 * double(s.parameters), 0,
        [=](BenchMemory& m) {
            return GradientNorm<float>{
                .norm = m.zeros<double>(1),
                .scale = m.zeros<float>(1),
                .finite = m.zeros<int>(1),
                .scratch = m.scratch<char>(gradient_norm_scratch_bytes(s.parameters)),
                .gradient = m.random<float>(s.parameters),
                .count = s.parameters};
        },
        gradient_norm<float>);
}

}  // namespace

void add_optimizer(Cases& cases, const Sizes& sizes) {
    add_adamw<float>(cases, sizes);
    add_adamw<bf16>(cases, sizes);
    add_gradient_norm(cases, sizes);
}
