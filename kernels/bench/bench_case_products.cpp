// Cases of bin/bench: matrix products of a layer, and the gradient of its bias.

#include <fmt/core.h>

#include "kernels/bench/case_list.h"
#include "kernels/matmul/matmul.h"

namespace {

// out [m, n] from a [m, k] and b [k, n].
struct Product {
    const char* op;
    int64_t m, n, k;
    bool transpose_a = false;
    bool transpose_b = false;
};

template <typename T, typename Out>
void add_matmul(Cases& cases, const Product& p) {
    const int64_t a = p.m * p.k, b = p.n * p.k, out = p.m * p.n;
    cases.add(
        p.op, fmt::format("{}x{}x{} {}", p.m, p.n, p.k, type_name<T>()),
        static_cast<double>(a + b) * sizeof(T) + static_cast<double>(out) * sizeof(Out),
        2.0 * static_cast<double>(a) * static_cast<double>(p.n),
        [=](BenchMemory& m) {
            return Matmul<T, Out>{.out = m.zeros<Out>(out),
                                  .a = m.random<T>(a),
                                  .b = m.random<T>(b),
                                  .scratch = m.scratch<char>(matmul_scratch_bytes<T>(m.device())),
                                  .m = p.m,
                                  .n = p.n,
                                  .k = p.k,
                                  .transpose_a = p.transpose_a,
                                  .transpose_b = p.transpose_b};
        },
        matmul<T, Out>);
}

// The projection to queries, keys and values, forward and backward; a chunk of logits; both again
// for few rows, as in decoding.
template <typename T>
void add_matmuls(Cases& cases, const Sizes& s) {
    const int64_t n = s.tokens, c = s.channels, qkv = 3 * c, v = s.vocabulary;
    add_matmul<T, T>(cases, {"matmul_forward", n, qkv, c, false, true});
    add_matmul<T, T>(cases, {"matmul_grad_input", n, c, qkv});
    add_matmul<T, float>(cases, {"matmul_grad_weight", qkv, c, n, true, false});
    add_matmul<T, float>(cases, {"matmul_logits", s.logit_rows, v, c, false, true});
    for (const int64_t rows : {1, 4}) {
        add_matmul<T, T>(cases, {"matmul_few_rows", rows, qkv, c, false, true});
        add_matmul<T, float>(cases, {"matmul_few_rows_logits", rows, v, c, false, true});
    }
}

template <typename T>
void add_bias_gradient(Cases& cases, const Sizes& s) {
    const int64_t count = s.tokens * s.channels;
    const double all = static_cast<double>(count) * sizeof(T);
    const std::string shape = fmt::format("N={} C={} {}", s.tokens, s.channels, type_name<T>());
    cases.add(
        "bias_gradient", shape, all, 0,
        [=](BenchMemory& m) {
            return BiasGradient<T>{
                .grad_bias = m.zeros<float>(s.channels),
                .scratch = m.scratch<unsigned char>(bias_gradient_scratch_bytes(s.channels)),
                .grad_out = m.random<T>(count),
                .m = s.tokens,
                .n = s.channels,
                .stride = s.channels};
        },
        bias_gradient<T>);
}

}  // namespace

void add_products(Cases& cases, const Sizes& sizes) {
    add_matmuls<float>(cases, sizes);
    add_bias_gradient<float>(cases, sizes);
    add_matmuls<bf16>(cases, sizes);
    add_bias_gradient<bf16>(cases, sizes);
}
