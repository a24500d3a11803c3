// Weights on their way from another program's layout into a model folder.

#include "model/io/imported_model.h"

#include <limits>
#include <nlohmann/json.hpp>

#include "kernels/core/check.h"
#include "model/io/hugging_face.h"
#include "model/io/json.h"
#include "model/io/safetensors.h"
#include "model/text/byte_alphabet.h"
#include "tests/support/doctest.h"
#include "tests/support/temporary_folder.h"

namespace {

using Layout = ForeignTensor::Layout;

ModelConfig llama_config(int hidden) {
    ModelConfig config;
    config.model_type = "llama";
    config.vocab_size = 258;
    config.num_layers = 1;
    config.hidden = hidden;
    config.num_heads = 4;
    config.num_kv_heads = 2;
    config.head_dim = hidden / 4;
    config.intermediate = 3;
    config.max_positions = 8;
    config.norm = Norm::rms;
    config.activation = Activation::swiglu;
    config.positions = Positions::rope;
    config.qkv_bias = config.attention_out_bias = true;
    config.tied_head = true;
    config.bos_id = 0;
    config.eos_ids = {1, 257};
    return config;
}

// A model whose tensor p holds (p + 1) * 2^20 + 0, 1, 2 ... as stored.
struct CountingModel {
    explicit CountingModel(const ModelConfig& config) {
        const ParameterTable table(config);
        model.source = "m.gguf";
        model.config = config;
        for (int p = 0; p < table.size(); ++p) {
            auto& stored = values.emplace_back();
            for (int64_t i = 0; i < table[p].count; ++i)
                stored.push_back(static_cast<float>((p + 1) * 1048576 + i));
        }
        for (int p = 0; p < table.size(); ++p) {
            const bool turns = table[p].name.find("q_proj") != std::string::npos ||
                               table[p].name.find("k_proj") != std::string::npos;
            model.tensors.push_back(
                {.name = table[p].name,
                 .layout = table[p].transposed ? Layout::transposed
                           : turns             ? Layout::rotary_pairs
                                               : Layout::as_is,
                 .bytes = std::as_bytes(std::span<const float>(values[static_cast<size_t>(p)]))});
        }
    }
    std::vector<std::vector<float>> values;
    ImportedModel model;
};

std::vector<float> written(const SafetensorsFile& file, const std::string& name) {
    const StoredTensor* tensor = file.find(name);
    REQUIRE(tensor != nullptr);
    std::vector<float> out(static_cast<size_t>(tensor->count));
    read_elements(tensor->bytes.data(), tensor->type, std::span(out));
    return out;
}

// The 256 bytes as tokens, after <s> and before </s>.
ForeignTokenizer byte_tokenizer() {
    ForeignTokenizer tokenizer;
    tokenizer.source = "m.gguf";
    tokenizer.pre_tokenizer = "gpt-2";
    tokenizer.tokens = {"<s>"};
    for (const uint8_t byte : bytes_in_alphabet_order())
        tokenizer.tokens.push_back(bytes_to_alphabet(std::string(1, static_cast<char>(byte))));
    tokenizer.tokens.push_back("</s>");
    tokenizer.roles.assign(258, ForeignTokenizer::Role::normal);
    tokenizer.roles[0] = tokenizer.roles[257] = ForeignTokenizer::Role::control;
    tokenizer.bos = 0;
    tokenizer.eos = 257;
    return tokenizer;
}

}  // namespace

TEST_CASE(
    "write_imported_weights: pairs that RoPE turns come apart, across pieces of a tensor too") {
    const TemporaryFolder folder;
    for (const int hidden : {8, 1040}) {  // 1040 * 1040 weights: more than one piece of 2^20
        CAPTURE(hidden);
        const CountingModel counting(llama_config(hidden));
        write_imported_weights(counting.model, {TensorType::f32}, folder / "m");
        const SafetensorsFile file(folder / "m");
        const ParameterTable table(counting.model.config);
        const int64_t width = hidden / 4;
        int64_t wrong = 0;
        for (int p = 0; p < table.size(); ++p) {
            if (table[p].tied_to) continue;
            const auto found = written(file, table[p].name);
            const auto& stored = counting.values[static_cast<size_t>(p)];
            REQUIRE(found.size() == stored.size());
            const bool turns =
                counting.model.tensors[static_cast<size_t>(p)].layout == Layout::rotary_pairs;
            const int64_t columns = table[p].shape.size() > 1 ? hidden : 1;
            for (size_t i = 0; i < found.size(); ++i) {
                size_t from = i;
                if (turns) {  // row (head, half, d) stands at (head, d, half)
                    const int64_t row = static_cast<int64_t>(i) / columns;
                    const int64_t head = row / width, half = row % width / (width / 2);
                    const int64_t d = row % (width / 2);
                    from = static_cast<size_t>((head * width + 2 * d + half) * columns) +
                           i % static_cast<size_t>(columns);
                }
                wrong += found[i] != stored[from];
            }
        }
        CHECK(wrong == 0);
    }
}

TEST_CASE("write_imported_weights: GPT-2's matrices are transposed, piece by piece") {
    const TemporaryFolder folder;
    ModelConfig config = *preset_config("gpt2");
    config.vocab_size = 5;
    config.num_layers = 1;
    config.hidden = 600;  // 600 * 1800 weights: more than one piece of 2^20
    config.num_heads = config.num_kv_heads = 4;
    config.head_dim = 150;
    config.intermediate = 7;
    config.max_positions = 3;
    const CountingModel counting(config);
    write_imported_weights(counting.model, {TensorType::f32}, folder / "m");
    const SafetensorsFile file(folder / "m");
    const ParameterTable table(config);
    int64_t wrong = 0, transposed = 0;
    for (int p = 0; p < table.size(); ++p) {
        if (table[p].tied_to) continue;
        const auto found = written(file, table[p].name);
        const auto& stored = counting.values[static_cast<size_t>(p)];
        transposed += table[p].transposed;
        const int64_t ins = table[p].transposed ? table[p].shape[0] : table[p].count;
        const int64_t outs = table[p].count / ins;
        for (int64_t in = 0; in < ins; ++in)
            for (int64_t out = 0; out < outs; ++out)
                wrong += found[static_cast<size_t>(in * outs + out)] !=
                         stored[static_cast<size_t>(out * ins + in)];
    }
    CHECK(transposed == 4);
    CHECK(wrong == 0);
}

TEST_CASE("write_imported_weights: bf16 and fp16 weights come through bit for bit") {
    const TemporaryFolder folder;
    struct Case {
        BlockType stored;
        TensorType type;
        uint16_t exponent;  // all ones: not finite
    };
    for (const Case& test : {Case{BlockType::f16, TensorType::f16, 0x7c00},
                             Case{BlockType::bf16, TensorType::bf16, 0x7f80}}) {
        CAPTURE(name_of(test.stored));
        // The embedding holds every finite pattern, subnormals among them.
        CountingModel counting(llama_config(256));
        std::vector<uint16_t> patterns;
        for (uint32_t bits = 0; bits < 0x10000u; ++bits)
            if ((bits & test.exponent) != test.exponent)
                patterns.push_back(static_cast<uint16_t>(bits));
        patterns.resize(258 * 256, 0);
        for (size_t p = 1; p < counting.values.size(); ++p)
            std::fill(counting.values[p].begin(), counting.values[p].end(), 0.5f);
        counting.model.tensors[0].type = test.stored;
        counting.model.tensors[0].bytes = std::as_bytes(std::span<const uint16_t>(patterns));
        write_imported_weights(counting.model, {test.type}, folder / "m");
        const SafetensorsFile file(folder / "m");
        const StoredTensor* tensor = file.find("model.embed_tokens.weight");
        REQUIRE(tensor != nullptr);
        CHECK(std::equal(tensor->bytes.begin(), tensor->bytes.end(),
                         counting.model.tensors[0].bytes.begin(),
                         counting.model.tensors[0].bytes.end()));
    }
}

TEST_CASE("write_imported_weights: weights that are not finite, or too large, name the tensor") {
    const TemporaryFolder folder;
    CountingModel counting(llama_config(8));
    const auto complaint = [&](float value, TensorType type) {
        for (auto& stored : counting.values) std::fill(stored.begin(), stored.end(), 1.0f);
        counting.values[2][9] = value;
        return input_error([&] { write_imported_weights(counting.model, {type}, folder / "m"); });
    };
    const std::string name = "m.gguf: model.layers.0.self_attn.q_proj.weight: ";
    const float infinity = std::numeric_limits<float>::infinity();
    CHECK(complaint(1e4f, TensorType::f16) == "");
    CHECK(
        contains(complaint(1e5f, TensorType::f16), name + "the weight 100000 is beyond the range"));
    CHECK(contains(complaint(infinity, TensorType::f32), name + "weight"));
    CHECK(contains(complaint(-infinity, TensorType::bf16), "is -inf, expected finite weights"));
    CHECK(contains(complaint(std::numeric_limits<float>::quiet_NaN(), TensorType::f32), "is nan"));
}

TEST_CASE("write_imported: the folder is a model, with where its texts begin and end") {
    const TemporaryFolder folder;
    CountingModel counting(llama_config(8));
    counting.model.tokenizer = byte_tokenizer();
    write_imported(counting.model, {TensorType::f32}, folder / "out");
    const ModelFolder model = open_model_folder(folder / "out");
    const ParameterTable table(model.config);
    ParameterStore<float> store(table);
    store.allocate(Role::weight);
    load_weights(model, store);
    CHECK(store.weight(0)[0] == 1048576.0f);
    CHECK(model.config.eos_ids == std::vector<int>{1, 257});
    const nlohmann::json generation = read_json_file(folder / "out/generation_config.json");
    CHECK(generation.at("bos_token_id") == 0);
    CHECK(generation.at("eos_token_id") == std::vector<int>{1, 257});
    CHECK_FALSE(generation.contains("pad_token_id"));
}

TEST_CASE("write_imported: a folder that holds something is refused, a failure leaves nothing") {
    const TemporaryFolder folder;
    CountingModel counting(llama_config(8));
    counting.model.tokenizer = byte_tokenizer();
    std::filesystem::create_directories(folder / "full");
    put(folder / "full/notes.txt", "x");
    const auto complaint = [&](const char* to) {
        return input_error([&] { write_imported(counting.model, {TensorType::f32}, folder / to); });
    };
    CHECK(contains(complaint("full"), "expected no such folder or an empty one"));
    counting.values[0][0] = std::numeric_limits<float>::infinity();
    CHECK(contains(complaint("new"), "expected finite weights"));
    CHECK_FALSE(std::filesystem::exists(folder / "new"));
    CHECK_FALSE(std::filesystem::exists(folder / "new.partial"));
}
