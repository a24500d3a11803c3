// The step's memory: what must survive lies apart from everything written meanwhile.

#include "model/activations.h"

#include <algorithm>
#include <string>

#include "kernels/matmul/matmul.h"
#include "tests/support/doctest.h"
#include "tests/support/golden.h"

namespace {

struct Region {
    std::string name;
    const unsigned char* begin;
    const unsigned char* end;
};

// The memory behind an activation of `count` elements; nothing for null.
template <typename Element>
void add(std::vector<Region>& regions, const std::string& name, const Element* data,
         int64_t count) {
    const auto* begin = reinterpret_cast<const unsigned char*>(data);
    if (data) regions.push_back({name, begin, begin + count * int64_t{sizeof(Element)}});
}

// What a block keeps, with the sizes that activations.h states.
template <typename T>
void add_block(std::vector<Region>& regions, const BlockActivations<T>& b, const ModelConfig& c,
               int64_t n) {
    const int64_t qkv = c.queries() + 2 * c.keys();
    add(regions, "residual", b.residual, n * c.hidden);
    add(regions, "attention_mean", b.attention_mean, n);
    add(regions, "attention_rstd", b.attention_rstd, n);
    add(regions, "attention_normed", b.attention_normed, n * c.hidden);
    add(regions, "qkv", b.qkv, n * qkv);
    add(regions, "qkv_raw", b.qkv_raw, n * qkv);
    add(regions, "q_rstd", b.q_rstd, n * c.num_heads);
    add(regions, "k_rstd", b.k_rstd, n * c.num_kv_heads);
    add(regions, "attention", b.attention, n * c.queries());
    add(regions, "attention_rest", b.attention_rest, n * c.queries());
    add(regions, "lse", b.lse, n * c.num_heads);
    add(regions, "residual_mid", b.residual_mid, n * c.hidden);
    add(regions, "mlp_mean", b.mlp_mean, n);
    add(regions, "mlp_rstd", b.mlp_rstd, n);
    add(regions, "mlp_normed", b.mlp_normed, n * c.hidden);
    add(regions, "mlp_in", b.mlp_in,
        n * c.intermediate * (c.activation == Activation::swiglu ? 2 : 1));
}

// What the head works with while every block's activations wait for the backward pass.
template <typename T>
void add_head(std::vector<Region>& regions, const Activations<T>& a, const ModelConfig& c,
              const BatchLimits& limits) {
    const int64_t n = limits.tokens, logits = logit_rows(c, limits) * c.vocab_size;
    add(regions, "branch", a.branch, n * c.hidden);
    add(regions, "mlp_activated", a.mlp_activated, n * c.intermediate);
    add(regions, "last_residual", a.last_residual, n * c.hidden);
    add(regions, "final_mean", a.final_mean, n);
    add(regions, "final_rstd", a.final_rstd, n);
    add(regions, "final_normed", a.final_normed, n * c.hidden);
    add(regions, "logits", a.logits, logits);
    if (static_cast<const void*>(a.grad_logits) != a.logits)
        add(regions, "grad_logits", a.grad_logits, logits);
    add(regions, "grad_residual", a.grad_residual, n * c.hidden);
    add(regions, "grad_branch", a.grad_branch, n * c.hidden);
    add(regions, "scratch", a.scratch, 1);
}

template <typename T>
void add_backward(std::vector<Region>& regions, const Activations<T>& a, const ModelConfig& c,
                  int64_t n) {
    add(regions, "mlp_activated", a.mlp_activated, n * c.intermediate);
    add(regions, "grad_residual", a.grad_residual, n * c.hidden);
    add(regions, "grad_branch", a.grad_branch, n * c.hidden);
    add(regions, "grad_attention", a.grad_attention, n * c.queries());
    add(regions, "grad_qkv", a.grad_qkv, n * (c.queries() + 2 * c.keys()));
    add(regions, "grad_mlp", a.grad_mlp, n * c.intermediate);
    add(regions, "scratch", a.scratch, 1);
}

void check_apart(std::vector<Region> regions) {
    std::sort(regions.begin(), regions.end(),
              [](const Region& a, const Region& b) { return a.begin < b.begin; });
    for (size_t i = 1; i < regions.size(); ++i) {
        CAPTURE(regions[i - 1].name);
        CAPTURE(regions[i].name);
        CHECK(regions[i - 1].end <= regions[i].begin);
    }
}

template <typename T>
struct Bound {
    ModelConfig config;
    BatchLimits limits;
    MemoryPlan plan;
    Arena arena;
    Activations<T> activations;

    Bound(const std::string& model, const BatchLimits& l)
        : config(open_model_folder(golden_folder(model)).config),
          limits(l),
          plan(plan_activations<T>(config, limits)),
          arena(plan, Device::cpu, "activations"),
          activations(activations_in<T>(arena, config, limits)) {}
};

constexpr BatchLimits kTraining{.tokens = 33, .longest_row = 20, .backward = true};
constexpr BatchLimits kScoring{.tokens = 33, .longest_row = 20};

}  // namespace

TEST_CASE_TEMPLATE("activations: what waits for the backward pass is overwritten by nothing", T,
                   float, bf16, double) {
    for (const std::string& model : kGoldenModels) {
        CAPTURE(model);
        const Bound<T> bound(model, kTraining);
        REQUIRE(static_cast<int>(bound.activations.blocks.size()) == bound.config.num_layers);
        std::vector<Region> at_head, at_backward;
        for (const auto& block : bound.activations.blocks)
            add_block(at_head, block, bound.config, kTraining.tokens);
        add_head(at_head, bound.activations, bound.config, kTraining);
        check_apart(at_head);
        add_block(at_backward, bound.activations.blocks.front(), bound.config, kTraining.tokens);
        add_backward(at_backward, bound.activations, bound.config, kTraining.tokens);
        check_apart(at_backward);
    }
}

TEST_CASE_TEMPLATE("activations: without a backward pass a block's input outlives its reading", T,
                   float, bf16) {
    for (const std::string& model : kGoldenModels) {
        CAPTURE(model);
        const Bound<T> bound(model, kScoring);
        const Activations<T>& a = bound.activations;
        const int64_t n = kScoring.tokens, stream = n * bound.config.hidden;
        for (size_t layer = 0; layer < a.blocks.size(); ++layer) {
            std::vector<Region> together;
            add_block(together, a.blocks[layer], bound.config, n);
            add(together, "branch", a.branch, stream);
            if (layer > 0) add(together, "before", a.blocks[layer - 1].residual_mid, stream);
            check_apart(together);
        }
        std::vector<Region> at_head;
        add(at_head, "before", a.blocks.back().residual_mid, stream);
        add_head(at_head, a, bound.config, kScoring);
        check_apart(at_head);
        CHECK(a.grad_residual == nullptr);
        CHECK((a.scratch == nullptr) == (matmul_scratch_bytes<T>(Device::cpu) == 0));
    }
}

TEST_CASE("activations: a model has those that its kind needs") {
    const Bound<float> gpt2("gpt2", kTraining), qwen3("qwen3", kTraining);
    const auto &g = gpt2.activations.blocks[1], &q = qwen3.activations.blocks[1];
    CHECK(g.attention_mean != nullptr);  // LayerNorm
    CHECK(q.attention_mean == nullptr);
    CHECK(g.qkv_raw == nullptr);
    CHECK(q.qkv_raw != nullptr);  // q and k norm
    CHECK(q.q_rstd != nullptr);
    CHECK(g.attention_rest == nullptr);
    CHECK(gpt2.activations.grad_logits == gpt2.activations.logits);
    const Bound<bf16> narrow("gpt2", kTraining);
    CHECK(narrow.activations.blocks[1].attention_rest != nullptr);
    CHECK(static_cast<void*>(narrow.activations.grad_logits) != narrow.activations.logits);
}

TEST_CASE("activations: the plan grows with tokens, and a backward pass keeps every block") {
    const auto peak = [](int64_t tokens, bool backward) {
        const ModelConfig config = *preset_config("gpt2");
        return plan_activations<float>(config,
                                       {.tokens = tokens, .longest_row = 64, .backward = backward})
            .peak_bytes();
    };
    CHECK(peak(128, true) > peak(64, true));
    CHECK(peak(512, true) > peak(256, true));
    // GPT-2 keeps 16 C + 12 H floats of every block and token, of which a block alone needs 12.
    const int64_t kept = int64_t{12} * 256 * 4 * (4 * 768 + 3 * 768 + 768 + 2 * 4 * 768);
    CHECK(peak(256, true) > kept);
    CHECK(6 * peak(4096, false) < peak(4096, true));
}

TEST_CASE("activations: the head's logits stay near 64 MiB") {
    ModelConfig config = *preset_config("gpt2");
    const auto rows = [&](int64_t tokens) { return logit_rows(config, {.tokens = tokens}); };
    CHECK(rows(100'000) == 333);  // 333 * 50257 * 4 bytes = 63.8 MiB
    CHECK(rows(100) == 100);
    CHECK(rows(1) == 16);
    config.vocab_size = 2'000'000;
    CHECK(rows(100'000) == 16);
}
