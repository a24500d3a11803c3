#include "model/activations.h"

#include <algorithm>
#include <type_traits>

#include "kernels/attention/attention.h"
#include "kernels/matmul/matmul.h"
#include "kernels/normalization/layernorm.h"
#include "kernels/normalization/rmsnorm.h"
#include "kernels/quantize/quantized_matmul.h"

namespace {

// Lists every activation once: visit(pointer, name, elements, first phase, last phase). Planning
// and binding are two visits of one list, so they cannot disagree. A tensor of no elements is one
// that this model or this use does not have; its pointer stays null.
template <typename T, class Visit>
class ActivationList {
public:
    ActivationList(const ModelConfig& config, const BatchLimits& limits, Visit visit)
        : config_(config), limits_(limits), phases_{config.num_layers}, visit_(visit) {}

    void visit(Activations<T>& a) {
        const int64_t n = limits_.tokens;
        visit_batch(a.batch);
        a.blocks.resize(static_cast<size_t>(config_.num_layers));
        visit_(a.branch, "branch", n * config_.hidden, phases_.embed(), phases_.head());
        visit_(a.mlp_activated, "mlp_activated", n * config_.intermediate, phases_.forward(0),
               limits_.backward ? phases_.last() : phases_.head());
        for (int layer = 0; layer < config_.num_layers; ++layer)
            visit_block(a.blocks[static_cast<size_t>(layer)], layer);
        const int head = phases_.head();
        visit_(a.last_residual, "last_residual", n * config_.hidden, head, head);
        visit_(a.final_mean, "final_mean", layer_norm() ? n : 0, head, head);
        visit_(a.final_rstd, "final_rstd", n, head, head);
        visit_(a.final_normed, "final_normed", n * config_.hidden, head, head);
        const int64_t logits = limits_.head ? logit_rows(config_, limits_) * config_.vocab_size : 0;
        visit_(a.logits, "logits", logits, head, head);
        visit_(a.scratch, "scratch", scratch_bytes(),
               product_scratch_bytes() > 0 ? phases_.embed() : head,
               limits_.backward ? phases_.last() : head);
        if (limits_.backward) visit_backward(a, logits);
    }

private:
    bool layer_norm() const { return config_.norm == Norm::layer; }

    void visit_batch(BatchTensors<T>& batch) {
        const int64_t n = limits_.tokens, scored = limits_.head ? n : 0;
        const auto add = [&](auto*& pointer, const char* name, int64_t elements) {
            visit_(pointer, std::string("batch ") + name, elements, phases_.embed(),
                   limits_.backward ? phases_.last() : phases_.head());
        };
        add(batch.tokens, "tokens", n);
        add(batch.positions, "positions", n);
        add(batch.row_ids, "row_ids", n);
        add(batch.row_starts, "row_starts", n + 1);
        add(batch.key_starts, "key_starts", n);
        add(batch.key_counts, "key_counts", n);
        add(batch.targets, "targets", scored);
        add(batch.grad_logprob, "grad_logprob", limits_.backward ? scored : 0);
        add(batch.logprob, "logprob", scored);
    }

    void visit_block(BlockActivations<T>& b, int layer) {
        const int64_t n = limits_.tokens, hidden = config_.hidden;
        const int64_t queries = config_.queries(), keys = config_.keys();
        const bool gated = config_.activation == Activation::swiglu;
        const int here = phases_.forward(layer);
        const int kept = limits_.backward ? phases_.backward(layer) : here;
        const auto add = [&](auto*& pointer, const char* name, int64_t elements) {
            visit_(pointer, "block " + std::to_string(layer) + " " + name, elements, here, kept);
        };
        // The residual stream is read one phase after it was written, also without a backward.
        visit_(b.residual, "block " + std::to_string(layer) + " residual", n * hidden,
               layer == 0 ? phases_.embed() : here, kept);
        visit_(b.residual_mid, "block " + std::to_string(layer) + " residual_mid", n * hidden, here,
               std::max(kept, here + 1));
        add(b.attention_mean, "attention_mean", layer_norm() ? n : 0);
        add(b.attention_rstd, "attention_rstd", n);
        add(b.attention_normed, "attention_normed", n * hidden);
        add(b.qkv, "qkv", n * (queries + 2 * keys));
        add(b.qkv_raw, "qkv_raw", config_.qk_norm ? n * (queries + 2 * keys) : 0);
        add(b.q_rstd, "q_rstd", config_.qk_norm ? n * config_.num_heads : 0);
        add(b.k_rstd, "k_rstd", config_.qk_norm ? n * config_.num_kv_heads : 0);
        add(b.attention, "attention", n * queries);
        add(b.attention_rest, "attention_rest",
            limits_.backward && !std::is_same_v<T, Accumulator<T>> ? n * queries : 0);
        add(b.lse, "lse", n * config_.num_heads);
        add(b.mlp_mean, "mlp_mean", layer_norm() ? n : 0);
        add(b.mlp_rstd, "mlp_rstd", n);
        add(b.mlp_normed, "mlp_normed", n * hidden);
        add(b.mlp_in, "mlp_in", n * config_.intermediate * (gated ? 2 : 1));
    }

    void visit_backward(Activations<T>& a, int64_t logits) {
        const int64_t n = limits_.tokens;
        const int head = phases_.head(), last = phases_.last();
        const bool in_place = std::is_same_v<T, Accumulator<T>>;
        visit_(a.grad_logits, "grad_logits", in_place ? 0 : logits, head, head);
        visit_(a.grad_residual, "grad_residual", n * config_.hidden, head, last);
        visit_(a.grad_branch, "grad_branch", n * config_.hidden, head, last);
        visit_(a.grad_attention, "grad_attention", n * config_.queries(), head + 1, last);
        visit_(a.grad_qkv, "grad_qkv", n * (config_.queries() + 2 * config_.keys()), head + 1,
               last);
        visit_(a.grad_mlp, "grad_mlp", n * config_.intermediate, head + 1, last);
    }

    int64_t product_scratch_bytes() const {
        return std::max(matmul_scratch_bytes<T>(limits_.device),
                        limits_.quantized ? quantized_matmul_scratch_bytes() : int64_t{0});
    }

    int64_t scratch_bytes() const {
        if (!limits_.backward) return product_scratch_bytes();
        const int64_t element = sizeof(Accumulator<T>);
        const int64_t widest =
            std::max<int64_t>({config_.hidden, config_.queries() + 2 * config_.keys(),
                               config_.intermediate * int64_t{2}});
        const int norm_width = std::max(config_.hidden, config_.head_dim);
        return std::max(
            {product_scratch_bytes(), bias_gradient_scratch_bytes(widest, element),
             layernorm_backward_scratch_bytes(norm_width, element),
             rmsnorm_backward_scratch_bytes(norm_width, element),
             attention_backward_scratch_bytes(limits_.device, {.tokens = limits_.tokens,
                                                               .longest_row = limits_.longest_row,
                                                               .heads = config_.num_heads,
                                                               .kv_heads = config_.num_kv_heads,
                                                               .head_dim = config_.head_dim})});
    }

    const ModelConfig& config_;
    const BatchLimits& limits_;
    Phases phases_;
    Visit visit_;
};

}  // namespace

int64_t logit_rows(const ModelConfig& config, const BatchLimits& limits) {
    constexpr int64_t kBytes = int64_t{64} << 20;
    const int64_t fitting = kBytes / (int64_t{4} * config.vocab_size);
    return std::clamp<int64_t>(fitting, 16, std::max<int64_t>(16, limits.tokens));
}

template <typename T>
MemoryPlan plan_activations(const ModelConfig& config, const BatchLimits& limits) {
    MemoryPlan plan;
    Activations<T> unbound;
    const auto add = [&](auto*& pointer, std::string name, int64_t elements, int first, int last) {
        plan.add(std::move(name), elements * static_cast<int64_t>(sizeof(*pointer)), first, last);
    };
    ActivationList<T, decltype(add)>(config, limits, add).visit(unbound);
    plan.place();
    return plan;
}

template <typename T>
Activations<T> activations_in(const Arena& arena, const ModelConfig& config,
                              const BatchLimits& limits) {
    Activations<T> bound;
    int index = 0;
    const auto bind = [&](auto*& pointer, const std::string&, int64_t elements, int, int) {
        pointer = arena.tensor<std::remove_reference_t<decltype(*pointer)>>(index++);
        if (elements == 0) pointer = nullptr;
    };
    ActivationList<T, decltype(bind)>(config, limits, bind).visit(bound);
    if constexpr (std::is_same_v<T, Accumulator<T>>) bound.grad_logits = bound.logits;
    return bound;
}

#define INSTANTIATE(T)                                                               \
    template MemoryPlan plan_activations<T>(const ModelConfig&, const BatchLimits&); \
    template Activations<T> activations_in<T>(const Arena&, const ModelConfig&, const BatchLimits&);
INSTANTIATE(float)
INSTANTIATE(bf16)
INSTANTIATE(double)
