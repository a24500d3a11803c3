// The transformer's backward pass: blocks in reverse order, gradients added to the store's.

#include "kernels/attention/attention.h"
#include "kernels/embedding/embedding.h"
#include "kernels/nonlinearity/gelu.h"
#include "kernels/nonlinearity/swiglu.h"
#include "kernels/normalization/layernorm.h"
#include "kernels/normalization/rmsnorm.h"
#include "model/transformer.h"

template <typename T>
void Transformer<T>::backward() {
    for (int layer = config_.num_layers - 1; layer >= 0; --layer) {
        mlp_branch_backward(layer);
        attention_branch_backward(layer);
    }
    embed_backward();
}

template <typename T>
void Transformer<T>::backward(const Norm& norm, bool starts) {
    T* grad_residual = activations_.grad_residual;
    if (config_.norm == ::Norm::layer)
        layernorm_backward(LayerNormBackward<T>{.grad_input = grad_residual,
                                                .grad_weight = gradient(norm.parameters.weight),
                                                .grad_bias = gradient(norm.parameters.bias),
                                                .scratch = activations_.scratch,
                                                .grad_out = activations_.grad_branch,
                                                .grad_residual = starts ? nullptr : grad_residual,
                                                .input = norm.normalised,
                                                .weight = weight(norm.parameters.weight),
                                                .mean = norm.mean,
                                                .rstd = norm.rstd,
                                                .rows = batch_.num_tokens(),
                                                .channels = config_.hidden},
                           stream_);
    else
        rmsnorm_backward(RmsNormBackward<T>{.grad_input = grad_residual,
                                            .grad_weight = gradient(norm.parameters.weight),
                                            .scratch = activations_.scratch,
                                            .grad_out = activations_.grad_branch,
                                            .grad_residual = starts ? nullptr : grad_residual,
                                            .input = norm.normalised,
                                            .weight = weight(norm.parameters.weight),
                                            .rstd = norm.rstd,
                                            .rows = batch_.num_tokens(),
                                            .channels = config_.hidden},
                         stream_);
}

template <typename T>
const T* Transformer<T>::branch_gradient(uint32_t site) {
    if (dropout_.probability == 0.0) return activations_.grad_residual;
    drop(activations_.grad_branch, activations_.grad_residual, site);
    return activations_.grad_branch;
}

template <typename T>
void Transformer<T>::mlp_branch_backward(int layer) {
    BlockActivations<T>& b = block(layer);
    const int64_t rows = batch_.num_tokens();
    T* grad_activated = activations_.grad_mlp;
    activate(layer);
    linear_backward(store_, layout(layer).mlp_out,
                    {.grad_input = grad_activated,
                     .grad_out = branch_gradient(mlp_site(layer)),
                     .input = activations_.mlp_activated,
                     .scratch = activations_.scratch,
                     .rows = rows},
                    stream_);
    T* grad_in = grad_activated;
    if (config_.activation == Activation::swiglu) {
        grad_in = b.mlp_in;  // twice as wide as grad_mlp, and not read again
        swiglu_backward(SwigluBackward<T>{.grad_gate_up = grad_in,
                                          .grad_out = grad_activated,
                                          .gate_up = b.mlp_in,
                                          .rows = rows,
                                          .channels = config_.intermediate},
                        stream_);
    } else {
        gelu_backward(GeluBackward<T>{.grad_input = grad_in,
                                      .grad_out = grad_activated,
                                      .input = b.mlp_in,
                                      .count = rows * config_.intermediate},
                      stream_);
    }
    linear_backward(store_, layout(layer).mlp_in,
                    {.grad_input = activations_.grad_branch,
                     .grad_out = grad_in,
                     .input = b.mlp_normed,
                     .scratch = activations_.scratch,
                     .rows = rows},
                    stream_);
    backward(mlp_norm(layer));
}

template <typename T>
void Transformer<T>::attention_branch_backward(int layer) {
    BlockActivations<T>& b = block(layer);
    const int64_t rows = batch_.num_tokens();
    linear_backward(store_, layout(layer).attention_out,
                    {.grad_input = activations_.grad_attention,
                     .grad_out = branch_gradient(attention_site(layer)),
                     .input = b.attention,
                     .scratch = activations_.scratch,
                     .rows = rows},
                    stream_);
    attend_backward(layer);
    if (config_.positions == Positions::rope) rotate(activations_.grad_qkv, /*inverse=*/true);
    if (config_.qk_norm) normalise_backward(layer);
    linear_backward(store_, layout(layer).qkv,
                    {.grad_input = activations_.grad_branch,
                     .grad_out = activations_.grad_qkv,
                     .input = b.attention_normed,
                     .scratch = activations_.scratch,
                     .rows = rows},
                    stream_);
    backward(attention_norm(layer));
}

template <typename T>
void Transformer<T>::attend_backward(int layer) {
    BlockActivations<T>& b = block(layer);
    T* grad_qkv = activations_.grad_qkv;
    const int64_t width = qkv_width();
    attention_backward(AttentionBackward<T>{.grad_q = grad_qkv,
                                            .grad_k = grad_qkv + config_.queries(),
                                            .grad_v = grad_qkv + config_.queries() + config_.keys(),
                                            .grad_out = activations_.grad_attention,
                                            .out = b.attention,
                                            .out_rest = b.attention_rest,
                                            .lse = b.lse,
                                            .q = b.qkv,
                                            .k = b.qkv + config_.queries(),
                                            .v = values(layer),
                                            .query_starts = indices().row_starts,
                                            .scratch = activations_.scratch,
                                            .rows = batch_.num_rows(),
                                            .heads = config_.num_heads,
                                            .kv_heads = config_.num_kv_heads,
                                            .head_dim = config_.head_dim,
                                            .q_stride = width,
                                            .k_stride = width,
                                            .v_stride = width,
                                            .grad_q_stride = width,
                                            .grad_k_stride = width,
                                            .grad_v_stride = width,
                                            .scale = attention_scale()},
                       stream_);
}

// q's and k's part of grad_qkv in place; v was not normalised.
template <typename T>
void Transformer<T>::normalise_backward(int layer) {
    BlockActivations<T>& b = block(layer);
    const auto backward_of = [&](int parameter, const Real* rstd, int heads, int64_t offset) {
        T* grad = activations_.grad_qkv + offset;
        rmsnorm_backward(RmsNormBackward<T>{.grad_input = grad,
                                            .grad_weight = gradient(parameter),
                                            .scratch = activations_.scratch,
                                            .grad_out = grad,
                                            .input = b.qkv_raw + offset,
                                            .weight = weight(parameter),
                                            .rstd = rstd,
                                            .rows = batch_.num_tokens(),
                                            .groups = heads,
                                            .channels = config_.head_dim,
                                            .input_stride = qkv_width(),
                                            .out_stride = qkv_width()},
                         stream_);
    };
    backward_of(layout(layer).q_norm, b.q_rstd, config_.num_heads, 0);
    backward_of(layout(layer).k_norm, b.k_rstd, config_.num_kv_heads, config_.queries());
}

template <typename T>
void Transformer<T>::embed_backward() {
    T* grad = activations_.grad_residual;
    drop(grad, grad, kEmbeddingSite);
    embedding_backward(
        EmbeddingBackward<T>{.grad_token_table = gradient(layout_.token_embedding),
                             .grad_position_table = gradient(layout_.position_embedding),
                             .grad_out = grad,
                             .tokens = indices().tokens,
                             .positions = indices().positions,
                             .rows = batch_.num_tokens(),
                             .channels = config_.hidden},
        stream_);
}

#define INSTANTIATE(T)                        \
    template void Transformer<T>::backward(); \
    template void Transformer<T>::backward(const Transformer<T>::Norm&, bool);
INSTANTIATE(float)
INSTANTIATE(bf16)
INSTANTIATE(double)
