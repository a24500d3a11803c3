// Every tensor of a step by name, with the phases in which it lives: the memory plan of the
// transformer, and pointers into the arena that holds it.
#pragma once

#include <cstdint>
#include <vector>

#include "kernels/core/dtype.h"
#include "kernels/core/memory_plan.h"
#include "kernels/core/stream.h"
#include "model/config.h"

// What the largest batch needs memory for.
struct BatchLimits {
    int64_t tokens = 0;       // N of the largest micro-batch
    int64_t longest_row = 0;  // tokens
    bool backward = false;    // keep what the backward pass reads
    bool dropout = false;
    bool quantized = false;  // some weights are
    bool head = true;        // log-probabilities are asked for
    Device device = Device::cpu;
};

// The batch where the kernels read it, R <= N rows.
template <typename T>
struct BatchTensors {
    int32_t* tokens = nullptr;               // [N]
    int32_t* positions = nullptr;            // [N]
    int32_t* row_ids = nullptr;              // [N]
    int32_t* row_starts = nullptr;           // [R + 1]
    int64_t* key_starts = nullptr;           // [R]  with a cache only
    int32_t* key_counts = nullptr;           // [R]  likewise
    int32_t* targets = nullptr;              // [N]
    Accumulator<T>* grad_logprob = nullptr;  // [N]
    Accumulator<T>* logprob = nullptr;       // [N]
};

template <typename T>
struct BlockActivations {
    T* residual = nullptr;                     // [N, C]  the block's input
    Accumulator<T>* attention_mean = nullptr;  // [N]  LayerNorm only
    Accumulator<T>* attention_rstd = nullptr;  // [N]
    T* attention_normed = nullptr;             // [N, C]
    T* qkv = nullptr;                          // [N, (H + 2 Hkv) D]  q and k rotated
    T* qkv_raw = nullptr;                      // likewise, before q and k norm; null without them
    Accumulator<T>* q_rstd = nullptr;          // [N, H]
    Accumulator<T>* k_rstd = nullptr;          // [N, Hkv]
    T* attention = nullptr;                    // [N, H D]
    T* attention_rest = nullptr;               // [N, H D]  bf16 only: what rounding took from it
    Accumulator<T>* lse = nullptr;             // [N, H]
    T* residual_mid = nullptr;                 // [N, C]  after the attention branch
    Accumulator<T>* mlp_mean = nullptr;        // [N]
    Accumulator<T>* mlp_rstd = nullptr;        // [N]
    T* mlp_normed = nullptr;                   // [N, C]
    T* mlp_in = nullptr;                       // [N, I], or gate and up [N, 2I]
};

template <typename T>
struct Activations {
    BatchTensors<T> batch;
    std::vector<BlockActivations<T>> blocks;
    T* branch = nullptr;         // [N, C]  what a branch adds to the residual
    T* mlp_activated = nullptr;  // [N, I]  of one block at a time: computed again backward
    T* last_residual = nullptr;  // [N, C]
    Accumulator<T>* final_mean = nullptr;  // [N]
    Accumulator<T>* final_rstd = nullptr;  // [N]
    T* final_normed = nullptr;             // [N, C]
    Accumulator<T>* logits = nullptr;      // [logit_rows, V]  one chunk
    T* grad_logits = nullptr;              // [logit_rows, V]  `logits` itself where T allows
    T* grad_residual = nullptr;            // [N, C]
    T* grad_branch = nullptr;              // [N, C]
    T* grad_attention = nullptr;           // [N, H D]
    T* grad_qkv = nullptr;                 // [N, (H + 2 Hkv) D]
    T* grad_mlp = nullptr;                 // [N, I]
    unsigned char* scratch = nullptr;      // of one op at a time
};

// The phases of a step, in the order in which they run.
struct Phases {
    int layers;
    int embed() const { return 0; }
    int forward(int layer) const { return 1 + layer; }
    int head() const { return 1 + layers; }
    int backward(int layer) const { return 2 + layers + (layers - 1 - layer); }
    int last() const { return 2 + 2 * layers; }
};

// Rows of the chunks in which the head works: the logits of one stay near 64 MiB.
int64_t logit_rows(const ModelConfig& config, const BatchLimits& limits);

// What a step needs, placed; and the same tensors as pointers into an arena of that plan.
template <typename T>
MemoryPlan plan_activations(const ModelConfig& config, const BatchLimits& limits);
template <typename T>
Activations<T> activations_in(const Arena& arena, const ModelConfig& config,
                              const BatchLimits& limits);
