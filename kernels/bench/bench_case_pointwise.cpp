// Cases of bin/bench: what computes an element from those at its place.

#include <fmt/core.h>

#include "kernels/bench/case_list.h"
#include "kernels/convert/convert.h"
#include "kernels/dropout/dropout.h"
#include "kernels/nonlinearity/gelu.h"
#include "kernels/nonlinearity/swiglu.h"
#include "kernels/rope/rope.h"

namespace {

template <typename T>
void add_gelu(Cases& cases, const Sizes& s) {
    const int64_t count = s.tokens * s.hidden;
    const double all = static_cast<double>(count) * sizeof(T);
    const std::string shape = fmt::format("N={} I={} {}", s.tokens, s.hidden, type_name<T>());
    cases.add(
        "gelu_forward", shape, 2 * all, 0,
        [=](BenchMemory& m) {
            return GeluForward<T>{m.zeros<T>(count), m.random<T>(count), count};
        },
        gelu_forward<T>);
    cases.add(
        "gelu_backward", shape, 3 * all, 0,
        [=](BenchMemory& m) {
            return GeluBackward<T>{m.zeros<T>(count), m.random<T>(count), m.random<T>(count),
                                   count};
        },
        gelu_backward<T>);
}

template <typename T>
void add_swiglu(Cases& cases, const Sizes& s) {
    const int64_t count = s.tokens * s.hidden;
    const double all = static_cast<double>(count) * sizeof(T);
    const std::string shape = fmt::format("N={} I={} {}", s.tokens, s.hidden, type_name<T>());
    cases.add(
        "swiglu_forward", shape, 3 * all, 0,
        [=](BenchMemory& m) {
            return SwigluForward<T>{m.zeros<T>(count), m.random<T>(2 * count), s.tokens, s.hidden};
        },
        swiglu_forward<T>);
    cases.add(
        "swiglu_backward", shape, 5 * all, 0,
        [=](BenchMemory& m) {
            return SwigluBackward<T>{m.zeros<T>(2 * count), m.random<T>(count),
                                     m.random<T>(2 * count), s.tokens, s.hidden};
        },
        swiglu_backward<T>);
}

template <typename T>
void add_rope(Cases& cases, const Sizes& s) {
    cases.add(
        "rope", fmt::format("N={} H={} D={} {}", s.tokens, s.heads, s.head_dim, type_name<T>()),
        2.0 * static_cast<double>(s.tokens * s.heads * s.head_dim) * sizeof(T), 0,
        [=](BenchMemory& m) {
            return Rope<T>{.data = m.random<T>(s.tokens * s.heads * s.head_dim),
                           .cos = m.random<float>(int64_t{s.row} * s.head_dim / 2),
                           .sin = m.random<float>(int64_t{s.row} * s.head_dim / 2),
                           .positions = m.counting(s.tokens, s.row),
                           .rows = s.tokens,
                           .heads = s.heads,
                           .head_dim = s.head_dim};
        },
        rope<T>);
}

template <typename T>
void add_dropout(Cases& cases, const Sizes& s) {
    const int64_t count = s.tokens * s.channels;
    const double all = static_cast<double>(count) * sizeof(T);
    const std::string shape = fmt::format("N={} C={} {}", s.tokens, s.channels, type_name<T>());
    cases.add(
        "dropout", shape, 2 * all, 0,
        [=](BenchMemory& m) {
            return Dropout<T>{.out = m.zeros<T>(count),
                              .input = m.random<T>(count),
                              .row_ids = m.counting(s.tokens, s.tokens),
                              .positions = m.counting(s.tokens, s.row),
                              .rows = s.tokens,
                              .channels = s.channels,
                              .probability = 0.1};
        },
        dropout<T>);
}

void add_convert(Cases& cases, const Sizes& s) {
    cases.add(
        "convert", fmt::format("{} fp32 to bf16", s.parameters),
        6.0 * static_cast<double>(s.parameters), 0,
        [=](BenchMemory& m) {
            return Convert<bf16, float>{.out = m.zeros<bf16>(s.parameters),
                                        .input = m.random<float>(s.parameters),
                                        .count = s.parameters};
        },
        convert<bf16, float>);
}

}  // namespace

void add_pointwise(Cases& cases, const Sizes& sizes) {
    add_gelu<float>(cases, sizes);
    add_swiglu<float>(cases, sizes);
    add_rope<float>(cases, sizes);
    add_dropout<float>(cases, sizes);
    add_gelu<bf16>(cases, sizes);
    add_swiglu<bf16>(cases, sizes);
    add_rope<bf16>(cases, sizes);
    add_dropout<bf16>(cases, sizes);
    add_convert(cases, sizes);
}
