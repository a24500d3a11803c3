#include "model/io/import_llama2c.h"

#include <array>
#include <cmath>
#include <cstring>
#include <map>

#include "kernels/core/check.h"
#include "model/parameters.h"

namespace {

constexpr size_t kHeaderBytes = 7 * sizeof(int32_t);
constexpr uint32_t kLaterMagic = 0x616b3432;  // "ak42", with which versions 1 and 2 start

template <typename T>
T load(std::span<const std::byte> bytes, size_t offset) {
    T value;
    std::memcpy(&value, bytes.data() + offset, sizeof(T));
    return value;
}

// The tensors of the file in its order: one of all layers after the other.
constexpr const char* kStored[] = {
    "self_attn.q_proj",         "self_attn.k_proj", "self_attn.v_proj", "self_attn.o_proj",
    "post_attention_layernorm", "mlp.gate_proj",    "mlp.down_proj",    "mlp.up_proj"};

std::vector<std::string> stored_order(const ModelConfig& config) {
    std::vector<std::string> names = {"model.embed_tokens.weight"};
    const auto add_layers = [&](const char* name) {
        for (int layer = 0; layer < config.num_layers; ++layer)
            names.push_back(fmt::format("model.layers.{}.{}.weight", layer, name));
    };
    add_layers("input_layernorm");
    for (const char* name : kStored) add_layers(name);
    names.push_back("model.norm.weight");
    if (!config.tied_head) names.push_back("lm_head.weight");
    return names;
}

// Cosines and sines of every position, between the last norm and the head: computed anew.
int64_t skipped_bytes(const ModelConfig& config) {
    return int64_t{config.max_positions} * config.head_dim * static_cast<int64_t>(sizeof(float));
}

// llama2.c's own names for what SentencePiece calls <s> and </s>, and spaces for U+2581.
std::string token_text(std::string_view stored, int id) {
    if (id == 1 && stored == "\n<s>\n") return "<s>";
    if (id == 2 && stored == "\n</s>\n") return "</s>";
    std::string text;
    for (const char c : stored)
        if (c == ' ')
            text += "\u2581";
        else
            text += c;
    return text;
}

ForeignTokenizer::Role role_of(int id) {
    if (id == 0) return ForeignTokenizer::Role::unknown;
    if (id < 3) return ForeignTokenizer::Role::control;
    return id < 3 + 256 ? ForeignTokenizer::Role::byte : ForeignTokenizer::Role::normal;
}

// Sizes as the header has them; each is checked alone.
ModelConfig sizes_from_header(std::span<const std::byte> file, const std::string& source) {
    const auto field = [&](size_t index, const char* name, int64_t limit) {
        const int64_t value = load<int32_t>(file, index * sizeof(int32_t));
        ENSURE_INPUT(value >= 1 && value <= limit, source, "{}: found {}, expected 1 to {}", name,
                     value, limit);
        return static_cast<int>(value);
    };
    ModelConfig config;
    config.hidden = field(0, "dim", 1 << 20);
    config.intermediate = field(1, "hidden_dim", 1 << 24);
    config.num_layers = field(2, "n_layers", 4096);
    config.num_heads = field(3, "n_heads", 1 << 16);
    config.num_kv_heads = field(4, "n_kv_heads", 1 << 16);
    config.max_positions = field(6, "seq_len", 1 << 28);
    const int64_t vocabulary = load<int32_t>(file, 5 * sizeof(int32_t));
    config.tied_head = vocabulary > 0;  // a negative size announces a head of its own
    config.vocab_size = static_cast<int>(std::abs(vocabulary));
    ENSURE_INPUT(vocabulary != 0 && std::abs(vocabulary) <= 1 << 24, source,
                 "vocab_size: found {}, expected 1 to {}, or its negative", vocabulary, 1 << 24);
    return config;
}

}  // namespace

ModelConfig config_from_llama2c(std::span<const std::byte> file, const std::string& source) {
    ENSURE_INPUT(file.size() >= kHeaderBytes, source, "found {} bytes, expected a header of {}",
                 file.size(), kHeaderBytes);
    ENSURE_INPUT(load<uint32_t>(file, 0) != kLaterMagic, source,
                 "found a file of version {}, expected the first form, without a magic number "
                 "(llama2.c's export.py --version 0 writes it)",
                 load<int32_t>(file, 4));
    ModelConfig config = sizes_from_header(file, source);
    config.model_type = "llama";
    ENSURE_INPUT(config.hidden % (2 * config.num_heads) == 0, source,
                 "n_heads: found {}, expected heads of an even size from dim {}", config.num_heads,
                 config.hidden);
    ENSURE_INPUT(config.num_heads % config.num_kv_heads == 0, source,
                 "n_kv_heads: found {}, expected a divisor of the {} heads", config.num_kv_heads,
                 config.num_heads);
    config.head_dim = config.hidden / config.num_heads;
    config.norm = Norm::rms;
    config.norm_epsilon = 1e-5;
    config.activation = Activation::swiglu;
    config.positions = Positions::rope;
    config.bos_id = 1;
    config.eos_ids = {2};
    try {  // sizes were checked alone; together they must not describe what no machine holds
        config_to_json(config, TensorType::f32);
    } catch (const InputError& error) {
        throw InputError(fmt::format("{}: as {}", source, error.what()));
    }
    return config;
}

std::vector<ForeignTensor> tensors_from_llama2c(std::span<const std::byte> file,
                                                const ModelConfig& config,
                                                const std::string& source) {
    // The smallest file these sizes allow, before a table of that many layers is made.
    ENSURE_INPUT(static_cast<int64_t>(file.size()) / config.num_layers >= 4 * config.hidden, source,
                 "found {} bytes, expected {} layers of dim {}", file.size(), config.num_layers,
                 config.hidden);
    const ParameterTable table(config);
    const int64_t expected =
        static_cast<int64_t>(kHeaderBytes) + 4 * table.num_parameters() + skipped_bytes(config);
    ENSURE_INPUT(static_cast<int64_t>(file.size()) == expected, source,
                 "found {} bytes, expected {}: {} parameters and the table of {} positions",
                 file.size(), expected, table.num_parameters(), config.max_positions);

    std::vector<ForeignTensor> tensors(static_cast<size_t>(table.size()));
    int64_t position = kHeaderBytes;
    for (const std::string& name : stored_order(config)) {
        if (name == "lm_head.weight") position += skipped_bytes(config);
        const int index = table.index_of(name);
        const int64_t bytes = 4 * table[index].count;
        const bool turns = name.ends_with("q_proj.weight") || name.ends_with("k_proj.weight");
        tensors[static_cast<size_t>(index)] = {
            .name = "tensor " + name,
            .type = BlockType::f32,
            .layout = turns ? ForeignTensor::Layout::rotary_pairs : ForeignTensor::Layout::as_is,
            .bytes = file.subspan(static_cast<size_t>(position), static_cast<size_t>(bytes))};
        position += bytes;
    }
    return tensors;
}

ForeignTokenizer tokenizer_from_llama2c(std::span<const std::byte> file, int vocab_size,
                                        const std::string& source) {
    ForeignTokenizer tokenizer;
    tokenizer.kind = ForeignTokenizer::Kind::sentence_piece;
    tokenizer.source = source;
    tokenizer.unknown = 0;
    tokenizer.bos = 1;
    tokenizer.eos = 2;
    tokenizer.adds_bos = tokenizer.adds_space_prefix = true;
    ENSURE_INPUT(vocab_size >= 3 + 256, source,
                 "found a model of {} tokens, expected at least 259: three special ones and 256 "
                 "bytes",
                 vocab_size);

    ENSURE_INPUT(file.size() >= 4, source, "found {} bytes, expected a longest token first",
                 file.size());
    const auto longest = load<int32_t>(file, 0);
    size_t position = 4;
    for (int id = 0; id < vocab_size; ++id) {
        ENSURE_INPUT(file.size() - position >= 8, source,
                     "ends at token {}, expected the model's {} tokens", id, vocab_size);
        const auto score = load<float>(file, position);
        const auto length = load<int32_t>(file, position + 4);
        position += 8;
        ENSURE_INPUT(std::isfinite(score), source, "token {}: found score {}, expected a number",
                     id, score);
        ENSURE_INPUT(length >= 0 && length <= longest &&
                         static_cast<size_t>(length) <= file.size() - position,
                     source,
                     "token {}: found a length of {}, expected at most {} and {} bytes left", id,
                     length, longest, file.size() - position);
        const std::string_view text(reinterpret_cast<const char*>(file.data() + position),
                                    static_cast<size_t>(length));
        position += static_cast<size_t>(length);
        tokenizer.tokens.push_back(token_text(text, id));
        tokenizer.scores.push_back(score);
        tokenizer.roles.push_back(role_of(id));
    }
    ENSURE_INPUT(position == file.size(), source,
                 "found {} bytes, expected {}: {} tokens end there", file.size(), position,
                 vocab_size);
    return tokenizer;
}

Imported import_llama2c(const ImportLlama2c& args) {
    const MappedFile weights(args.model), tokens(args.tokenizer);
    ImportedModel model;
    model.source = args.model.string();
    model.config = config_from_llama2c(weights.bytes(), model.source);
    model.tensors = tensors_from_llama2c(weights.bytes(), model.config, model.source);
    model.tokenizer =
        tokenizer_from_llama2c(tokens.bytes(), model.config.vocab_size, args.tokenizer.string());
    write_imported(model, {args.type}, args.output_dir);
    return {.model_type = model.config.model_type,
            .num_parameters = ParameterTable(model.config).num_parameters()};
}
