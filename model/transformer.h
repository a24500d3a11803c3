// The decoder: GPT-2 and Llama families alike, they differ by ModelConfig.
//
//   forward:   x = embed(tokens)
//              for every block: x += attention(norm(x)); x += mlp(norm(x))
//   head:      log-probability of each target under softmax(norm(x) head^T), chunk by chunk, and
//              at once the gradient that comes back from it
//   backward:  the blocks in reverse order; gradients are added to the store's
//
// A training step is forward, head, backward; scoring is forward and score.
#pragma once

#include <cmath>
#include <cstdint>
#include <memory>
#include <vector>

#include "kernels/attention/attention.h"
#include "kernels/core/philox.h"
#include "model/activations.h"
#include "model/batch.h"
#include "model/config.h"
#include "model/decoder_layout.h"
#include "model/kv_cache.h"
#include "model/parameter_store.h"
#include "model/rope_table.h"

struct DropoutOptions {
    double probability = 0.0;  // of embeddings and of what each branch adds to the residual
    PhiloxKey key;             // from the seed and the optimiser step
};

// T is the type of weights and activations: float, bf16, or double (the oracle of the oracle).
template <typename T>
class Transformer {
public:
    using Real = Accumulator<T>;

    // Borrows config and store. Batches must stay within `limits`.
    Transformer(const ModelConfig& config, ParameterStore<T>& store, const BatchLimits& limits,
                StreamView stream = {});

    // With a cache, rows go on where the cache's rows end, and their keys and values join it.
    void forward(const Batch& batch, const DropoutOptions& dropout = {},
                 KvCache<T>* cache = nullptr);
    // Log-probabilities [N] of each position's target (targets_of(batch)), 0 where there is none,
    // into the host's memory.
    void score(Real* logprob);
    // Starts the backward pass of sum_n grad_logprob[n] logprob[n], which it adds to `loss`.
    // grad_logprob [N] is in the host's memory, `loss` [1] on the stream's device.
    void head(const Real* grad_logprob, double* loss);
    void backward();

    // After forward: the logits of positions [first, first + count), into out [count, V] on the
    // stream's device.
    void logits(int64_t first, int64_t count, Real* out);

    // Of attention's forward pass; plain unless it is said.
    void use_attention_form(AttentionForm form) { attention_form_ = form; }

    const MemoryPlan& plan() const { return *plan_; }
    const BatchLimits& limits() const { return limits_; }

private:
    const T* weight(int parameter) const {
        return parameter < 0 ? nullptr : store_.weight(parameter);
    }
    Real* gradient(int parameter) { return parameter < 0 ? nullptr : store_.gradient(parameter); }

    // A norm with the residual addition before it: where it reads, writes and keeps.
    struct Norm {
        NormParameters parameters;
        T* out;           // [N, C]
        T* normalised;    // [N, C]  input + branch
        Real* mean;       // [N]  LayerNorm only
        Real* rstd;       // [N]
        const T* input;   // [N, C]
        const T* branch;  // [N, C]  or null: `normalised` is the input
    };
    Norm attention_norm(int layer);
    Norm mlp_norm(int layer);
    Norm final_norm();
    void forward(const Norm& norm);
    // grad_residual = norm backward of grad_branch, plus grad_residual unless that starts here.
    void backward(const Norm& norm, bool starts = false);

    template <typename Element>
    void upload(Element* to, const std::vector<Element>& values) {
        copy_to_device(stream_.device, to, values.data(),
                       static_cast<int64_t>(values.size() * sizeof(Element)));
    }
    void upload_batch();
    void embed();
    void attention_branch(int layer, KvCache<T>* cache);
    void mlp_branch(int layer);
    void activate(int layer);
    void normalise_queries_and_keys(int layer);
    void rotate(T* qkv, bool inverse);
    void attend(int layer, KvCache<T>* cache);
    void head_chunks(bool with_gradient);
    void place_keys(KvCache<T>& cache);
    void append(KvCache<T>& cache, int layer, const AttentionForward<T>& args);
    void head_chunk(int64_t first, int64_t rows, bool with_gradient);

    void mlp_branch_backward(int layer);
    void attention_branch_backward(int layer);
    void attend_backward(int layer);
    void normalise_backward(int layer);
    void embed_backward();

    // In place or to `out`; does nothing at probability 0.
    void drop(T* out, const T* input, uint32_t site);
    // The gradient of what a branch added: grad_residual, masked if the branch was.
    const T* branch_gradient(uint32_t site);

    // Where dropout falls: one number a place.
    static constexpr uint32_t kEmbeddingSite = 0;
    static uint32_t attention_site(int layer) { return 1 + 2 * static_cast<uint32_t>(layer); }
    static uint32_t mlp_site(int layer) { return 2 + 2 * static_cast<uint32_t>(layer); }

    double attention_scale() const {
        return 1.0 / std::sqrt(static_cast<double>(config_.head_dim));
    }
    const T* values(int layer) {
        return (config_.qk_norm ? block(layer).qkv_raw : block(layer).qkv) + config_.queries() +
               config_.keys();
    }
    int qkv_width() const { return config_.queries() + 2 * config_.keys(); }
    const BatchTensors<T>& indices() const { return activations_.batch; }
    BlockActivations<T>& block(int layer) {
        return activations_.blocks[static_cast<size_t>(layer)];
    }
    const BlockLayout& layout(int layer) const {
        return layout_.blocks[static_cast<size_t>(layer)];
    }

    const ModelConfig& config_;
    ParameterStore<T>& store_;
    const BatchLimits limits_;
    const StreamView stream_;
    const DecoderLayout layout_;
    const std::unique_ptr<const MemoryPlan> plan_;  // the arena borrows it
    const Arena arena_;
    Activations<T> activations_;
    RopeTable<Real> rope_;

    Batch batch_;  // of the last forward
    DropoutOptions dropout_;
    AttentionForm attention_form_ = AttentionForm::plain;
};
