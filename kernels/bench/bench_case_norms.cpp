// Cases of bin/bench: LayerNorm and RMSNorm, with the residual addition.

#include <fmt/core.h>

#include "kernels/bench/case_list.h"
#include "kernels/normalization/layernorm.h"
#include "kernels/normalization/rmsnorm.h"

namespace {

template <typename T>
void add_layernorm(Cases& cases, const Sizes& s) {
    const int64_t count = s.tokens * s.channels;
    const double all = static_cast<double>(count) * sizeof(T);
    const std::string shape = fmt::format("N={} C={} {}", s.tokens, s.channels, type_name<T>());
    cases.add(
        "layernorm_forward", shape, 4 * all, 0,
        [=](BenchMemory& m) {
            return LayerNormForward<T>{.out = m.zeros<T>(count),
                                       .residual_out = m.zeros<T>(count),
                                       .mean = m.zeros<float>(s.tokens),
                                       .rstd = m.zeros<float>(s.tokens),
                                       .input = m.random<T>(count),
                                       .branch = m.random<T>(count),
                                       .weight = m.random<T>(s.channels),
                                       .bias = m.random<T>(s.channels),
                                       .rows = s.tokens,
                                       .channels = s.channels};
        },
        layernorm_forward<T>);
    cases.add(
        "layernorm_backward", shape, 4 * all, 0,
        [=](BenchMemory& m) {
            return LayerNormBackward<T>{
                .grad_input = m.zeros<T>(count),
                .grad_weight = m.zeros<float>(s.channels),
                .grad_bias = m.zeros<float>(s.channels),
                .scratch = m.scratch<char>(layernorm_backward_scratch_bytes(s.channels)),
                .grad_out = m.random<T>(count),
                .grad_residual = m.random<T>(count),
                .input = m.random<T>(count),
                .weight = m.random<T>(s.channels),
                .mean = m.random<float>(s.tokens),
                .rstd = m.random<float>(s.tokens),
                .rows = s.tokens,
                .channels = s.channels};
        },
        layernorm_backward<T>);
}

template <typename T>
void add_rmsnorm(Cases& cases, const Sizes& s) {
    const int64_t count = s.tokens * s.channels;
    const double all = static_cast<double>(count) * sizeof(T);
    const std::string shape = fmt::format("N={} C={} {}", s.tokens, s.channels, type_name<T>());
    cases.add(
        "rmsnorm_forward", shape, 4 * all, 0,
        [=](BenchMemory& m) {
            return RmsNormForward<T>{.out = m.zeros<T>(count),
                                     .residual_out = m.zeros<T>(count),
                                     .rstd = m.zeros<float>(s.tokens),
                                     .input = m.random<T>(count),
                                     .branch = m.random<T>(count),
                                     .weight = m.random<T>(s.channels),
                                     .rows = s.tokens,
                                     .channels = s.channels};
        },
        rmsnorm_forward<T>);
    cases.add(
        "rmsnorm_backward", shape, 4 * all, 0,
        [=](BenchMemory& m) {
            return RmsNormBackward<T>{
                .grad_input = m.zeros<T>(count),
                .grad_weight = m.zeros<float>(s.channels),
                .scratch = m.scratch<char>(rmsnorm_backward_scratch_bytes(s.channels)),
                .grad_out = m.random<T>(count),
                .grad_residual = m.random<T>(count),
                .input = m.random<T>(count),
                .weight = m.random<T>(s.channels),
                .rstd = m.random<float>(s.tokens),
                .rows = s.tokens,
                .channels = s.channels};
        },
        rmsnorm_backward<T>);
}

}  // namespace

void add_norms(Cases& cases, const Sizes& sizes) {
    add_layernorm<float>(cases, sizes);
    add_rmsnorm<float>(cases, sizes);
    add_layernorm<bf16>(cases, sizes);
    add_rmsnorm<bf16>(cases, sizes);
}
