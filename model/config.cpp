#include "model/config.h"

#include <nlohmann/json.hpp>

#include "kernels/attention/attention.h"
#include "kernels/core/check.h"
#include "model/io/json.h"

namespace {

constexpr int64_t kMaxParameters = int64_t{1} << 42;  // four trillion

// A positive size no larger than any model has; beyond it the file is not to be believed.
int size_of(const JsonObject& json, const char* key, int64_t limit) {
    const int64_t value = json.integer(key);
    if (value <= 0 || value > limit) json.refuse(key, fmt::format("1 to {}", limit));
    return static_cast<int>(value);
}

int vocab_of(const JsonObject& json) { return size_of(json, "vocab_size", 1 << 24); }

double positive(const JsonObject& json, const char* key, double fallback) {
    const double value = json.number_or(key, fallback);
    if (!(value > 0)) json.refuse(key, "a positive number");
    return value;
}

// Switches of Hugging Face's models whose other position Fettle does not compute.
void require_boolean(const JsonObject& json, const char* key, bool expected) {
    if (json.boolean_or(key, expected) != expected) json.refuse(key, expected ? "true" : "false");
}

// Tokens of the model's own vocabulary; some configs spell "none" as -1.
void read_token_ids(const JsonObject& json, ModelConfig& config) {
    const auto ids_of = [&](const char* key) {
        std::vector<int> ids;
        for (const int64_t id : json.integers(key)) {
            if (id < -1 || id >= config.vocab_size)
                json.refuse(key, fmt::format("token ids below vocab_size = {}", config.vocab_size));
            if (id >= 0) ids.push_back(static_cast<int>(id));
        }
        return ids;
    };
    const auto id_of = [&](const char* key) -> std::optional<int> {
        const std::vector<int> ids = ids_of(key);
        if (ids.size() > 1) json.refuse(key, "one token id");
        return ids.empty() ? std::nullopt : std::optional(ids[0]);
    };
    config.bos_id = id_of("bos_token_id");
    // GPT-2's class makes no use of its padding: some models name one that was never embedded.
    const std::vector<int64_t> padding = json.integers("pad_token_id");
    const bool unused =
        config.model_type == "gpt2" && padding.size() == 1 && padding[0] >= config.vocab_size;
    if (!unused) config.pad_id = id_of("pad_token_id");
    config.eos_ids = ids_of("eos_token_id");
}

void read_gpt2(const JsonObject& json, ModelConfig& config) {
    config.vocab_size = vocab_of(json);
    config.num_layers = size_of(json, "n_layer", 4096);
    config.hidden = size_of(json, "n_embd", 1 << 20);
    config.num_heads = size_of(json, "n_head", 1 << 16);
    config.num_kv_heads = config.num_heads;
    config.max_positions = size_of(json, "n_positions", 1 << 28);
    if (config.hidden % config.num_heads != 0)
        json.refuse("n_head", fmt::format("a divisor of n_embd = {}", config.hidden));
    config.head_dim = config.hidden / config.num_heads;
    config.intermediate =
        json.has("n_inner") ? size_of(json, "n_inner", 1 << 24) : 4 * config.hidden;

    const std::string activation = json.string_or("activation_function", "gelu_new");
    if (activation != "gelu_new" && activation != "gelu_pytorch_tanh")
        json.refuse("activation_function", "gelu_new or gelu_pytorch_tanh");
    require_boolean(json, "scale_attn_weights", true);
    require_boolean(json, "scale_attn_by_inverse_layer_idx", false);
    require_boolean(json, "reorder_and_upcast_attn", false);
    require_boolean(json, "add_cross_attention", false);

    config.norm = Norm::layer;
    config.norm_epsilon = positive(json, "layer_norm_epsilon", 1e-5);
    config.activation = Activation::gelu_tanh;
    config.positions = Positions::learned;
    config.qkv_bias = config.attention_out_bias = config.mlp_bias = true;
    config.tied_head = json.boolean_or("tie_word_embeddings", true);
}

// Both spellings: rope_theta beside rope_scaling (transformers 4), or both inside rope_parameters
// (transformers 5). Where a file has all of them, the same one wins as in Hugging Face.
void read_rope(const JsonObject& json, ModelConfig& config) {
    config.positions = Positions::rope;
    config.rope_theta = positive(json, "rope_theta", 10000.0);
    if (json.number_or("partial_rotary_factor", 1.0) != 1.0)
        json.refuse("partial_rotary_factor", "1 (RoPE on the whole head)");
    const char* key = json.has("rope_scaling") ? "rope_scaling" : "rope_parameters";
    if (!json.has(key)) return;

    const JsonObject rope = json.object(key);
    config.rope_theta = positive(rope, "rope_theta", config.rope_theta);
    if (rope.number_or("partial_rotary_factor", 1.0) != 1.0)
        rope.refuse("partial_rotary_factor", "1 (RoPE on the whole head)");
    for (const char* nested : {"full_attention", "sliding_attention"})
        if (rope.has(nested)) rope.refuse(nested, "one RoPE for all layers");
    const char* type_key = rope.has("rope_type") ? "rope_type" : "type";
    const std::string type = rope.string_or(type_key, "default");
    RopeScaling& scaling = config.rope_scaling;
    if (type == "default") return;
    if (type != "linear" && type != "llama3") rope.refuse(type_key, "default, linear or llama3");
    scaling.factor = rope.number("factor");
    if (!(scaling.factor >= 1)) rope.refuse("factor", "1 or more");
    scaling.kind = RopeScaling::Kind::linear;
    if (type == "linear") return;

    scaling.kind = RopeScaling::Kind::llama3;
    scaling.low_freq_factor = rope.number("low_freq_factor");
    scaling.high_freq_factor = rope.number("high_freq_factor");
    if (!(scaling.low_freq_factor > 0)) rope.refuse("low_freq_factor", "a positive number");
    if (!(scaling.high_freq_factor > scaling.low_freq_factor))
        rope.refuse("high_freq_factor", "more than low_freq_factor");
    scaling.original_max_positions =
        rope.integer_or("original_max_position_embeddings", config.max_positions);
    if (scaling.original_max_positions <= 0)
        rope.refuse("original_max_position_embeddings", "a positive number");
}

// Attention windows change what a token sees; a window that no row can outgrow changes nothing.
void refuse_windows(const JsonObject& json, const ModelConfig& config) {
    if (config.model_type == "mistral") {
        // Hugging Face's default for an absent key is 4096; an explicit null means no window.
        const bool has_null = !json.has("sliding_window") &&
                              nlohmann::json::parse(config.raw_json).contains("sliding_window");
        const int64_t window = json.integer_or("sliding_window", has_null ? INT64_MAX : 4096);
        if (window < config.max_positions)
            json.refuse("sliding_window", "null, or at least max_position_embeddings");
    }
    require_boolean(json, "use_sliding_window", false);
    for (const std::string& type : json.strings("layer_types"))
        if (type != "full_attention") json.refuse("layer_types", "full_attention in every layer");
}

void read_biases(const JsonObject& json, ModelConfig& config) {
    const std::string& family = config.model_type;
    if (family == "qwen2") {  // always on q, k and v, never elsewhere
        config.qkv_bias = true;
        return;
    }
    if (family == "mistral") return;  // none at all
    config.qkv_bias = config.attention_out_bias = json.boolean_or("attention_bias", false);
    if (family == "llama") config.mlp_bias = json.boolean_or("mlp_bias", false);
    config.qk_norm = family == "qwen3";
}

void read_llama(const JsonObject& json, ModelConfig& config) {
    const std::string& family = config.model_type;
    config.vocab_size = vocab_of(json);
    config.num_layers = size_of(json, "num_hidden_layers", 4096);
    config.hidden = size_of(json, "hidden_size", 1 << 20);
    config.intermediate = size_of(json, "intermediate_size", 1 << 24);
    config.num_heads = size_of(json, "num_attention_heads", 1 << 16);
    config.num_kv_heads = json.has("num_key_value_heads")
                              ? size_of(json, "num_key_value_heads", 1 << 16)
                              : config.num_heads;
    config.max_positions = size_of(json, "max_position_embeddings", 1 << 28);
    if (json.has("head_dim")) {
        config.head_dim = size_of(json, "head_dim", 1 << 16);
    } else if (family == "qwen3") {
        config.head_dim = 128;  // Hugging Face's default, whatever hidden_size is
    } else {
        if (config.hidden % config.num_heads != 0)
            json.refuse("num_attention_heads",
                        fmt::format("a divisor of hidden_size = {}", config.hidden));
        config.head_dim = config.hidden / config.num_heads;
    }
    if (config.num_heads % config.num_kv_heads != 0)
        json.refuse("num_key_value_heads",
                    fmt::format("a divisor of num_attention_heads = {}", config.num_heads));
    const std::string activation = json.string_or("hidden_act", "silu");
    if (activation != "silu" && activation != "swish") json.refuse("hidden_act", "silu");

    config.norm = Norm::rms;
    config.norm_epsilon = positive(json, "rms_norm_eps", 1e-6);
    config.activation = Activation::swiglu;
    read_biases(json, config);
    read_rope(json, config);
    refuse_windows(json, config);
    config.tied_head = json.boolean_or("tie_word_embeddings", false);
}

// Each size was checked alone; together they must not describe more than any machine holds, nor
// overflow what is computed from them. At most 2^24 * 2^20 a product: far below 2^63.
void check_together(const JsonObject& json, const ModelConfig& config) {
    ENSURE_INPUT(config.positions != Positions::rope || config.head_dim % 2 == 0, json.source(),
                 "head_dim: found {}, expected an even number (RoPE turns pairs)", config.head_dim);
    ENSURE_INPUT(config.head_dim <= kMaxHeadDim, json.source(),
                 "head_dim: found {}, expected at most {}", config.head_dim, kMaxHeadDim);
    const int64_t hidden = config.hidden;
    const int64_t queries = int64_t{config.num_heads} * config.head_dim;
    const int64_t keys = int64_t{config.num_kv_heads} * config.head_dim;
    ENSURE_INPUT(queries <= 1 << 24, json.source(),
                 "num_attention_heads * head_dim: found {}, expected at most {}", queries, 1 << 24);
    const int64_t block = hidden * (2 * queries + 2 * keys + 3 * int64_t{config.intermediate});
    const int64_t embeddings = hidden * (2 * int64_t{config.vocab_size} + config.max_positions);
    ENSURE_INPUT(block <= kMaxParameters / config.num_layers && embeddings <= kMaxParameters,
                 json.source(), "its sizes make more than {} parameters", kMaxParameters);
}

}  // namespace

ModelConfig read_config(const std::filesystem::path& config_json) {
    refuse_special_file(config_json);
    return config_from_json(read_text_file(config_json, int64_t{16} << 20), config_json.string());
}

ModelConfig config_from_json(std::string_view text, const std::string& source) {
    const nlohmann::json parsed = parse_json(text, source);
    parse_ordered_json(text, source);  // as it will be written: not only now is it to be readable
    const JsonObject json(parsed, source);
    ModelConfig config;
    config.raw_json = text;
    config.model_type = json.string("model_type");
    if (json.has("quantization_config"))
        json.refuse("quantization_config", "weights that are not quantised");
    const std::string& family = config.model_type;
    if (family == "gpt2")
        read_gpt2(json, config);
    else if (family == "llama" || family == "mistral" || family == "qwen2" || family == "qwen3")
        read_llama(json, config);
    else
        json.refuse("model_type", "gpt2, llama, mistral, qwen2 or qwen3");
    config.initializer_range = json.number_or("initializer_range", 0.02);
    if (!(config.initializer_range >= 0)) json.refuse("initializer_range", "0 or more");
    read_token_ids(json, config);
    check_together(json, config);
    return config;
}

std::optional<ModelConfig> preset_config(std::string_view name) {
    struct Preset {
        const char* name;
        int layers, hidden, heads;
    };
    static constexpr Preset kPresets[] = {{"gpt2", 12, 768, 12},
                                          {"gpt2-medium", 24, 1024, 16},
                                          {"gpt2-large", 36, 1280, 20},
                                          {"gpt2-xl", 48, 1600, 25}};
    for (const Preset& preset : kPresets) {
        if (name != preset.name) continue;
        ModelConfig config;
        config.model_type = "gpt2";
        config.vocab_size = 50257;
        config.max_positions = 1024;
        config.num_layers = preset.layers;
        config.hidden = preset.hidden;
        config.num_heads = config.num_kv_heads = preset.heads;
        config.head_dim = preset.hidden / preset.heads;
        config.intermediate = 4 * preset.hidden;
        config.qkv_bias = config.attention_out_bias = config.mlp_bias = config.tied_head = true;
        config.bos_id = 50256;
        config.eos_ids = {50256};
        return config;
    }
    return std::nullopt;
}
