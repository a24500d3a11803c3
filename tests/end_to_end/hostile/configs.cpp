// config.json with every number of it wrong in every way, and what Fettle does not compute.

#include <nlohmann/json.hpp>

#include "kernels/core/check.h"
#include "tests/end_to_end/hostile/hostile.h"

namespace {

using Json = nlohmann::ordered_json;

constexpr const char* kKind = "config";

Json right_gpt2() {
    return {{"model_type", "gpt2"},
            {"activation_function", "gelu_new"},
            {"vocab_size", 300},
            {"n_positions", 64},
            {"n_embd", 32},
            {"n_layer", 2},
            {"n_head", 2},
            {"n_inner", 64},
            {"bos_token_id", 0},
            {"eos_token_id", 0},
            {"pad_token_id", 0},
            {"layer_norm_epsilon", 1e-05},
            {"initializer_range", 0.02}};
}

Json right_llama() {
    return {{"model_type", "llama"},    {"hidden_act", "silu"},
            {"vocab_size", 300},        {"hidden_size", 32},
            {"intermediate_size", 64},  {"num_hidden_layers", 1},
            {"num_attention_heads", 2}, {"num_key_value_heads", 2},
            {"head_dim", 16},           {"max_position_embeddings", 64},
            {"rms_norm_eps", 1e-6},     {"rope_theta", 10000.0}};
}

class Cases {
public:
    explicit Cases(Hostile& out) : out_(out) {}

    void write() {
        out_.add("right_config", "gpt2", "", ".json", right_gpt2().dump());
        out_.add("right_config", "llama", "", ".json", right_llama().dump());
        for (const char* key : {"n_layer", "n_embd", "n_head", "n_positions", "vocab_size"})
            wrong_size(right_gpt2(), key, /*needed=*/true);
        wrong_size(right_gpt2(), "n_inner", /*needed=*/false);
        for (const char* key : {"hidden_size", "intermediate_size", "num_hidden_layers",
                                "num_attention_heads", "max_position_embeddings"})
            wrong_size(right_llama(), key, /*needed=*/true);
        wrong_size(right_llama(), "num_key_value_heads", /*needed=*/false);
        wrong_size(right_llama(), "head_dim", /*needed=*/false);
        wrong_number(right_gpt2(), "layer_norm_epsilon");
        wrong_number(right_llama(), "rms_norm_eps");
        wrong_number(right_llama(), "rope_theta");
        for (const char* key : {"bos_token_id", "eos_token_id", "pad_token_id"}) wrong_id(key);
        kinds();
        rope();
        windows();
        together();
        documents();
    }

private:
    void with(const Json& right, const std::string& name, const std::string& texts,
              const std::string& key, const Json& value) {
        Json json = right;
        json[key] = value;
        out_.add(kKind, name, texts, ".json", json.dump());
    }
    void gpt2(const std::string& name, const std::string& texts, const std::string& key,
              const Json& value) {
        with(right_gpt2(), name, texts, key, value);
    }
    void llama(const std::string& name, const std::string& texts, const std::string& key,
               const Json& value) {
        with(right_llama(), name, texts, key, value);
    }

    void wrong_size(const Json& right, const std::string& key, bool needed) {
        for (const Json& value :
             {Json(0), Json(-1), Json(1'000'000'000), Json(INT64_MIN), Json(UINT64_MAX)})
            with(right, key + " of " + value.dump(), key + "|expected", key, value);
        with(right, key + " of 1e308", key + "|1e+308|integer", key, 1e308);
        with(right, key + " of 2.0", key + "|2.0|integer", key, 2.0);
        with(right, key + " in words", key + "|two|integer", key, "two");
        with(right, key + " as a list", key + "|[2]|integer", key, Json::array({2}));
        with(right, key + " that is true", key + "|true|integer", key, true);
        if (!needed) return;
        with(right, key + " that is null", key + "|missing", key, nullptr);
        Json json = right;
        json.erase(key);
        out_.add(kKind, "no " + key, key + "|missing", ".json", json.dump());
    }
    void wrong_number(const Json& right, const std::string& key) {
        for (const Json& value :
             {Json(0), Json(-1), Json("small"), Json::array({1e-5}), Json(true)})
            with(right, key + " of " + value.dump(), key + "|expected", key, value);
    }
    void wrong_id(const std::string& key) {
        for (const Json& value : {Json(-2), Json(int64_t{1} << 31), Json(UINT64_MAX), Json(0.5),
                                  Json("<s>"), Json(300), Json(1'000'000'000)})
            with(key == "pad_token_id" ? right_llama() : right_gpt2(),  // GPT-2's is not used
                 key + " of " + value.dump(), key + "|expected", key, value);
    }

    void kinds();
    void rope();
    void windows();
    void together();
    void documents();

    Hostile& out_;
};

void Cases::kinds() {
    for (const Json& value : {Json("bert"), Json(""), Json(std::string(1000, 'x')), Json("GPT2")})
        gpt2("a model_type of " + value.dump().substr(0, 12), "model_type|gpt2, llama",
             "model_type", value);
    for (const Json& value : {Json(7), Json(nullptr), Json::array({"gpt2"})})
        gpt2("a model_type of " + value.dump(), "model_type|string", "model_type", value);
    for (const char* value : {"relu", "gelu", "swish", ""})
        gpt2(std::string("an activation called \"") + value + "\"", "activation_function|gelu_new",
             "activation_function", value);
    for (const char* value : {"relu", "gelu", "gelu_new", ""})
        llama(std::string("a gate called \"") + value + "\"", "hidden_act|silu", "hidden_act",
              value);
    llama("an activation that is a number", "hidden_act|3|string", "hidden_act", 3);
    gpt2("attention that is not scaled", "scale_attn_weights|true", "scale_attn_weights", false);
    gpt2("attention scaled by the layer", "scale_attn_by_inverse_layer_idx|false",
         "scale_attn_by_inverse_layer_idx", true);
    gpt2("attention to another text", "add_cross_attention|false", "add_cross_attention", true);
    gpt2("a switch that is a number", "add_cross_attention|1|true or false", "add_cross_attention",
         1);
    gpt2("a tie in words", "tie_word_embeddings|true or false", "tie_word_embeddings", "yes");
    gpt2("quantised weights", "quantization_config|quantised", "quantization_config",
         {{"bits", 4}});
    gpt2("a negative spread", "initializer_range|-1", "initializer_range", -1);
}

void Cases::rope() {
    for (const char* type : {"yarn", "dynamic", "longrope", "su", "mrope", "", "Linear"})
        llama(std::string("RoPE of type \"") + type + "\"", "rope_type|default, linear or llama3",
              "rope_scaling", {{"rope_type", type}, {"factor", 2.0}});
    llama("RoPE of an old type", "type|yarn|linear", "rope_scaling",
          {{"type", "yarn"}, {"factor", 2.0}});
    llama("RoPE whose type is a number", "rope_type|7|string", "rope_scaling",
          {{"rope_type", 7}, {"factor", 2.0}});
    llama("RoPE that is a list", "rope_scaling|object", "rope_scaling", {1, 2});
    for (const Json& factor : {Json(nullptr), Json(0), Json(-2), Json(0.5), Json("two")})
        llama("linear RoPE of factor " + factor.dump(), "rope_scaling|factor", "rope_scaling",
              {{"rope_type", "linear"}, {"factor", factor}});
    const Json right = {{"rope_type", "llama3"},
                        {"factor", 8.0},
                        {"low_freq_factor", 1.0},
                        {"high_freq_factor", 4.0},
                        {"original_max_position_embeddings", 32}};
    const auto llama3 = [&](const std::string& key, const Json& value) {
        Json changed = right;
        changed[key] = value;
        llama("llama3's RoPE with " + key + " of " + value.dump(), "rope_scaling|" + key,
              "rope_scaling", changed);
    };
    llama3("factor", 0.0);
    llama3("low_freq_factor", 0.0);
    llama3("low_freq_factor", nullptr);
    llama3("high_freq_factor", 1.0);
    llama3("high_freq_factor", nullptr);
    llama3("original_max_position_embeddings", 0);
    llama3("original_max_position_embeddings", 1.5);
    llama("RoPE on half a head", "partial_rotary_factor|0.5|1", "partial_rotary_factor", 0.5);
    llama("RoPE on half a head, in rope_parameters", "rope_parameters|partial_rotary_factor|0.5",
          "rope_parameters", {{"rope_type", "default"}, {"partial_rotary_factor", 0.5}});
    llama("two kinds of RoPE", "rope_parameters|full_attention", "rope_parameters",
          {{"full_attention", {{"rope_type", "default"}}}});
}

void Cases::windows() {
    Json mistral = right_llama();
    mistral["model_type"] = "mistral";
    for (const Json& window : {Json(0), Json(1), Json(63), Json(-1), Json("none"), Json(1.5)})
        with(mistral, "a window of " + window.dump(), "sliding_window", "sliding_window", window);
    mistral["max_position_embeddings"] = 8192;
    out_.add(kKind, "Mistral's own window", "sliding_window|nothing|max_position_embeddings",
             ".json", mistral.dump());
    for (const char* family : {"qwen2", "qwen3"}) {
        Json qwen = right_llama();
        qwen["model_type"] = family;
        with(qwen, std::string(family) + "'s window", "use_sliding_window|false",
             "use_sliding_window", true);
        with(qwen, std::string(family) + " with layers of windows",
             "layer_types|sliding_attention|full_attention", "layer_types",
             {"full_attention", "sliding_attention"});
        with(qwen, std::string(family) + " with layers of numbers", "layer_types|strings",
             "layer_types", {1, 2});
    }
}

void Cases::together() {
    gpt2("heads that do not divide", "n_head|3|32", "n_head", 3);
    gpt2("heads wider than attention's tiles", "head_dim|512|256", "n_embd", 1024);
    llama("key heads that do not divide", "num_key_value_heads|3|2", "num_key_value_heads", 3);
    llama("an odd head", "head_dim|15|even", "head_dim", 15);
    llama("a head of 258", "head_dim|258|256", "head_dim", 258);
    Json wide = right_gpt2();
    wide["n_layer"] = 4096;
    wide["n_embd"] = 1 << 20;
    wide["n_head"] = 1 << 16;
    wide["n_inner"] = 1 << 24;
    out_.add(kKind, "parameters beyond any machine", "parameters", ".json", wide.dump());
    Json many = right_llama();
    many["num_attention_heads"] = many["num_key_value_heads"] = 1 << 16;
    many["head_dim"] = 1 << 16;
    out_.add(kKind, "queries beyond counting", "expected", ".json", many.dump());
}

void Cases::documents() {
    const std::string text = right_gpt2().dump();
    const auto document = [&](const std::string& name, const std::string& texts,
                              const std::string& bytes) {
        out_.add(kKind, name, texts, ".json", bytes);
    };
    document("an empty file", "JSON", "");
    document("a list", "object", "[" + text + "]");
    document("a number", "object", "7");
    document("null", "object", "null");
    document("half a document", "JSON", text.substr(0, text.size() / 2));
    document("two documents", "JSON", text + text);
    document("a key twice", "vocab_size|twice", "{\"vocab_size\": 1, " + text.substr(1));
    document("brackets", "deep", std::string(1'000'000, '['));
    document("objects in objects", "deep", [] {
        std::string nest;
        for (int i = 0; i < 100'000; ++i) nest += "{\"a\":";
        return nest;
    }());
    document("more than a config may hold", "bytes", text + std::string(17 << 20, ' '));
    document("a number beyond double", "JSON", "{\"n_layer\": 1e999}");
    document("a number of 100000 digits", "overflow",
             "{\"model_type\": \"gpt2\", \"vocab_size\": " + std::string(100'000, '9') + "}");
    document("an invalid character", "JSON", "{\"a\": \"\xff\"}");
    document("a surrogate alone", "JSON", R"({"a": "\ud800"})");
    document("a zero byte", "JSON", std::string("{\"a\": \0}", 8));
    document("another encoding", "JSON", std::string("\xff\xfe{\0}\0", 6));
    document("comments", "JSON", "// a\n" + text);
    document("20000 keys that mean nothing", "10000 keys", [&] {
        std::string keys = "{";
        for (int i = 0; i < 20'000; ++i) keys += fmt::format("\"key{}\": 1, ", i);
        return keys + text.substr(1);
    }());
    document("a key of a million bytes", "model_type",
             "{\"" + std::string(1'000'000, 'k') + "\": 1}");
}

}  // namespace

void write_hostile_configs(Hostile& out) { Cases(out).write(); }
