// config_to_json: what has not changed keeps the spelling it had in the file it was read from.

#include <nlohmann/json.hpp>

#include "kernels/core/check.h"
#include "model/config.h"
#include "model/io/json.h"

namespace {

using nlohmann::ordered_json;

struct Family {
    const char* model_type;
    const char* architecture;
};
constexpr Family kFamilies[] = {{"gpt2", "GPT2LMHeadModel"},
                                {"llama", "LlamaForCausalLM"},
                                {"mistral", "MistralForCausalLM"},
                                {"qwen2", "Qwen2ForCausalLM"},
                                {"qwen3", "Qwen3ForCausalLM"}};

// Writes a field unless the original file already means the same by what it says, or leaves out.
class FieldWriter {
public:
    FieldWriter(ordered_json& json, const ModelConfig& config) : json_(json), config_(config) {
        if (!config.raw_json.empty())
            original_ = config_from_json(config.raw_json, "the model's original config.json");
        ENSURE(!original_ || original_->model_type == config.model_type,
               "config was read as {} but is to be written as {}", original_->model_type,
               config.model_type);
    }

    template <typename Member>
    bool changed(Member member) const {
        return !original_ || (*original_).*member != config_.*member;
    }
    template <typename Member>
    void write(const char* key, Member member) {
        if (changed(member)) json_[key] = config_.*member;
    }
    // A field whose absence means "derived from hidden and num_heads": written if any of them
    // moved.
    void write_derived(const char* key, int ModelConfig::*member) {
        if (changed(member) || changed(&ModelConfig::hidden) || changed(&ModelConfig::num_heads))
            json_[key] = config_.*member;
    }

private:
    ordered_json& json_;
    const ModelConfig& config_;
    std::optional<ModelConfig> original_;
};

void write_rope(ordered_json& json, const ModelConfig& config) {
    json.erase("rope_parameters");
    json["rope_theta"] = config.rope_theta;  // transformers 4 and 5 both read this spelling
    const RopeScaling& scaling = config.rope_scaling;
    if (scaling.kind == RopeScaling::Kind::none) {
        json["rope_scaling"] = nullptr;
        return;
    }
    const bool llama3 = scaling.kind == RopeScaling::Kind::llama3;
    ordered_json rope = {{"rope_type", llama3 ? "llama3" : "linear"}, {"factor", scaling.factor}};
    if (llama3) {
        rope["low_freq_factor"] = scaling.low_freq_factor;
        rope["high_freq_factor"] = scaling.high_freq_factor;
        rope["original_max_position_embeddings"] = scaling.original_max_positions;
    }
    json["rope_scaling"] = std::move(rope);
}

void write_gpt2(ordered_json& json, FieldWriter& fields) {
    fields.write("n_positions", &ModelConfig::max_positions);
    fields.write("n_embd", &ModelConfig::hidden);
    fields.write("n_layer", &ModelConfig::num_layers);
    fields.write("n_head", &ModelConfig::num_heads);
    fields.write_derived("n_inner", &ModelConfig::intermediate);
    if (!json.contains("activation_function")) json["activation_function"] = "gelu_new";
    fields.write("layer_norm_epsilon", &ModelConfig::norm_epsilon);
}

void write_llama(ordered_json& json, FieldWriter& fields, const ModelConfig& config) {
    fields.write("hidden_size", &ModelConfig::hidden);
    fields.write("intermediate_size", &ModelConfig::intermediate);
    fields.write("num_hidden_layers", &ModelConfig::num_layers);
    fields.write("num_attention_heads", &ModelConfig::num_heads);
    fields.write_derived("num_key_value_heads", &ModelConfig::num_kv_heads);
    fields.write_derived("head_dim", &ModelConfig::head_dim);
    fields.write("max_position_embeddings", &ModelConfig::max_positions);
    if (!json.contains("hidden_act")) json["hidden_act"] = "silu";
    fields.write("rms_norm_eps", &ModelConfig::norm_epsilon);
    if (config.model_type == "llama" || config.model_type == "qwen3")
        fields.write("attention_bias", &ModelConfig::qkv_bias);
    if (config.model_type == "llama") fields.write("mlp_bias", &ModelConfig::mlp_bias);
    if (config.model_type == "mistral" && !json.contains("sliding_window"))
        json["sliding_window"] = nullptr;
    if (fields.changed(&ModelConfig::rope_theta) || fields.changed(&ModelConfig::rope_scaling))
        write_rope(json, config);
}

void write_token_ids(ordered_json& json, FieldWriter& fields, const ModelConfig& config) {
    const auto id_or_null = [](const std::optional<int>& id) {
        return id ? ordered_json(*id) : ordered_json(nullptr);
    };
    if (fields.changed(&ModelConfig::bos_id)) json["bos_token_id"] = id_or_null(config.bos_id);
    if (fields.changed(&ModelConfig::pad_id)) json["pad_token_id"] = id_or_null(config.pad_id);
    if (!fields.changed(&ModelConfig::eos_ids)) return;
    if (config.eos_ids.size() > 1)
        json["eos_token_id"] = config.eos_ids;
    else
        json["eos_token_id"] =
            config.eos_ids.empty() ? ordered_json(nullptr) : ordered_json(config.eos_ids[0]);
}

}  // namespace

std::string config_to_json(const ModelConfig& config, TensorType type) {
    ordered_json json = ordered_json::object();
    if (!config.raw_json.empty()) json = parse_ordered_json(config.raw_json, "config.json");
    const Family* family = nullptr;
    for (const Family& candidate : kFamilies)
        if (config.model_type == candidate.model_type) family = &candidate;
    ENSURE(family != nullptr, "model_type {} cannot be written", config.model_type);

    FieldWriter fields(json, config);
    json["architectures"] = ordered_json::array({family->architecture});
    json["model_type"] = config.model_type;
    fields.write("vocab_size", &ModelConfig::vocab_size);
    if (config.model_type == "gpt2")
        write_gpt2(json, fields);
    else
        write_llama(json, fields, config);
    fields.write("initializer_range", &ModelConfig::initializer_range);
    fields.write("tie_word_embeddings", &ModelConfig::tied_head);
    write_token_ids(json, fields, config);
    // Every version of transformers reads torch_dtype; the newer spelling is kept where it was
    // used.
    if (json.contains("dtype")) json["dtype"] = torch_name(type);
    if (json.contains("torch_dtype") || !json.contains("dtype"))
        json["torch_dtype"] = torch_name(type);
    std::string text = json.dump(2) + "\n";

    ModelConfig wanted = config, written = config_from_json(text, "the config.json to be written");
    wanted.raw_json = written.raw_json = "";
    ENSURE(wanted == written, "a {} config.json cannot express this configuration: {}",
           config.model_type, text);
    return text;
}
