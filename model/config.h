// What kind of transformer a model is: sizes and choices, read from and written to Hugging Face's
// config.json. One decoder serves every family, so after reading nothing asks for the family again
// except the names of tensors and the writing of files.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "model/io/tensor_type.h"

enum class Norm { layer, rms };
enum class Activation { gelu_tanh, swiglu };
enum class Positions { learned, rope };

// How RoPE's frequencies are stretched beyond the positions a model was first trained on.
struct RopeScaling {
    enum class Kind { none, linear, llama3 };
    Kind kind = Kind::none;
    double factor = 1.0;            // linear, llama3: frequencies are divided by it
    double low_freq_factor = 1.0;   // llama3: wavelengths beyond original / low are scaled in full
    double high_freq_factor = 4.0;  // llama3: wavelengths below original / high are not scaled
    int64_t original_max_positions = 0;  // llama3

    bool operator==(const RopeScaling&) const = default;
};

struct ModelConfig {
    std::string model_type;  // gpt2, llama, mistral, qwen2 or qwen3: Hugging Face's family
    int vocab_size = 0;      // V
    int num_layers = 0;      // L
    int hidden = 0;          // C
    int num_heads = 0;       // H
    int num_kv_heads = 0;    // divides num_heads
    int head_dim = 0;        // D; num_heads * head_dim need not be hidden (Qwen3)
    int intermediate = 0;
    int max_positions = 0;

    Norm norm = Norm::layer;
    double norm_epsilon = 1e-5;
    Activation activation = Activation::gelu_tanh;
    Positions positions = Positions::learned;
    double rope_theta = 10000.0;
    RopeScaling rope_scaling;

    bool qkv_bias = false;
    bool attention_out_bias = false;
    bool mlp_bias = false;
    bool qk_norm = false;    // RMSNorm over each head's query and key before RoPE (Qwen3)
    bool tied_head = false;  // the head is the token embedding
    double initializer_range = 0.02;

    std::optional<int> bos_id;
    std::vector<int> eos_ids;
    std::optional<int> pad_id;

    // The config.json this was read from; empty for a preset. Writing keeps whatever Fettle does
    // not interpret in it, such as GPT-2's dropout probabilities.
    std::string raw_json;

    int queries() const { return num_heads * head_dim; }  // width of the queries, H * D
    int keys() const { return num_kv_heads * head_dim; }  // width of the keys, and of the values

    bool operator==(const ModelConfig&) const = default;
};

// A model whose family, activation, RoPE variant or attention Fettle lacks is an InputError that
// names file, key, what was found and what was expected; so are sizes that cannot be true.
ModelConfig read_config(const std::filesystem::path& config_json);
ModelConfig config_from_json(std::string_view text, const std::string& source);

// raw_json with architectures, dtype and every field that differs from it brought up to date.
std::string config_to_json(const ModelConfig& config, TensorType type);

// gpt2, gpt2-medium, gpt2-large or gpt2-xl as published; empty for any other name.
std::optional<ModelConfig> preset_config(std::string_view name);
