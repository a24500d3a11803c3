// THE table: names and shapes are those of transformers' files, and the layout keeps its promises.

#include "model/parameters.h"

#include <cmath>
#include <set>

#include "kernels/core/check.h"
#include "model/io/safetensors.h"
#include "tests/support/doctest.h"

namespace {

const std::filesystem::path kModels = "tests/golden/models";
const std::vector<std::string> kFolders = {"gpt2", "llama", "smollm", "qwen2", "qwen3", "mistral"};

ParameterTable table_of(const std::string& folder) {
    return ParameterTable(read_config(kModels / folder / "config.json"));
}

// True if `second` follows `first` without a gap.
bool adjacent(const ParameterTable& table, const std::string& first, const std::string& second) {
    const Parameter& a = table[table.index_of(first)];
    return a.offset + a.count == table[table.index_of(second)].offset;
}

}  // namespace

TEST_CASE("ParameterTable: names and shapes are exactly those of transformers' own files") {
    for (const std::string& folder : kFolders) {
        CAPTURE(folder);
        const ParameterTable table = table_of(folder);
        const SafetensorsFile file(kModels / folder / "model.safetensors");
        std::set<std::string> stored;
        for (const StoredTensor& tensor : file.tensors()) {
            CAPTURE(tensor.name);
            stored.insert(tensor.name);
            const int index = table.find(tensor.name);
            REQUIRE(index >= 0);
            CHECK(table[index].shape == tensor.shape);
            CHECK(table[index].count == tensor.count);
        }
        for (const Parameter& parameter : table.parameters())
            CHECK((parameter.tied_to.has_value() || stored.count(parameter.name) == 1));
    }
}

TEST_CASE("ParameterTable: parameters do not overlap, and start aligned or joined") {
    for (const std::string& folder : kFolders) {
        CAPTURE(folder);
        const ParameterTable table = table_of(folder);
        int64_t end = 0;
        for (const Parameter& parameter : table.parameters()) {
            if (parameter.tied_to) continue;
            CAPTURE(parameter.name);
            CHECK(parameter.offset >= end);
            CHECK((parameter.offset % 16 == 0 || parameter.offset == end));
            end = parameter.offset + parameter.count;
        }
        CHECK(table.total_elements() >= end);
        CHECK(table.total_elements() < end + 16);
        CHECK(table.total_elements() % 16 == 0);
    }
}

TEST_CASE("ParameterTable: q, k and v are one matrix, their biases one vector, gate and up one") {
    for (const char* folder : {"llama", "smollm", "qwen2", "qwen3", "mistral"}) {
        CAPTURE(folder);
        const ParameterTable table = table_of(folder);
        const std::string block = "model.layers.1.", attention = block + "self_attn.";
        CHECK(adjacent(table, attention + "q_proj.weight", attention + "k_proj.weight"));
        CHECK(adjacent(table, attention + "k_proj.weight", attention + "v_proj.weight"));
        CHECK(adjacent(table, block + "mlp.gate_proj.weight", block + "mlp.up_proj.weight"));
        CHECK(table[table.index_of(attention + "q_proj.weight")].offset % 16 == 0);
        CHECK(table[table.index_of(block + "mlp.gate_proj.weight")].offset % 16 == 0);
    }
    const ParameterTable qwen2 = table_of("qwen2");
    const std::string attention = "model.layers.0.self_attn.";
    CHECK(adjacent(qwen2, attention + "q_proj.bias", attention + "k_proj.bias"));
    CHECK(adjacent(qwen2, attention + "k_proj.bias", attention + "v_proj.bias"));
}

TEST_CASE("ParameterTable: a tied head shares the embedding's elements and is not counted") {
    const ParameterTable tied = table_of("gpt2");
    const Parameter& head = tied[tied.index_of("lm_head.weight")];
    const int embedding = tied.index_of("transformer.wte.weight");
    CHECK(head.tied_to == embedding);
    CHECK(head.offset == tied[embedding].offset);
    CHECK(head.shape == tied[embedding].shape);
    const ParameterTable untied = table_of("llama");
    CHECK_FALSE(untied[untied.index_of("lm_head.weight")].tied_to.has_value());
    CHECK(ParameterTable(*preset_config("gpt2")).num_parameters() == 124'439'808);
    CHECK(ParameterTable(*preset_config("gpt2-xl")).num_parameters() == 1'557'611'200);
}

TEST_CASE("ParameterTable: decay spares biases and norms, GPT-2's matrices are transposed") {
    for (const std::string& folder : kFolders) {
        const ParameterTable table = table_of(folder);
        for (const Parameter& parameter : table.parameters()) {
            CAPTURE(parameter.name);
            const bool norm_or_bias = parameter.name.ends_with("bias") ||
                                      parameter.name.find("norm") != std::string::npos ||
                                      parameter.name.find("ln_") != std::string::npos;
            CHECK(parameter.decay == !norm_or_bias);
            const bool conv1d = parameter.name.find(".c_") != std::string::npos &&
                                parameter.name.ends_with("weight");
            CHECK(parameter.transposed == conv1d);
        }
    }
}

TEST_CASE("ParameterTable: initialisers are Hugging Face's") {
    using Initializer = Parameter::Initializer;
    const ParameterTable table(*preset_config("gpt2"));
    const Parameter& residual = table[table.index_of("transformer.h.3.mlp.c_proj.weight")];
    CHECK(residual.init == Initializer::normal_scaled_residual);
    CHECK(residual.init_std == doctest::Approx(0.02 / std::sqrt(24.0)).epsilon(1e-12));
    const Parameter& query = table[table.index_of("transformer.h.3.attn.c_attn.weight")];
    CHECK(query.init == Initializer::normal);
    CHECK(query.init_std == 0.02);
    CHECK(query.layer == 3);
    CHECK(table[table.index_of("transformer.ln_f.weight")].init == Initializer::ones);
    CHECK(table[table.index_of("transformer.ln_f.weight")].layer == -1);
    CHECK(table[table.index_of("transformer.h.3.ln_1.bias")].init == Initializer::zeros);
    const ParameterTable llama = table_of("llama");
    CHECK(llama[llama.index_of("model.layers.0.mlp.down_proj.weight")].init_std == 0.02);
}

TEST_CASE("ParameterTable: freezing the embedding freezes the head tied to it") {
    ParameterTable table = table_of("gpt2");
    const int64_t all = table.num_trainable();
    const int embedding = table.index_of("transformer.wte.weight");
    table.set_trainable(embedding, false);
    CHECK(table.num_trainable() == all - table[embedding].count);
    CHECK_FALSE(table[table.index_of("lm_head.weight")].trainable);
    table.set_trainable(table.index_of("lm_head.weight"), true);  // one matrix, one answer
    CHECK(table.num_trainable() == all);
}

TEST_CASE("ParameterTable: an unknown name is -1 to find and an error to index_of") {
    const ParameterTable table = table_of("gpt2");
    CHECK(table.find("transformer.h.2.ln_1.weight") == -1);
    CHECK_THROWS_WITH_AS(table.index_of("wte"), "the model has no parameter named wte", Error);
}
