// Quantised weights in a model folder: kept, computed with, and turned into floats again.

#include "model/io/quantized_tensor.h"

#include <map>

#include "kernels/core/check.h"
#include "model/io/convert.h"
#include "model/io/hugging_face.h"
#include "model/io/imported_model.h"
#include "model/io/safetensors.h"
#include "model/transformer.h"
#include "tests/support/devices.h"
#include "tests/support/doctest.h"
#include "tests/support/random_blocks.h"
#include "tests/support/temporary_folder.h"

namespace {

using Layout = ForeignTensor::Layout;

// GPT-2's matrices lie [in, out] in a table, Llama's rows of q and k come apart.
ModelConfig config_of(const std::string& family) {
    ModelConfig config = *preset_config("gpt2");
    config.vocab_size = 258;
    config.num_layers = 2;
    config.hidden = 64;
    config.num_heads = config.num_kv_heads = 4;
    config.head_dim = 16;
    config.intermediate = 96;
    config.max_positions = 32;
    config.bos_id = 0;
    config.eos_ids = {1};
    if (family == "gpt2") return config;
    config.model_type = "llama";
    config.num_kv_heads = 2;
    config.norm = Norm::rms;
    config.activation = Activation::swiglu;
    config.positions = Positions::rope;
    return config;
}

// Matrices are blocks of several types, among them one of floats; vectors are floats.
struct BlockModel {
    explicit BlockModel(const std::string& family) {
        model.source = "m.gguf";
        model.config = config_of(family);
        const ParameterTable table(model.config);
        for (int p = 0; p < table.size(); ++p) add(p, table[p]);
        model.tokenizer.source = "m.gguf";
    }

    void add(int p, const Parameter& parameter) {
        const std::string& name = parameter.name;
        const auto has = [&](const char* part) { return name.find(part) != std::string::npos; };
        const auto seed = static_cast<uint64_t>(p) + 1;
        const bool matrix = parameter.shape.size() == 2;
        ForeignTensor tensor;
        tensor.name = name;
        if (parameter.transposed) tensor.layout = Layout::transposed;
        if (has("q_proj") || has("k_proj")) tensor.layout = Layout::rotary_pairs;
        if (!matrix || has("wpe") || has("layers.1.self_attn.k_proj")) {
            floats[p] = normal<float>(parameter.count, matrix ? 0.0 : 1.0, 0.1, seed);
            tensor.bytes = std::as_bytes(std::span<const float>(floats[p]));
        } else {
            const BlockType types[] = {BlockType::q8_0, BlockType::q4_1, BlockType::q5_0};
            tensor.type = types[p % 3];
            blocks[p] = random_blocks(tensor.type, parameter.count, seed);
            tensor.bytes = blocks[p];
        }
        model.tensors.push_back(tensor);
    }

    // The weights alone, with the config.
    void write(const std::filesystem::path& folder, bool keep_quantized) const {
        std::filesystem::create_directory(folder);
        write_imported_weights(model, {TensorType::f32, keep_quantized},
                               folder / (keep_quantized ? kQuantizedFile : "model.safetensors"));
        put(folder / "config.json", config_to_json(model.config, TensorType::f32));
    }

    ImportedModel model;
    std::map<int, std::vector<float>> floats;
    std::map<int, std::vector<std::byte>> blocks;
};

template <typename T>
std::vector<float> logits_of(const ModelFolder& folder, const std::vector<int32_t>& tokens) {
    const ParameterTable table = parameter_table<T>(folder);
    ParameterStore<T> store(table);
    store.allocate(Role::weight);
    load_weights(folder, store);
    const auto count = static_cast<int64_t>(tokens.size());
    Transformer<T> model(folder.config, store, {.tokens = count, .longest_row = count});
    Batch batch;
    batch.append_row(tokens, {}, 0);
    model.forward(batch);
    std::vector<float> out(tokens.size() * static_cast<size_t>(folder.config.vocab_size));
    model.logits(0, count, out.data());
    return out;
}

}  // namespace

TEST_CASE("quantised weights: logits are those of the weights that the blocks stand for") {
    for (const std::string family : {"llama", "gpt2"}) {
        CAPTURE(family);
        const TemporaryFolder folder;
        const BlockModel model(family);
        model.write(folder / "blocks", true);
        model.write(folder / "floats", false);
        const ModelFolder blocks = open_model_folder(folder / "blocks");
        const ModelFolder floats = open_model_folder(folder / "floats");
        const ParameterTable table = parameter_table<float>(blocks);
        CHECK(table.any_quantized());
        CHECK_FALSE(parameter_table<float>(floats).any_quantized());
        CHECK_FALSE(parameter_table<bf16>(blocks).any_quantized());
        CHECK(std::filesystem::file_size(folder / "blocks" / kQuantizedFile) <
              std::filesystem::file_size(folder / "floats" / "model.safetensors") / 3);
        const std::vector<int32_t> few = {3, 200, 7};
        std::vector<int32_t> many;
        for (int i = 0; i < 20; ++i) many.push_back(i * 11 % 258);
        for (const auto& tokens : {few, many}) {
            CHECK(max_relative_error(logits_of<float>(blocks, tokens),
                                     logits_of<float>(floats, tokens)) < 1e-5);
            CHECK(same_bits(logits_of<bf16>(blocks, tokens), logits_of<bf16>(floats, tokens)));
        }
    }
}

TEST_CASE("quantised weights: a table of floats is filled with what the blocks stand for") {
    for (const std::string family : {"llama", "gpt2"}) {
        CAPTURE(family);
        const TemporaryFolder folder;
        const BlockModel model(family);
        model.write(folder / "blocks", true);
        model.write(folder / "floats", false);
        CHECK(stored_type(open_model_folder(folder / "blocks")) == TensorType::f32);
        convert_model({.model = (folder / "blocks").string(),
                       .output_dir = folder / "converted",
                       .type = TensorType::f32});
        for (const char* file : {"model.safetensors", "config.json"}) {
            const bool same = get(folder / "converted" / file) == get(folder / "floats" / file);
            CHECK(same);
        }
    }
}

TEST_CASE("quantised weights: a tied head stays one matrix with the embedding") {
    const TemporaryFolder folder;
    const BlockModel model("llama");
    REQUIRE(model.model.config.tied_head);
    model.write(folder / "blocks", true);
    const ModelFolder blocks = open_model_folder(folder / "blocks");
    const ParameterTable table = parameter_table<float>(blocks);
    ParameterStore<float> store(table);
    store.allocate(Role::weight);
    load_weights(blocks, store);
    const int head = table.index_of("lm_head.weight");
    CHECK(table[head].quantized);
    CHECK(store.quantized(head).blocks == store.quantized(0).blocks);
    CHECK_THROWS_AS(store.weight(head), Error);
    CHECK(store.bytes() < 258 * 64 * 4 + 2 * 64 * 64 * 4);
}

TEST_CASE("quantised weights: names, shapes, types and values that are wrong are named") {
    const TemporaryFolder folder;
    const BlockModel model("llama");
    const std::string down = "model.layers.0.mlp.down_proj.weight";
    const auto complaint = [&](const std::string& name, TensorType type, std::vector<int64_t> shape,
                               int byte,
                               const std::string& from = "model.layers.0.mlp.down_proj.weight") {
        std::filesystem::remove_all(folder / "m");
        model.write(folder / "m", true);
        const SafetensorsFile file(folder / "m" / kQuantizedFile);
        std::vector<TensorToWrite> tensors;
        for (const StoredTensor& tensor : file.tensors()) {
            const bool changed = tensor.name.starts_with(from);
            TensorToWrite copy{changed ? name : tensor.name, changed ? type : tensor.type,
                               changed ? shape : tensor.shape,
                               [=](int64_t, std::span<std::byte> out) {
                                   for (size_t i = 0; i < out.size(); ++i)
                                       out[i] = changed && byte >= 0      ? std::byte(byte)
                                                : i < tensor.bytes.size() ? tensor.bytes[i]
                                                                          : std::byte(0);
                               }};
            tensors.push_back(std::move(copy));
        }
        write_safetensors(folder / "changed", std::move(tensors));
        std::filesystem::rename(folder / "changed", folder / "m" / kQuantizedFile);
        return input_error([&] { logits_of<float>(open_model_folder(folder / "m"), {1, 2}); });
    };
    const auto told = [](const std::string& text, const std::string& part) {
        CAPTURE(text);
        CHECK(text.find(part) != std::string::npos);
    };
    CHECK(complaint(down + ".Q8_0", TensorType::u8, {64, 3 * 34}, 1) == "");
    told(complaint(down + ".Q8_0", TensorType::u8, {64, 34}, 1),
         "shape [64, 34], expected [64, 102]");
    told(complaint(down + ".Q8_0", TensorType::i8, {64, 3 * 34}, 1), "found type I8, expected U8");
    told(complaint(down + ".Q6_K", TensorType::u8, {64, 3 * 34}, 1),
         "found Q6_K blocks of 256 weights for rows of 96");
    told(complaint(down + ".Q9_0", TensorType::u8, {64, 3 * 34}, 1),
         "is not part of the model that config.json describes");
    told(complaint(down, TensorType::u8, {64, 96}, 1), "found type U8, expected F32");
    told(complaint("model.norm.weight.Q8_0", TensorType::u8, {1, 68}, 1, "model.norm.weight"),
         "found Q8_0 blocks, expected a vector");
    told(complaint(down + ".Q8_0", TensorType::u8, {64, 3 * 34}, 0x7c),
         "block 0 has a scale that is not finite");
}

TEST_CASE("quantised weights: names of blocks, and of anything else") {
    CHECK(quantized_name("a.weight", BlockType::q4_k) == "a.weight.Q4_K");
    const auto name = parse_quantized_name("a.weight.Q4_K");
    REQUIRE(name);
    CHECK(name->parameter == "a.weight");
    CHECK(name->type == BlockType::q4_k);
    for (const char* other : {"a.weight", "a.weight.F32", "a.weight.q4_k", "Q4_K", "", "."})
        CHECK_FALSE(parse_quantized_name(other));
}
