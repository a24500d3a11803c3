// A model folder's weights as a GGUF file, the way llama.cpp's converter writes them.
#pragma once

#include <string>
#include <vector>

#include "kernels/core/check.h"
#include "model/config.h"
#include "model/io/safetensors.h"
#include "model/parameters.h"
#include "tests/support/gguf_writer.h"

// "model.layers.0.self_attn.q_proj.weight" -> "blk.0.attn_q.weight".
inline std::string gguf_name(std::string name) {
    static const std::vector<std::pair<std::string, std::string>> kNames = {
        {"model.layers.", "blk."},
        {"transformer.h.", "blk."},
        {"model.embed_tokens", "token_embd"},
        {"transformer.wte", "token_embd"},
        {"transformer.wpe", "position_embd"},
        {"model.norm", "output_norm"},
        {"transformer.ln_f", "output_norm"},
        {"lm_head", "output"},
        {"input_layernorm", "attn_norm"},
        {"post_attention_layernorm", "ffn_norm"},
        {"self_attn.q_proj", "attn_q"},
        {"self_attn.k_proj", "attn_k"},
        {"self_attn.v_proj", "attn_v"},
        {"self_attn.o_proj", "attn_output"},
        {"self_attn.q_norm", "attn_q_norm"},
        {"self_attn.k_norm", "attn_k_norm"},
        {"mlp.gate_proj", "ffn_gate"},
        {"mlp.up_proj", "ffn_up"},
        {"mlp.down_proj", "ffn_down"},
        {"ln_1", "attn_norm"},
        {"ln_2", "ffn_norm"},
        {"attn.c_attn", "attn_qkv"},
        {"attn.c_proj", "attn_output"},
        {"mlp.c_fc", "ffn_up"},
        {"mlp.c_proj", "ffn_down"}};
    for (const auto& [ours, theirs] : kNames)
        if (const size_t at = name.find(ours); at != std::string::npos)
            name.replace(at, ours.size(), theirs);
    return name;
}

// Rows of each head (half, d) to (d, half), what llama.cpp's RoPE expects of Llama.
inline std::vector<float> interleaved(const std::vector<float>& rows, int64_t head_dim,
                                      int64_t columns) {
    std::vector<float> out(rows.size());
    for (size_t i = 0; i < rows.size(); ++i) {
        const int64_t row = static_cast<int64_t>(i) / columns, place = row % head_dim;
        const int64_t half = place / (head_dim / 2), d = place % (head_dim / 2);
        const int64_t to =
            (row - place + 2 * d + half) * columns + static_cast<int64_t>(i) % columns;
        out[static_cast<size_t>(to)] = rows[i];
    }
    return out;
}

inline std::vector<float> transposed(const std::vector<float>& values, int64_t rows,
                                     int64_t columns) {
    std::vector<float> out;
    for (int64_t c = 0; c < columns; ++c)
        for (int64_t r = 0; r < rows; ++r)
            out.push_back(values[static_cast<size_t>(r * columns + c)]);
    return out;
}

inline void add_gguf_metadata(GgufWriter& writer, const ModelConfig& config) {
    const std::string arch = config.model_type == "mistral" ? "llama" : config.model_type;
    const auto size = [](int value) { return static_cast<uint32_t>(value); };
    writer.add("general.architecture", arch.c_str());
    writer.add("general.name", "a tiny model");
    writer.add(arch + ".block_count", size(config.num_layers));
    writer.add(arch + ".context_length", size(config.max_positions));
    writer.add(arch + ".embedding_length", size(config.hidden));
    writer.add(arch + ".feed_forward_length", size(config.intermediate));
    writer.add(arch + ".attention.head_count", size(config.num_heads));
    const auto epsilon = static_cast<float>(config.norm_epsilon);
    if (config.model_type == "gpt2") {
        writer.add(arch + ".attention.layer_norm_epsilon", epsilon);
    } else {
        writer.add(arch + ".attention.head_count_kv", size(config.num_kv_heads));
        writer.add(arch + ".attention.key_length", size(config.head_dim));
        writer.add(arch + ".attention.value_length", size(config.head_dim));
        writer.add(arch + ".attention.layer_norm_rms_epsilon", epsilon);
        writer.add(arch + ".rope.freq_base", static_cast<float>(config.rope_theta));
    }
    if (config.bos_id) writer.add("tokenizer.ggml.bos_token_id", size(*config.bos_id));
    if (!config.eos_ids.empty()) writer.add("tokenizer.ggml.eos_token_id", size(config.eos_ids[0]));
}

// Without a tokenizer.
inline GgufWriter gguf_model(const ModelConfig& config, const SafetensorsFile& weights) {
    GgufWriter writer;
    add_gguf_metadata(writer, config);
    const bool turned = config.model_type == "llama" || config.model_type == "mistral";
    const ParameterTable table(config);
    for (const Parameter& parameter : table.parameters()) {
        if (parameter.tied_to) continue;
        const StoredTensor* tensor = weights.find(parameter.name);
        ENSURE(tensor != nullptr, "no tensor {}", parameter.name);
        std::vector<float> values(static_cast<size_t>(tensor->count));
        read_elements(tensor->bytes.data(), tensor->type, std::span(values));
        std::vector<uint64_t> dims(parameter.shape.rbegin(), parameter.shape.rend());
        const std::string name = gguf_name(parameter.name);
        if (parameter.transposed) {
            values = transposed(values, parameter.shape[0], parameter.shape[1]);
            std::swap(dims[0], dims[1]);
        } else if (turned && (name.find("attn_q.") != std::string::npos ||
                              name.find("attn_k.") != std::string::npos)) {
            const int64_t columns = parameter.shape.size() > 1 ? parameter.shape[1] : 1;
            values = interleaved(values, config.head_dim, columns);
        }
        writer.add_tensor(name, dims, values);
    }
    return writer;
}
