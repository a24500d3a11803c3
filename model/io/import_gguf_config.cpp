// config_from_gguf: metadata and the shapes of a few tensors to a ModelConfig.

#include <algorithm>
#include <cmath>

#include "kernels/core/check.h"
#include "model/io/import_gguf.h"
#include "model/io/safetensors.h"
#include "model/rope_table.h"

namespace {

constexpr const char* kArchitectures[] = {"llama", "qwen2", "qwen3", "gpt2"};

// The keys of one architecture, "llama.block_count" and so on.
class Keys {
public:
    Keys(const GgufFile& file, const std::string& architecture)
        : file_(file), prefix_(architecture + ".") {}

    std::string full(const char* key) const { return prefix_ + key; }
    bool has(const char* key) const { return file_.has(full(key)); }
    [[noreturn]] void refuse(const char* key, const std::string& expected) const {
        file_.refuse(full(key), expected);
    }

    // A positive size no larger than any model has; beyond it the file is not to be believed.
    int size(const char* key, int64_t limit) const {
        const int64_t value = file_.integer(full(key));
        if (value < 1 || value > limit) refuse(key, fmt::format("1 to {}", limit));
        return static_cast<int>(value);
    }
    int size_or(const char* key, int64_t limit, int fallback) const {
        return has(key) ? size(key, limit) : fallback;
    }
    double positive(const char* key) const {
        const double value = file_.number(full(key));
        if (!(value > 0)) refuse(key, "a positive number");
        return value;
    }
    double positive_or(const char* key, double fallback) const {
        return has(key) ? positive(key) : fallback;
    }
    std::string string_or(const char* key, const std::string& fallback) const {
        return file_.string_or(full(key), fallback);
    }

    // Anything but these may change what the model computes.
    void refuse_unknown() const {
        static constexpr const char* kKnown[] = {"block_count",
                                                 "context_length",
                                                 "embedding_length",
                                                 "feed_forward_length",
                                                 "vocab_size",
                                                 "tensor_data_layout",
                                                 "attention.head_count",
                                                 "attention.head_count_kv",
                                                 "attention.key_length",
                                                 "attention.value_length",
                                                 "attention.layer_norm_epsilon",
                                                 "attention.layer_norm_rms_epsilon",
                                                 "attention.causal",
                                                 "attention.sliding_window",
                                                 "rope.dimension_count",
                                                 "rope.freq_base",
                                                 "rope.scale_linear",
                                                 "rope.scaling.type",
                                                 "rope.scaling.factor",
                                                 "rope.scaling.original_context_length",
                                                 "rope.scaling.finetuned",
                                                 "expert_count",
                                                 "expert_used_count",
                                                 "use_parallel_residual"};
        for (const auto& [key, value] : file_.metadata()) {
            if (!key.starts_with(prefix_)) continue;
            const std::string_view rest = key.substr(prefix_.size());
            if (std::find(std::begin(kKnown), std::end(kKnown), rest) == std::end(kKnown))
                file_.refuse(std::string(key),
                             "no such key: Fettle does not know what it changes in the model");
        }
        for (const char* key : {"expert_count", "expert_used_count"})
            if (file_.integer_or(full(key), 0) != 0) refuse(key, "0 (no experts)");
        if (!file_.boolean_or(full("attention.causal"), true)) refuse("attention.causal", "true");
        if (file_.boolean_or(full("use_parallel_residual"), false))
            refuse("use_parallel_residual", "false");
    }

    const GgufFile& file() const { return file_; }

private:
    const GgufFile& file_;
    const std::string prefix_;
};

bool has_tensor(const GgufFile& file, const char* name) {
    return file.find_tensor(name) != nullptr;
}

// The head is the embedding's own bytes, or is not stored at all.
bool is_tied(const GgufFile& file) {
    const GgufTensor* head = file.find_tensor("output.weight");
    const GgufTensor* embedding = file.find_tensor("token_embd.weight");
    return head == nullptr || (embedding != nullptr && head->type == embedding->type &&
                               std::equal(head->bytes.begin(), head->bytes.end(),
                                          embedding->bytes.begin(), embedding->bytes.end()));
}

void read_sizes(const Keys& keys, ModelConfig& config) {
    config.num_layers = keys.size("block_count", 4096);
    config.hidden = keys.size("embedding_length", 1 << 20);
    config.intermediate = keys.size("feed_forward_length", 1 << 24);
    config.max_positions = keys.size("context_length", 1 << 28);
    config.num_heads = keys.size("attention.head_count", 1 << 16);
    config.num_kv_heads = keys.size_or("attention.head_count_kv", 1 << 16, config.num_heads);
    if (config.num_heads % config.num_kv_heads != 0)
        keys.refuse("attention.head_count_kv",
                    fmt::format("a divisor of the {} heads", config.num_heads));
    if (!keys.has("attention.key_length") && config.hidden % config.num_heads != 0)
        keys.refuse("attention.head_count",
                    fmt::format("a divisor of embedding_length = {}", config.hidden));
    config.head_dim =
        keys.size_or("attention.key_length", 1 << 16, config.hidden / config.num_heads);
    if (keys.size_or("attention.value_length", 1 << 16, config.head_dim) != config.head_dim)
        keys.refuse("attention.value_length",
                    fmt::format("{}, the length of a key", config.head_dim));

    const GgufTensor* embedding = keys.file().find_tensor("token_embd.weight");
    const std::string source = keys.file().path().string();
    ENSURE_INPUT(embedding != nullptr, source, "tensor token_embd.weight is missing");
    ENSURE_INPUT(embedding->shape.size() == 2 && embedding->shape[0] <= 1 << 24,
                 source + ": tensor token_embd.weight",
                 "found shape {}, expected one row of {} for each of at most {} tokens",
                 shape_text(embedding->shape), config.hidden, 1 << 24);
    config.vocab_size = static_cast<int>(embedding->shape[0]);
    config.tied_head = is_tied(keys.file());
    // The file's tensors bound what the sizes may claim before anything is made of them.
    ENSURE_INPUT(config.num_layers <= static_cast<int64_t>(keys.file().tensors().size()), source,
                 "found {} tensors, expected several for each of {} layers",
                 keys.file().tensors().size(), config.num_layers);
}

// Llama 3's frequencies come as a tensor of divisors, without the rule that made them. All
// published models share one rule but for its factor, which the largest divisor is: if the rule
// gives these divisors it is the one.
void read_rope_divisors(const GgufFile& file, ModelConfig& config) {
    const GgufTensor* tensor = file.find_tensor("rope_freqs.weight");
    if (tensor == nullptr) return;
    const std::string where = file.path().string() + ": tensor rope_freqs.weight";
    ENSURE_INPUT(tensor->type == BlockType::f32 && tensor->count == config.head_dim / 2, where,
                 "found {} values of {}, expected {} of F32", tensor->count, name_of(tensor->type),
                 config.head_dim / 2);
    ENSURE_INPUT(config.rope_scaling.kind == RopeScaling::Kind::none, where,
                 "found it beside linear scaling of RoPE, expected one of the two");
    std::vector<float> divisors(static_cast<size_t>(tensor->count));
    dequantize(tensor->type, tensor->bytes, divisors);
    const float factor = *std::max_element(divisors.begin(), divisors.end());
    const std::vector<double> plain = rope_inverse_frequencies(config);
    ENSURE_INPUT(factor >= 1 && std::isfinite(factor), where,
                 "found a largest divisor of {}, expected 1 or more", factor);
    config.rope_scaling = {.kind = RopeScaling::Kind::llama3,
                           .factor = factor,
                           .low_freq_factor = 1.0,
                           .high_freq_factor = 4.0,
                           .original_max_positions = 8192};
    const std::vector<double> scaled = rope_inverse_frequencies(config);
    for (size_t d = 0; d < divisors.size(); ++d) {
        const double expected = plain[d] / scaled[d];
        ENSURE_INPUT(std::abs(divisors[d] - expected) <= 1e-4 * expected, where,
                     "found {} as divisor {}, expected {}: Llama 3's rule with factor {}",
                     divisors[d], d, expected, factor);
    }
    if (factor == 1) config.rope_scaling = {};
}

void read_rope(const Keys& keys, ModelConfig& config) {
    config.positions = Positions::rope;
    config.rope_theta = keys.positive_or("rope.freq_base", 10000.0);
    if (keys.size_or("rope.dimension_count", 1 << 16, config.head_dim) != config.head_dim)
        keys.refuse("rope.dimension_count",
                    fmt::format("{}, all of a head (RoPE on a part of it is not computed)",
                                config.head_dim));
    if (config.head_dim % 2 != 0)
        keys.refuse("attention.head_count",
                    fmt::format("heads of an even size, not {}", config.head_dim));
    const std::string type = keys.string_or("rope.scaling.type", "none");
    const char* factor =
        keys.has("rope.scaling.factor") ? "rope.scaling.factor" : "rope.scale_linear";
    if (type == "linear" || (type == "none" && keys.has("rope.scale_linear"))) {
        config.rope_scaling.kind = RopeScaling::Kind::linear;
        config.rope_scaling.factor = keys.positive(factor);
        if (config.rope_scaling.factor < 1) keys.refuse(factor, "1 or more");
        if (config.rope_scaling.factor == 1) config.rope_scaling = {};
    } else if (type != "none") {
        keys.refuse("rope.scaling.type", "none or linear");
    }
    read_rope_divisors(keys.file(), config);

    const char* window = "attention.sliding_window";
    const int64_t tokens = keys.file().integer_or(keys.full(window), 0);
    if (tokens != 0 && tokens < config.max_positions)
        keys.refuse(window, fmt::format("none, or at least the {} positions of the context: "
                                        "attention within a window is not computed",
                                        config.max_positions));
}

void read_llama(const Keys& keys, ModelConfig& config) {
    const GgufFile& file = keys.file();
    config.norm = Norm::rms;
    config.norm_epsilon = keys.positive("attention.layer_norm_rms_epsilon");
    config.activation = Activation::swiglu;
    read_rope(keys, config);
    config.qkv_bias = has_tensor(file, "blk.0.attn_q.bias");
    config.attention_out_bias = has_tensor(file, "blk.0.attn_output.bias");
    config.mlp_bias = has_tensor(file, "blk.0.ffn_down.bias");
    config.qk_norm = has_tensor(file, "blk.0.attn_q_norm.weight");

    // What each family's config.json can say.
    const std::string& family = config.model_type;
    const std::string source = file.path().string();
    const bool follows = family == "qwen2" ? config.qkv_bias && !config.attention_out_bias
                                           : config.qkv_bias == config.attention_out_bias;
    ENSURE_INPUT(follows, source,
                 "found {} bias on q, k and v and {} on the attention's output, expected {}",
                 config.qkv_bias ? "a" : "no", config.attention_out_bias ? "one" : "none",
                 family == "qwen2" ? "one on q, k and v only" : "both or neither");
    ENSURE_INPUT(family == "llama" || !config.mlp_bias, source,
                 "found tensor blk.0.ffn_down.bias, expected none in a {} model", family);
    ENSURE_INPUT(config.qk_norm == (family == "qwen3"), source,
                 "found {} tensor blk.0.attn_q_norm.weight, expected {} in a {} model",
                 config.qk_norm ? "a" : "no", family == "qwen3" ? "one" : "none", family);
}

void read_gpt2(const Keys& keys, ModelConfig& config) {
    config.norm = Norm::layer;
    config.norm_epsilon = keys.positive("attention.layer_norm_epsilon");
    config.activation = Activation::gelu_tanh;
    config.positions = Positions::learned;
    config.qkv_bias = config.attention_out_bias = config.mlp_bias = true;
    if (config.num_kv_heads != config.num_heads ||
        config.num_heads * config.head_dim != config.hidden)
        keys.refuse("attention.head_count", "as many heads of keys, of embedding_length together");
}

void read_token_ids(const GgufFile& file, ModelConfig& config) {
    const auto id_of = [&](const char* key) -> std::optional<int> {
        const int64_t id = file.integer_or(key, -1);
        if (id == -1 || id == UINT32_MAX) return std::nullopt;  // two spellings of "none"
        if (id < 0 || id >= config.vocab_size)
            file.refuse(key, fmt::format("a token id below {}", config.vocab_size));
        return static_cast<int>(id);
    };
    config.bos_id = id_of("tokenizer.ggml.bos_token_id");
    config.pad_id = id_of("tokenizer.ggml.padding_token_id");
    // The end of a text, and that of a turn in a conversation.
    for (const char* key : {"tokenizer.ggml.eos_token_id", "tokenizer.ggml.eot_token_id"})
        if (const auto id = id_of(key); id && (config.eos_ids.empty() || config.eos_ids[0] != *id))
            config.eos_ids.push_back(*id);
}

}  // namespace

ModelConfig config_from_gguf(const GgufFile& file) {
    const std::string architecture = file.string("general.architecture");
    if (std::find(std::begin(kArchitectures), std::end(kArchitectures), architecture) ==
        std::end(kArchitectures))
        file.refuse("general.architecture", "llama, qwen2, qwen3 or gpt2");
    if (file.string_or("general.type", "model") != "model") file.refuse("general.type", "model");
    if (file.integer_or("split.count", 1) > 1)
        file.refuse("split.count", "1: a model in one file (llama-gguf-split --merge makes it)");

    const Keys keys(file, architecture);
    keys.refuse_unknown();
    ModelConfig config;
    config.model_type = architecture;
    read_sizes(keys, config);
    if (architecture == "gpt2")
        read_gpt2(keys, config);
    else
        read_llama(keys, config);
    read_token_ids(file, config);
    try {  // sizes were checked alone; together they must not describe what no machine holds
        config_to_json(config, TensorType::f32);
    } catch (const InputError& error) {
        throw InputError(fmt::format("{}: as {}", file.path().string(), error.what()));
    }
    return config;
}
