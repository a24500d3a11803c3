// ModelConfig: every family and spelling is read, what Fettle lacks is refused by name, and what is
// written says the same.

#include "model/config.h"

#include <nlohmann/json.hpp>

#include "kernels/core/check.h"
#include "model/io/json.h"
#include "tests/support/doctest.h"
#include "tests/support/temporary_folder.h"

namespace {

using nlohmann::json;

const std::filesystem::path kModels = "tests/golden/models";
const std::vector<std::string> kFolders = {"gpt2", "llama", "smollm", "qwen2", "qwen3", "mistral"};

json gpt2_json() {
    return json::parse(R"({"model_type": "gpt2", "vocab_size": 97, "n_embd": 30, "n_layer": 2,
        "n_head": 3, "n_positions": 37, "n_inner": null, "resid_pdrop": 0.1,
        "eos_token_id": 96, "bos_token_id": 96})");
}

json llama_json(const std::string& family = "llama") {
    return {{"model_type", family},     {"vocab_size", 97},         {"hidden_size", 24},
            {"num_hidden_layers", 2},   {"num_attention_heads", 6}, {"num_key_value_heads", 2},
            {"intermediate_size", 40},  {"rms_norm_eps", 1e-5},     {"max_position_embeddings", 64},
            {"sliding_window", nullptr}};
}

json with(json base, const std::string& key, const json& value) {
    base[key] = value;
    return base;
}

ModelConfig read(const json& value) { return config_from_json(value.dump(), "c.json"); }
std::string complaint(const json& value) {
    return input_error([&] { read(value); });
}

ModelConfig without_text(ModelConfig config) {
    config.raw_json.clear();
    return config;
}

ModelConfig rewritten(const ModelConfig& config, TensorType type = TensorType::f32) {
    return config_from_json(config_to_json(config, type), "rewritten");
}

}  // namespace

TEST_CASE("read_config: gpt2 as transformers writes it") {
    const ModelConfig config = read_config(kModels / "gpt2" / "config.json");
    CHECK(config.model_type == "gpt2");
    CHECK(config.vocab_size == 97);
    CHECK(config.hidden == 30);
    CHECK(config.num_heads == 3);
    CHECK(config.num_kv_heads == 3);
    CHECK(config.head_dim == 10);
    CHECK(config.intermediate == 61);
    CHECK(config.max_positions == 37);
    CHECK(config.norm == Norm::layer);
    CHECK(config.activation == Activation::gelu_tanh);
    CHECK(config.positions == Positions::learned);
    CHECK((config.qkv_bias && config.attention_out_bias && config.mlp_bias && config.tied_head));
    CHECK(config.bos_id == 0);
    CHECK(config.eos_ids == std::vector<int>{1});
    CHECK_FALSE(config.pad_id.has_value());
}

TEST_CASE("read_config: qwen3 has its own head width and norms of queries and keys") {
    const ModelConfig config = read_config(kModels / "qwen3" / "config.json");
    CHECK(config.head_dim == 12);
    CHECK(config.queries() == 48);
    CHECK(config.keys() == 24);
    CHECK(config.qk_norm);
    CHECK_FALSE(config.qkv_bias);
    CHECK(config.rope_theta == 1e6);
    CHECK(config.activation == Activation::swiglu);
    CHECK(config.norm_epsilon == 1e-6);
}

TEST_CASE("read_config: qwen2 has biases on queries, keys and values only, mistral none") {
    const ModelConfig qwen2 = read_config(kModels / "qwen2" / "config.json");
    CHECK(qwen2.qkv_bias);
    CHECK_FALSE(qwen2.attention_out_bias);
    CHECK_FALSE(qwen2.mlp_bias);
    CHECK(qwen2.num_kv_heads == 1);
    const ModelConfig mistral = read_config(kModels / "mistral" / "config.json");
    CHECK_FALSE(mistral.qkv_bias);
    CHECK_FALSE(mistral.tied_head);
}

TEST_CASE("read_config: both spellings of RoPE mean the same") {
    const ModelConfig newer = read_config(kModels / "llama" / "config.json");
    const ModelConfig older = read_config(kModels / "llama" / "config_transformers_4.json");
    CHECK(without_text(newer) == without_text(older));
    CHECK(newer.rope_theta == 500.0);
    CHECK(newer.rope_scaling.kind == RopeScaling::Kind::llama3);
    CHECK(newer.rope_scaling.factor == 8.0);
    CHECK(newer.rope_scaling.low_freq_factor == 1.0);
    CHECK(newer.rope_scaling.high_freq_factor == 4.0);
    CHECK(newer.rope_scaling.original_max_positions == 32);
}

TEST_CASE("config_from_json: absent keys have Hugging Face's defaults") {
    CHECK(read(gpt2_json()).intermediate == 120);
    CHECK(read(gpt2_json()).tied_head);
    CHECK_FALSE(read(llama_json()).tied_head);
    CHECK(read(llama_json()).head_dim == 4);
    CHECK(read(llama_json()).rope_theta == 10000.0);
    CHECK(read(llama_json("qwen3")).head_dim == 128);
    CHECK(read(with(llama_json(), "num_key_value_heads", nullptr)).num_kv_heads == 6);
    CHECK(read(with(llama_json(), "attention_bias", true)).attention_out_bias);
    CHECK(read(with(llama_json(), "mlp_bias", true)).mlp_bias);
}

TEST_CASE("config_from_json: end-of-text may be one id, several, or none") {
    CHECK(read(with(llama_json(), "eos_token_id", {3, 4})).eos_ids == std::vector<int>{3, 4});
    CHECK(read(with(llama_json(), "eos_token_id", nullptr)).eos_ids.empty());
    CHECK(read(with(llama_json(), "pad_token_id", -1)).pad_id == std::nullopt);
    CHECK(contains(complaint(with(llama_json(), "eos_token_id", "x")), "eos_token_id: found"));
    for (const char* key : {"bos_token_id", "eos_token_id", "pad_token_id"}) {
        CAPTURE(key);
        CHECK(complaint(with(llama_json(), key, 96)) == "");
        for (const json& id : {json(97), json(-2), json(int64_t{1} << 40), json({3, 97})})
            CHECK(contains(complaint(with(llama_json(), key, id)),
                           "expected token ids below vocab_size = 97"));
    }
    CHECK(contains(complaint(with(llama_json(), "bos_token_id", {3, 4})), "expected one token id"));
}

TEST_CASE("config_from_json: a padding token that GPT-2 never embedded is kept and not used") {
    const json gpt2 = with(gpt2_json(), "pad_token_id", 50'257);
    CHECK(complaint(gpt2) == "");
    CHECK(read(gpt2).pad_id == std::nullopt);
    const json written = json::parse(config_to_json(read(gpt2), TensorType::f32));
    CHECK(written["pad_token_id"] == 50'257);
    for (const json& id : {json(-2), json("x"), json({3, 50'257})})
        CHECK(contains(complaint(with(gpt2_json(), "pad_token_id", id)), "pad_token_id: found"));
}

TEST_CASE("config_from_json: linear scaling under either name of its type") {
    for (const char* key : {"type", "rope_type"}) {
        const json scaling = {{key, "linear"}, {"factor", 2.0}};
        const ModelConfig config = read(with(llama_json(), "rope_scaling", scaling));
        CHECK(config.rope_scaling.kind == RopeScaling::Kind::linear);
        CHECK(config.rope_scaling.factor == 2.0);
    }
}

TEST_CASE("config_from_json: what Fettle lacks is refused by file, key, found and expected") {
    CHECK(complaint(with(gpt2_json(), "model_type", "bert")) ==
          "c.json: model_type: found \"bert\", expected gpt2, llama, mistral, qwen2 or qwen3");
    CHECK(complaint(with(gpt2_json(), "activation_function", "relu")) ==
          "c.json: activation_function: found \"relu\", expected gelu_new or gelu_pytorch_tanh");
    CHECK(contains(complaint(with(gpt2_json(), "activation_function", "gelu")), "found \"gelu\""));
    CHECK(contains(complaint(with(gpt2_json(), "scale_attn_weights", false)), "expected true"));
    for (const char* key :
         {"scale_attn_by_inverse_layer_idx", "reorder_and_upcast_attn", "add_cross_attention"})
        CHECK(complaint(with(gpt2_json(), key, true)) ==
              std::string("c.json: ") + key + ": found true, expected false");
    CHECK(contains(complaint(with(llama_json(), "hidden_act", "gelu")), "hidden_act: found"));
    CHECK(contains(complaint(with(llama_json(), "quantization_config", json::object())),
                   "quantization_config"));
    for (const char* type : {"dynamic", "yarn", "longrope", "mrope"})
        CHECK(contains(
            complaint(with(llama_json(), "rope_scaling", {{"rope_type", type}, {"factor", 2.0}})),
            "rope_scaling: rope_type: found \"" + std::string(type)));
    CHECK(contains(complaint(with(llama_json(), "partial_rotary_factor", 0.5)), "found 0.5"));
}

TEST_CASE("config_from_json: windows are refused unless no row can outgrow them") {
    const json mistral = llama_json("mistral");
    CHECK(complaint(mistral) == "");
    CHECK(contains(complaint(with(mistral, "sliding_window", 63)), "sliding_window: found 63"));
    CHECK(complaint(with(mistral, "sliding_window", 64)) == "");
    json absent = with(mistral, "max_position_embeddings", 8192);
    absent.erase("sliding_window");  // transformers then takes 4096
    CHECK(contains(complaint(absent), "sliding_window: found nothing"));
    CHECK(contains(complaint(with(llama_json("qwen2"), "use_sliding_window", true)),
                   "use_sliding_window"));
    CHECK(complaint(with(llama_json("qwen2"), "sliding_window", 4)) == "");  // not in use
    CHECK(contains(complaint(with(llama_json("qwen3"), "layer_types",
                                  {"full_attention", "sliding_attention"})),
                   "layer_types"));
}

TEST_CASE("config_from_json: sizes that cannot be true are refused") {
    for (const char* key :
         {"vocab_size", "hidden_size", "num_hidden_layers", "intermediate_size",
          "num_attention_heads", "num_key_value_heads", "head_dim", "max_position_embeddings"}) {
        CAPTURE(key);
        for (const json& value : {json(0), json(-1), json(int64_t{1} << 40), json(2.5), json("8")})
            CHECK(
                contains(complaint(with(llama_json(), key, value)), std::string(key) + ": found"));
    }
    json missing = llama_json();
    missing.erase("vocab_size");
    CHECK(complaint(missing) == "c.json: vocab_size: missing, expected an integer");
    CHECK(contains(complaint(with(llama_json(), "num_attention_heads", 5)), "a divisor of hidden"));
    CHECK(
        contains(complaint(with(llama_json(), "num_key_value_heads", 4)), "a divisor of num_att"));
    CHECK(contains(complaint(with(llama_json(), "head_dim", 5)), "found 5, expected an even"));
    CHECK(contains(complaint(with(gpt2_json(), "n_head", 4)), "a divisor of n_embd = 30"));
    CHECK(contains(complaint(with(llama_json(), "rms_norm_eps", 0)), "rms_norm_eps: found 0"));
    json huge = with(with(llama_json(), "hidden_size", 1 << 20), "intermediate_size", 1 << 24);
    huge["num_hidden_layers"] = 4096;
    huge["head_dim"] = 4;
    CHECK(contains(complaint(huge), "its sizes make more than"));
}

TEST_CASE("config_to_json: an unchanged model keeps every key, and its order") {
    for (const std::string& folder : kFolders) {
        CAPTURE(folder);
        const ModelConfig config = read_config(kModels / folder / "config.json");
        const json before = json::parse(config.raw_json);
        CHECK(json::parse(config_to_json(config, TensorType::f32)) == before);
        const json after = json::parse(config_to_json(config, TensorType::bf16));
        CHECK(after["dtype"] == "bfloat16");
        CHECK(after.size() == before.size());
        CHECK(without_text(rewritten(config)) == without_text(config));
    }
}

TEST_CASE("config_to_json: changed fields are written so that they read back") {
    for (const std::string& folder : kFolders) {
        CAPTURE(folder);
        ModelConfig config = read_config(kModels / folder / "config.json");
        config.num_layers = 1;
        config.vocab_size += 3;
        config.eos_ids = {1, 2};
        config.tied_head = !config.tied_head;
        config.hidden *= 2;
        config.head_dim *= 2;
        config.intermediate -= 3;
        if (config.positions == Positions::rope) config.rope_theta = 777.0;
        CHECK(without_text(rewritten(config)) == without_text(config));
    }
    ModelConfig derived = read(gpt2_json());  // n_inner is null: four times n_embd
    derived.hidden = 60;
    derived.head_dim = 20;
    CHECK(without_text(rewritten(derived)) == without_text(derived));
}

TEST_CASE("config_to_json: what Fettle does not interpret is kept, the architecture is set") {
    json base = with(gpt2_json(), "architectures", {"GPT2Model"});
    base["torch_dtype"] = "float16";
    const json after = json::parse(config_to_json(read(base), TensorType::bf16));
    CHECK(after["resid_pdrop"] == 0.1);
    CHECK(after["architectures"] == json{"GPT2LMHeadModel"});
    CHECK(after["torch_dtype"] == "bfloat16");
    CHECK_FALSE(after.contains("dtype"));
}

TEST_CASE("config_to_json: what a family's file cannot say is our own mistake") {
    ModelConfig config = read(llama_json("mistral"));
    config.qkv_bias = true;
    CHECK_THROWS_AS(config_to_json(config, TensorType::f32), Error);
}

TEST_CASE("preset_config: GPT-2's four sizes, written and read back") {
    for (const char* name : {"gpt2", "gpt2-medium", "gpt2-large", "gpt2-xl"}) {
        CAPTURE(name);
        const ModelConfig config = *preset_config(name);
        CHECK(without_text(rewritten(config)) == config);
    }
    CHECK(preset_config("gpt2-xl")->head_dim == 64);
    CHECK_FALSE(preset_config("gpt3").has_value());
}

TEST_CASE("read_config: a missing or broken file is named") {
    const TemporaryFolder folder;
    CHECK(contains(input_error([&] { read_config(folder / "config.json"); }), "cannot be opened"));
    put(folder / "config.json", "{\"model_type\": \"gpt2\"");
    CHECK(contains(input_error([&] { read_config(folder / "config.json"); }), "config.json: byte"));
    put(folder / "config.json", "[]");
    CHECK(contains(input_error([&] { read_config(folder / "config.json"); }), "a JSON object"));
}
