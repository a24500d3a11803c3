#include "model/decoder_layout.h"

#include <string>

namespace {

class Lookup {
public:
    Lookup(const ModelConfig& config, const ParameterTable& table)
        : config_(config), table_(table) {}

    int index(const std::string& name) const { return table_.index_of(name); }

    NormParameters norm(const std::string& name) const {
        return {index(name + ".weight"), table_.find(name + ".bias")};
    }
    Linear linear(const std::string& name, int64_t in, int64_t out) const {
        const int weight = index(name + ".weight");
        return {.weight = weight,
                .bias = table_.find(name + ".bias"),
                .in = in,
                .out = out,
                .transposed = table_[weight].transposed};
    }

    BlockLayout gpt2_block(const std::string& prefix) const {
        const int64_t hidden = config_.hidden, intermediate = config_.intermediate;
        return {.attention_norm = norm(prefix + "ln_1"),
                .qkv = linear(prefix + "attn.c_attn", hidden, 3 * hidden),
                .attention_out = linear(prefix + "attn.c_proj", hidden, hidden),
                .mlp_norm = norm(prefix + "ln_2"),
                .mlp_in = linear(prefix + "mlp.c_fc", hidden, intermediate),
                .mlp_out = linear(prefix + "mlp.c_proj", intermediate, hidden)};
    }

    BlockLayout llama_block(const std::string& prefix) const {
        const int64_t hidden = config_.hidden, intermediate = config_.intermediate;
        const int64_t queries = config_.queries(), keys = config_.keys();
        return {.attention_norm = norm(prefix + "input_layernorm"),
                .qkv = linear(prefix + "self_attn.q_proj", hidden, queries + 2 * keys),
                .q_norm = table_.find(prefix + "self_attn.q_norm.weight"),
                .k_norm = table_.find(prefix + "self_attn.k_norm.weight"),
                .attention_out = linear(prefix + "self_attn.o_proj", queries, hidden),
                .mlp_norm = norm(prefix + "post_attention_layernorm"),
                .mlp_in = linear(prefix + "mlp.gate_proj", hidden, 2 * intermediate),
                .mlp_out = linear(prefix + "mlp.down_proj", intermediate, hidden)};
    }

private:
    const ModelConfig& config_;
    const ParameterTable& table_;
};

}  // namespace

DecoderLayout decoder_layout(const ModelConfig& config, const ParameterTable& table) {
    const Lookup lookup(config, table);
    const bool gpt2 = config.model_type == "gpt2";
    DecoderLayout layout{.token_embedding = lookup.index(gpt2 ? "transformer.wte.weight"
                                                              : "model.embed_tokens.weight"),
                         .position_embedding = table.find("transformer.wpe.weight"),
                         .blocks = {},
                         .final_norm = lookup.norm(gpt2 ? "transformer.ln_f" : "model.norm"),
                         .head = lookup.index("lm_head.weight")};
    for (int l = 0; l < config.num_layers; ++l)
        layout.blocks.push_back(
            gpt2 ? lookup.gpt2_block("transformer.h." + std::to_string(l) + ".")
                 : lookup.llama_block("model.layers." + std::to_string(l) + "."));
    return layout;
}
