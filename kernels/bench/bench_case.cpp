#include "kernels/bench/bench_case.h"

#include <fmt/core.h>

#include <memory>
#include <numeric>

#include "kernels/adamw/adamw.h"
#include "kernels/attention/attention.h"
#include "kernels/attention/cache_append.h"
#include "kernels/bench/bench_memory.h"
#include "kernels/convert/convert.h"
#include "kernels/core/dtype.h"
#include "kernels/cross_entropy/cross_entropy.h"
#include "kernels/cross_entropy/weighted_sum.h"
#include "kernels/dropout/dropout.h"
#include "kernels/embedding/embedding.h"
#include "kernels/gradient_norm/gradient_norm.h"
#include "kernels/matmul/matmul.h"
#include "kernels/nonlinearity/gelu.h"
#include "kernels/nonlinearity/swiglu.h"
#include "kernels/normalization/layernorm.h"
#include "kernels/normalization/rmsnorm.h"
#include "kernels/rope/rope.h"
#include "kernels/sample/sample.h"

namespace {

// A micro-batch and a model's sizes.
struct Sizes {
    int64_t tokens;      // N, in rows of `row` tokens
    int row;             // T
    int channels;        // C
    int hidden;          // I
    int heads;           // H
    int head_dim;        // D
    int64_t logit_rows;  // of a chunk of logits
    int64_t vocabulary;  // V
    int64_t parameters;  // of an AdamW update
};
constexpr Sizes kGpt2{4096, 1024, 768, 3072, 12, 64, 1024, 50257, 32 << 20};
constexpr Sizes kSmall{64, 32, 128, 256, 2, 64, 16, 1000, 4096};

class Cases {
public:
    // make(memory) returns the operation's arguments.
    template <typename Make, typename Args>
    void add(std::string op, std::string shape, double bytes, double flops, Make make,
             void (*run)(const Args&, StreamView)) {
        all_.push_back({std::move(op), std::move(shape), bytes, flops, [=](Device device) {
                            const auto memory = std::make_shared<BenchMemory>(device);
                            const Args args = make(*memory);
                            return PreparedCase{
                                [=](StreamView stream) {
                                    (void)memory;  // owns what args point to
                                    run(args, stream);
                                },
                                [=] { return memory->contents(); },
                                [=](const std::vector<char>& all) { memory->set_contents(all); }};
                        }});
    }
    std::vector<BenchCase> take() { return std::move(all_); }

private:
    std::vector<BenchCase> all_;
};

template <typename T>
const char* type_name() {
    return std::is_same_v<T, float> ? "fp32" : "bf16";
}

template <typename T>
void add_norms(Cases& cases, const Sizes& s) {
    const int64_t count = s.tokens * s.channels;
    const double element = sizeof(T), all = static_cast<double>(count) * element;
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

template <typename T>
void add_pointwise(Cases& cases, const Sizes& s) {
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
void add_products(Cases& cases, const Sizes& s) {
    const int64_t m_size = s.tokens, n = 3 * int64_t{s.channels}, k = s.channels;
    const double sum = static_cast<double>(m_size * k + n * k + m_size * n) * sizeof(T);
    const double flops = 2.0 * static_cast<double>(m_size) * static_cast<double>(n * k);
    for (const auto& [op, transpose_a, transpose_b] : {std::tuple("matmul_forward", false, true),
                                                       {"matmul_grad_input", false, false},
                                                       {"matmul_grad_weight", true, false}})
        cases.add(
            op, fmt::format("{}x{}x{} {}", m_size, n, k, type_name<T>()), sum, flops,
            [=, a = transpose_a, b = transpose_b](BenchMemory& m) {
                return Matmul<T, T>{.out = m.zeros<T>(m_size * n),
                                    .a = m.random<T>(m_size * k),
                                    .b = m.random<T>(n * k),
                                    .scratch = m.scratch<char>(matmul_scratch_bytes<T>(m.device())),
                                    .m = m_size,
                                    .n = n,
                                    .k = k,
                                    .transpose_a = a,
                                    .transpose_b = b};
            },
            matmul<T, T>);
}

template <AttentionForm kForm>
void attention_forward_in(const AttentionForward<bf16>& args, StreamView stream) {
    set_attention_form(kForm);
    attention_forward(args, stream);
    set_attention_form(AttentionForm::plain);
}

template <typename T>
void add_attention(Cases& cases, const Sizes& s, Device device) {
    const int64_t count = s.tokens * s.heads * s.head_dim;
    const int rows = static_cast<int>(s.tokens / s.row);
    const double all = static_cast<double>(count) * sizeof(T);
    const double pairs = 0.5 * static_cast<double>(s.tokens) * s.row * s.heads;  // visible ones
    const std::string shape =
        fmt::format("N={} T={} H={} D={} {}", s.tokens, s.row, s.heads, s.head_dim, type_name<T>());
    const auto starts = [=](BenchMemory& m) {
        std::vector<int32_t> values;
        for (int r = 0; r <= rows; ++r) values.push_back(r * s.row);
        return m.holding(values);
    };
    const auto forward = [=](BenchMemory& m) {
        return AttentionForward<T>{.out = m.zeros<T>(count),
                                   .lse = m.zeros<float>(s.tokens * s.heads),
                                   .q = m.random<T>(count),
                                   .k = m.random<T>(count),
                                   .v = m.random<T>(count),
                                   .query_starts = starts(m),
                                   .rows = rows,
                                   .heads = s.heads,
                                   .kv_heads = s.heads,
                                   .head_dim = s.head_dim,
                                   .query_tokens = s.tokens,
                                   .key_tokens = s.tokens,
                                   .scale = 0.125};
    };
    cases.add("attention_forward", shape, 4 * all, 4 * pairs * s.head_dim, forward,
              attention_forward<T>);
    if constexpr (std::is_same_v<T, bf16>) {
        if (device_has(AttentionForm::sm80, device))
            cases.add("attention_forward_sm80", shape, 4 * all, 4 * pairs * s.head_dim, forward,
                      attention_forward_in<AttentionForm::sm80>);
        if (device_has(AttentionForm::sm90, device))
            cases.add("attention_forward_sm90", shape, 4 * all, 4 * pairs * s.head_dim, forward,
                      attention_forward_in<AttentionForm::sm90>);
    }
    cases.add(
        "attention_backward", shape, 8 * all, 14 * pairs * s.head_dim,
        [=](BenchMemory& m) {
            const AttentionLimits limits{s.tokens, s.row, s.heads, s.heads, s.head_dim};
            return AttentionBackward<T>{
                .grad_q = m.zeros<T>(count),
                .grad_k = m.zeros<T>(count),
                .grad_v = m.zeros<T>(count),
                .grad_out = m.random<T>(count),
                .out = m.random<T>(count),
                .lse = m.random<float>(s.tokens * s.heads),
                .q = m.random<T>(count),
                .k = m.random<T>(count),
                .v = m.random<T>(count),
                .query_starts = starts(m),
                .scratch = m.scratch<char>(attention_backward_scratch_bytes(m.device(), limits)),
                .rows = rows,
                .heads = s.heads,
                .kv_heads = s.heads,
                .head_dim = s.head_dim,
                .scale = 0.125};
        },
        attention_backward<T>);
}

template <typename T>
void add_ends(Cases& cases, const Sizes& s) {  // of the model, and of the step
    const double row = static_cast<double>(s.channels);
    const auto tokens = static_cast<double>(s.tokens);
    cases.add(
        "embedding_forward", fmt::format("N={} C={} {}", s.tokens, s.channels, type_name<T>()),
        3 * tokens * row * sizeof(T), 0,
        [=](BenchMemory& m) {
            return EmbeddingForward<T>{.out = m.zeros<T>(s.tokens * s.channels),
                                       .tokens = m.counting(s.tokens, s.vocabulary),
                                       .positions = m.counting(s.tokens, s.row),
                                       .token_table = m.random<T>(s.vocabulary * s.channels),
                                       .position_table = m.random<T>(int64_t{s.row} * s.channels),
                                       .rows = s.tokens,
                                       .channels = s.channels};
        },
        embedding_forward<T>);
    cases.add(
        "embedding_backward", fmt::format("N={} C={} {}", s.tokens, s.channels, type_name<T>()),
        tokens * row * (sizeof(T) + 4 * sizeof(float)), 0,
        [=](BenchMemory& m) {
            return EmbeddingBackward<T>{
                .grad_token_table = m.zeros<float>(s.vocabulary * s.channels),
                .grad_position_table = m.zeros<float>(int64_t{s.row} * s.channels),
                .grad_out = m.random<T>(s.tokens * s.channels),
                .tokens = m.counting(s.tokens, s.vocabulary),
                .positions = m.counting(s.tokens, s.row),
                .rows = s.tokens,
                .channels = s.channels};
        },
        embedding_backward<T>);
    const int64_t logits = s.logit_rows * s.vocabulary;
    cases.add(
        "cross_entropy", fmt::format("N={} V={} {}", s.logit_rows, s.vocabulary, type_name<T>()),
        static_cast<double>(logits) * (sizeof(float) + sizeof(T)), 0,
        [=](BenchMemory& m) {
            return CrossEntropy<T>{.logprob = m.zeros<float>(s.logit_rows),
                                   .grad_logits = m.zeros<T>(logits),
                                   .logits = m.random<float>(logits),
                                   .targets = m.counting(s.logit_rows, s.vocabulary),
                                   .grad_logprob = m.random<float>(s.logit_rows),
                                   .rows = s.logit_rows,
                                   .vocabulary = s.vocabulary};
        },
        cross_entropy<T>);
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

void add_scalars(Cases& cases, const Sizes& s) {
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
    cases.add(
        "weighted_sum", fmt::format("N={}", s.logit_rows), 8.0 * static_cast<double>(s.logit_rows),
        0,
        [=](BenchMemory& m) {
            return WeightedSum<float>{.sum = m.zeros<double>(1),
                                      .values = m.random<float>(s.logit_rows),
                                      .weights = m.random<float>(s.logit_rows),
                                      .count = s.logit_rows};
        },
        weighted_sum<float>);
    cases.add(
        "convert", fmt::format("{} fp32 to bf16", s.parameters),
        6.0 * static_cast<double>(s.parameters), 0,
        [=](BenchMemory& m) {
            return Convert<bf16, float>{.out = m.zeros<bf16>(s.parameters),
                                        .input = m.random<float>(s.parameters),
                                        .count = s.parameters};
        },
        convert<bf16, float>);
    cases.add(
        "sample", fmt::format("V={} top_k 50 top_p 0.9", s.vocabulary),
        4.0 * static_cast<double>(s.vocabulary), 0,
        [=](BenchMemory& m) {
            return Sample{
                .tokens = m.zeros<int32_t>(1),
                .scratch = m.scratch<char>(sample_scratch_bytes(m.device(), 1, s.vocabulary)),
                .logits = m.random<float>(s.vocabulary),
                .positions = m.zeros<int32_t>(1),
                .rows = 1,
                .vocabulary = s.vocabulary,
                .top_k = 50,
                .top_p = 0.9f};
        },
        sample);
}

template <typename T>
void add_rest(Cases& cases, const Sizes& s) {
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
    // Every row's tokens are its first: the cache becomes a copy.
    const int rows = static_cast<int>(s.tokens / s.row);
    cases.add(
        "cache_append", shape, 4 * all, 0,
        [=](BenchMemory& m) {
            std::vector<int32_t> starts;
            for (int r = 0; r <= rows; ++r) starts.push_back(r * s.row);
            const std::vector<int64_t> key_starts(starts.begin(), starts.end() - 1);
            return CacheAppend<T>{.key_cache = m.zeros<T>(count),
                                  .value_cache = m.zeros<T>(count),
                                  .k = m.random<T>(count),
                                  .v = m.random<T>(count),
                                  .query_starts = m.holding(starts),
                                  .key_starts = m.holding(key_starts),
                                  .key_counts = m.holding(std::vector<int32_t>(rows, s.row)),
                                  .tokens = s.tokens,
                                  .rows = rows,
                                  .width = s.channels,
                                  .stride = s.channels};
        },
        cache_append<T>);
}

template <typename T>
void add_all(Cases& cases, const Sizes& sizes, Device device) {
    add_norms<T>(cases, sizes);
    add_rest<T>(cases, sizes);
    add_pointwise<T>(cases, sizes);
    add_products<T>(cases, sizes);
    add_attention<T>(cases, sizes, device);
    add_ends<T>(cases, sizes);
}

}  // namespace

std::vector<BenchCase> bench_cases(Device device, bool small) {
    Cases cases;
    const Sizes& sizes = small ? kSmall : kGpt2;
    add_all<float>(cases, sizes, device);
    add_all<bf16>(cases, sizes, device);
    add_scalars(cases, sizes);
    return cases.take();
}
