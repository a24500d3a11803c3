// The forward pass and the head; transformer_backward.cpp has the rest.

#include "model/transformer.h"

#include <algorithm>
#include <numeric>

#include "kernels/attention/attention.h"
#include "kernels/attention/cache_append.h"
#include "kernels/core/check.h"
#include "kernels/cross_entropy/cross_entropy.h"
#include "kernels/cross_entropy/weighted_sum.h"
#include "kernels/dropout/dropout.h"
#include "kernels/embedding/embedding.h"
#include "kernels/matmul/matmul.h"
#include "kernels/nonlinearity/gelu.h"
#include "kernels/nonlinearity/swiglu.h"
#include "kernels/normalization/layernorm.h"
#include "kernels/normalization/rmsnorm.h"
#include "kernels/quantize/quantized_matmul.h"
#include "kernels/rope/rope.h"

namespace {
std::unique_ptr<const MemoryPlan> owned(MemoryPlan plan) {
    return std::make_unique<const MemoryPlan>(std::move(plan));
}

template <typename T>
BatchLimits completed(BatchLimits limits, const ParameterStore<T>& store) {
    limits.quantized = store.table().any_quantized();
    limits.device = store.device();
    ENSURE(!limits.quantized || (std::is_same_v<T, float> && limits.device == Device::cpu),
           "transformer: quantised weights, expected none: they are multiplied in fp32 on the cpu");
    return limits;
}
}  // namespace

template <typename T>
Transformer<T>::Transformer(const ModelConfig& config, ParameterStore<T>& store,
                            const BatchLimits& limits, StreamView stream)
    : config_(config),
      store_(store),
      limits_(completed(limits, store)),
      stream_(stream),
      layout_(decoder_layout(config, store.table())),
      plan_(owned(plan_activations<T>(config, limits_))),
      arena_(*plan_, stream.device, "activations"),
      activations_(activations_in<T>(arena_, config, limits_)),
      rope_(config.positions == Positions::rope ? RopeTable<Real>(config, stream.device)
                                                : RopeTable<Real>()) {
    ENSURE(stream.device == store.device(), "transformer: weights on {}, a stream on {}",
           name_of(store.device()), name_of(stream.device));
}

template <typename T>
void Transformer<T>::upload_batch() {
    upload(indices().tokens, batch_.tokens);
    upload(indices().positions, batch_.positions);
    upload(indices().row_ids, batch_.row_ids);
    upload(indices().row_starts, batch_.row_starts);
}

template <typename T>
void Transformer<T>::forward(const Batch& batch, const DropoutOptions& dropout, KvCache<T>* cache) {
    ENSURE(batch.num_tokens() <= limits_.tokens && batch.longest_row() <= limits_.longest_row,
           "transformer: a batch of {} tokens, longest row {}; planned for {} and {}",
           batch.num_tokens(), batch.longest_row(), limits_.tokens, limits_.longest_row);
    batch_ = batch;
    dropout_ = dropout;
    if (cache)
        for (int r = 0; r < batch.num_rows(); ++r)
            for (int32_t n = batch.row_starts[r]; n < batch.row_starts[r + 1]; ++n)
                batch_.positions[n] += cache->counts()[r];
    const auto& positions = batch_.positions;
    if (config_.positions == Positions::rope && !positions.empty())
        rope_.cover(*std::max_element(positions.begin(), positions.end()) + 1);
    upload_batch();
    if (cache) place_keys(*cache);
    embed();
    for (int layer = 0; layer < config_.num_layers; ++layer) {
        attention_branch(layer, cache);
        mlp_branch(layer);
    }
    forward(final_norm());
    if (cache)
        for (int r = 0; r < batch.num_rows(); ++r)
            cache->counts()[r] += batch.row_starts[r + 1] - batch.row_starts[r];
}

template <typename T>
void Transformer<T>::embed() {
    T* out = block(0).residual;
    const int32_t* tokens = indices().tokens;
    const T* table = nullptr;
    std::vector<int32_t> places;  // of a quantised table's rows, once they lie in `out`
    if (!store_.table()[layout_.token_embedding].quantized) {
        table = weight(layout_.token_embedding);
    } else if constexpr (std::is_same_v<T, float>) {
        quantized_rows({.out = out,
                        .rows = tokens,
                        .table = store_.quantized(layout_.token_embedding),
                        .count = batch_.num_tokens(),
                        .channels = config_.hidden},
                       stream_);
        places.resize(batch_.tokens.size());
        std::iota(places.begin(), places.end(), 0);
        tokens = places.data();
        table = out;
    }
    embedding_forward(EmbeddingForward<T>{.out = out,
                                          .tokens = tokens,
                                          .positions = indices().positions,
                                          .token_table = table,
                                          .position_table = weight(layout_.position_embedding),
                                          .rows = batch_.num_tokens(),
                                          .channels = config_.hidden},
                      stream_);
    drop(out, out, kEmbeddingSite);
}

template <typename T>
auto Transformer<T>::attention_norm(int layer) -> Norm {
    BlockActivations<T>& b = block(layer);
    const bool first = layer == 0;
    return {.parameters = layout(layer).attention_norm,
            .out = b.attention_normed,
            .normalised = b.residual,
            .mean = b.attention_mean,
            .rstd = b.attention_rstd,
            .input = first ? b.residual : block(layer - 1).residual_mid,
            .branch = first ? nullptr : activations_.branch};
}

template <typename T>
auto Transformer<T>::mlp_norm(int layer) -> Norm {
    BlockActivations<T>& b = block(layer);
    return {.parameters = layout(layer).mlp_norm,
            .out = b.mlp_normed,
            .normalised = b.residual_mid,
            .mean = b.mlp_mean,
            .rstd = b.mlp_rstd,
            .input = b.residual,
            .branch = activations_.branch};
}

template <typename T>
auto Transformer<T>::final_norm() -> Norm {
    return {.parameters = layout_.final_norm,
            .out = activations_.final_normed,
            .normalised = activations_.last_residual,
            .mean = activations_.final_mean,
            .rstd = activations_.final_rstd,
            .input = block(config_.num_layers - 1).residual_mid,
            .branch = activations_.branch};
}

template <typename T>
void Transformer<T>::forward(const Norm& norm) {
    if (config_.norm == ::Norm::layer)
        layernorm_forward(LayerNormForward<T>{.out = norm.out,
                                              .residual_out = norm.normalised,
                                              .mean = norm.mean,
                                              .rstd = norm.rstd,
                                              .input = norm.input,
                                              .branch = norm.branch,
                                              .weight = weight(norm.parameters.weight),
                                              .bias = weight(norm.parameters.bias),
                                              .rows = batch_.num_tokens(),
                                              .channels = config_.hidden,
                                              .epsilon = config_.norm_epsilon},
                          stream_);
    else
        rmsnorm_forward(RmsNormForward<T>{.out = norm.out,
                                          .residual_out = norm.normalised,
                                          .rstd = norm.rstd,
                                          .input = norm.input,
                                          .branch = norm.branch,
                                          .weight = weight(norm.parameters.weight),
                                          .rows = batch_.num_tokens(),
                                          .channels = config_.hidden,
                                          .epsilon = config_.norm_epsilon},
                        stream_);
}

template <typename T>
void Transformer<T>::attention_branch(int layer, KvCache<T>* cache) {
    BlockActivations<T>& b = block(layer);
    const int64_t rows = batch_.num_tokens();
    forward(attention_norm(layer));
    linear_forward(store_, layout(layer).qkv,
                   {.out = config_.qk_norm ? b.qkv_raw : b.qkv,
                    .input = b.attention_normed,
                    .scratch = activations_.scratch,
                    .rows = rows},
                   stream_);
    if (config_.qk_norm) normalise_queries_and_keys(layer);
    if (config_.positions == Positions::rope) rotate(b.qkv, /*inverse=*/false);
    attend(layer, cache);
    linear_forward(store_, layout(layer).attention_out,
                   {.out = activations_.branch,
                    .input = b.attention,
                    .scratch = activations_.scratch,
                    .rows = rows},
                   stream_);
    drop(activations_.branch, activations_.branch, attention_site(layer));
}

template <typename T>
void Transformer<T>::normalise_queries_and_keys(int layer) {
    BlockActivations<T>& b = block(layer);
    const auto normalise = [&](int parameter, Real* rstd, int heads, int64_t offset) {
        rmsnorm_forward(RmsNormForward<T>{.out = b.qkv + offset,
                                          .rstd = rstd,
                                          .input = b.qkv_raw + offset,
                                          .weight = weight(parameter),
                                          .rows = batch_.num_tokens(),
                                          .groups = heads,
                                          .channels = config_.head_dim,
                                          .input_stride = qkv_width(),
                                          .out_stride = qkv_width(),
                                          .epsilon = config_.norm_epsilon},
                        stream_);
    };
    normalise(layout(layer).q_norm, b.q_rstd, config_.num_heads, 0);
    normalise(layout(layer).k_norm, b.k_rstd, config_.num_kv_heads, config_.queries());
}

template <typename T>
void Transformer<T>::rotate(T* qkv, bool inverse) {
    rope(Rope<T>{.data = qkv,
                 .cos = rope_.cos(),
                 .sin = rope_.sin(),
                 .positions = indices().positions,
                 .rows = batch_.num_tokens(),
                 .heads = config_.num_heads + config_.num_kv_heads,
                 .head_dim = config_.head_dim,
                 .stride = qkv_width(),
                 .inverse = inverse},
         stream_);
}

template <typename T>
void Transformer<T>::attend(int layer, KvCache<T>* cache) {
    BlockActivations<T>& b = block(layer);
    AttentionForward<T> args{.out = b.attention,
                             .out_rest = b.attention_rest,
                             .lse = b.lse,
                             .q = b.qkv,
                             .k = b.qkv + config_.queries(),
                             .v = values(layer),
                             .query_starts = indices().row_starts,
                             .rows = batch_.num_rows(),
                             .heads = config_.num_heads,
                             .kv_heads = config_.num_kv_heads,
                             .head_dim = config_.head_dim,
                             .query_tokens = batch_.num_tokens(),
                             .key_tokens = batch_.num_tokens(),
                             .q_stride = qkv_width(),
                             .k_stride = qkv_width(),
                             .v_stride = qkv_width(),
                             .scale = attention_scale(),
                             .form = attention_form_};
    if (cache) {
        append(*cache, layer, args);
        args.k = cache->key(layer);
        args.v = cache->value(layer);
        args.k_stride = args.v_stride = cache->width();
        args.key_tokens = cache->rows() * cache->capacity();
        args.key_starts = indices().key_starts;
        args.key_counts = indices().key_counts;
    }
    attention_forward(args, stream_);
}

// Where in the cache the rows' keys begin, and how many there are with the batch's.
template <typename T>
void Transformer<T>::place_keys(KvCache<T>& cache) {
    ENSURE(batch_.num_rows() == cache.rows(), "KV cache: {} rows in the batch, {} in the cache",
           batch_.num_rows(), cache.rows());
    std::vector<int64_t> key_starts;
    std::vector<int32_t> key_counts;
    for (int r = 0; r < batch_.num_rows(); ++r) {
        key_starts.push_back(r * cache.capacity());
        key_counts.push_back(cache.counts()[r] + batch_.row_starts[r + 1] - batch_.row_starts[r]);
        ENSURE(key_counts.back() <= cache.capacity(), "KV cache: row {} has {} tokens, room for {}",
               r, key_counts.back(), cache.capacity());
    }
    upload(indices().key_starts, key_starts);
    upload(indices().key_counts, key_counts);
}

template <typename T>
void Transformer<T>::append(KvCache<T>& cache, int layer, const AttentionForward<T>& args) {
    cache_append(CacheAppend<T>{.key_cache = cache.key(layer),
                                .value_cache = cache.value(layer),
                                .k = args.k,
                                .v = args.v,
                                .query_starts = args.query_starts,
                                .key_starts = indices().key_starts,
                                .key_counts = indices().key_counts,
                                .tokens = batch_.num_tokens(),
                                .rows = args.rows,
                                .width = cache.width(),
                                .stride = args.k_stride},
                 stream_);
}

// The MLP's nonlinearity, forward and once more backward: an intermediate of every block costs more
// memory than its second computation costs time.
template <typename T>
void Transformer<T>::activate(int layer) {
    const int64_t rows = batch_.num_tokens();
    if (config_.activation == Activation::swiglu)
        swiglu_forward(SwigluForward<T>{.out = activations_.mlp_activated,
                                        .gate_up = block(layer).mlp_in,
                                        .rows = rows,
                                        .channels = config_.intermediate},
                       stream_);
    else
        gelu_forward(GeluForward<T>{.out = activations_.mlp_activated,
                                    .input = block(layer).mlp_in,
                                    .count = rows * config_.intermediate},
                     stream_);
}

template <typename T>
void Transformer<T>::mlp_branch(int layer) {
    BlockActivations<T>& b = block(layer);
    const int64_t rows = batch_.num_tokens();
    forward(mlp_norm(layer));
    linear_forward(
        store_, layout(layer).mlp_in,
        {.out = b.mlp_in, .input = b.mlp_normed, .scratch = activations_.scratch, .rows = rows},
        stream_);
    activate(layer);
    linear_forward(store_, layout(layer).mlp_out,
                   {.out = activations_.branch,
                    .input = activations_.mlp_activated,
                    .scratch = activations_.scratch,
                    .rows = rows},
                   stream_);
    drop(activations_.branch, activations_.branch, mlp_site(layer));
}

template <typename T>
void Transformer<T>::drop(T* out, const T* input, uint32_t site) {
    if (dropout_.probability == 0.0) return;
    dropout(Dropout<T>{.out = out,
                       .input = input,
                       .row_ids = indices().row_ids,
                       .positions = indices().positions,
                       .rows = batch_.num_tokens(),
                       .channels = config_.hidden,
                       .key = dropout_.key,
                       .site = site,
                       .probability = dropout_.probability},
            stream_);
}

template <typename T>
void Transformer<T>::logits(int64_t first, int64_t count, Real* out) {
    const T* normed = activations_.final_normed + first * config_.hidden;
    if constexpr (std::is_same_v<T, float>) {
        if (store_.table()[layout_.head].quantized)
            return quantized_matmul({.out = out,
                                     .a = normed,
                                     .b = store_.quantized(layout_.head),
                                     .scratch = activations_.scratch,
                                     .m = count,
                                     .n = config_.vocab_size,
                                     .k = config_.hidden},
                                    stream_);
    }
    matmul(Matmul<T, Real>{.out = out,
                           .a = normed,
                           .b = weight(layout_.head),
                           .scratch = activations_.scratch,
                           .m = count,
                           .n = config_.vocab_size,
                           .k = config_.hidden,
                           .transpose_b = true},
           stream_);
}

template <typename T>
void Transformer<T>::score(Real* logprob) {
    head_chunks(/*with_gradient=*/false);
    copy_to_host(stream_.device, logprob, indices().logprob,
                 batch_.num_tokens() * int64_t{sizeof(Real)});
}

template <typename T>
void Transformer<T>::head(const Real* grad_logprob, double* loss) {
    ENSURE(limits_.backward, "transformer: a backward pass was not planned for");
    copy_to_device(stream_.device, indices().grad_logprob, grad_logprob,
                   batch_.num_tokens() * int64_t{sizeof(Real)});
    head_chunks(/*with_gradient=*/true);
    weighted_sum(WeightedSum<Real>{.sum = loss,
                                   .values = indices().logprob,
                                   .weights = indices().grad_logprob,
                                   .count = batch_.num_tokens()},
                 stream_);
    backward(final_norm(), /*starts=*/true);
}

template <typename T>
void Transformer<T>::head_chunks(bool with_gradient) {
    ENSURE(limits_.head, "transformer: log-probabilities were not planned for");
    upload(indices().targets, targets_of(batch_).tokens);
    // As few chunks as fit, all of nearly one size: a short last one would waste its products.
    const int64_t tokens = batch_.num_tokens(), most = logit_rows(config_, limits_);
    const int64_t chunks = (tokens + most - 1) / most;
    for (int64_t chunk = 0; chunk < chunks; ++chunk) {
        const int64_t first = tokens * chunk / chunks;
        head_chunk(first, tokens * (chunk + 1) / chunks - first, with_gradient);
    }
}

template <typename T>
void Transformer<T>::head_chunk(int64_t first, int64_t rows, bool with_gradient) {
    logits(first, rows, activations_.logits);
    cross_entropy(
        CrossEntropy<T>{.logprob = indices().logprob + first,
                        .grad_logits = with_gradient ? activations_.grad_logits : nullptr,
                        .logits = activations_.logits,
                        .targets = indices().targets + first,
                        .grad_logprob = with_gradient ? indices().grad_logprob + first : nullptr,
                        .rows = rows,
                        .vocabulary = config_.vocab_size},
        stream_);
    if (!with_gradient) return;
    const int64_t hidden = config_.hidden;
    matmul(Matmul<T>{.out = activations_.grad_branch + first * hidden,
                     .a = activations_.grad_logits,
                     .b = weight(layout_.head),
                     .scratch = activations_.scratch,
                     .m = rows,
                     .n = hidden,
                     .k = config_.vocab_size},
           stream_);
    matmul(Matmul<T, Real>{.out = gradient(layout_.head),
                           .a = activations_.grad_logits,
                           .b = activations_.final_normed + first * hidden,
                           .scratch = activations_.scratch,
                           .m = config_.vocab_size,
                           .n = hidden,
                           .k = rows,
                           .transpose_a = true,
                           .accumulate = true},
           stream_);
}

template class Transformer<float>;
template class Transformer<bf16>;
template class Transformer<double>;
