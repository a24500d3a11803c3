#include "model/decoder_layout.h"

#include "kernels/core/check.h"
#include "tests/support/doctest.h"
#include "tests/support/golden.h"

namespace {

// How often the layout names each parameter of a table.
class Uses {
public:
    Uses(const ParameterTable& table, const DecoderLayout& layout)
        : table_(table), counts_(static_cast<size_t>(table.size())) {
        add(layout.token_embedding);
        add(layout.position_embedding);
        for (const BlockLayout& block : layout.blocks) {
            add(block.attention_norm);
            add(block.qkv);
            add(block.q_norm);
            add(block.k_norm);
            add(block.attention_out);
            add(block.mlp_norm);
            add(block.mlp_in);
            add(block.mlp_out);
        }
        add(layout.final_norm);
        add(layout.head);
    }
    const std::vector<int>& counts() const { return counts_; }

private:
    void add(int parameter) {
        if (parameter >= 0) ++counts_[static_cast<size_t>(parameter)];
    }
    void add(const NormParameters& norm) {
        add(norm.weight);
        add(norm.bias);
    }
    void add(const Linear& linear) {
        CHECK(linear.transposed == table_[linear.weight].transposed);
        add_joined(linear.weight, linear.in * linear.out);
        if (linear.bias >= 0) add_joined(linear.bias, linear.out);
    }
    // The parameters from `first` on that make up `elements`, one after the other without a gap.
    void add_joined(int first, int64_t elements) {
        int64_t end = table_[first].offset;
        const int64_t expected = end + elements;
        for (int p = first; end < expected; ++p) {
            REQUIRE(p < table_.size());
            CHECK(table_[p].offset == end);
            end += table_[p].count;
            add(p);
        }
        CHECK(end == expected);
    }

    const ParameterTable& table_;
    std::vector<int> counts_;
};

}  // namespace

TEST_CASE("decoder_layout: refers to every parameter of every family exactly once") {
    for (const std::string& name : kGoldenModels) {
        CAPTURE(name);
        const ModelConfig config = open_model_folder(golden_folder(name)).config;
        const ParameterTable table(config);
        const Uses uses(table, decoder_layout(config, table));
        for (int p = 0; p < table.size(); ++p) {
            CAPTURE(table[p].name);
            CHECK(uses.counts()[static_cast<size_t>(p)] == 1);
        }
    }
}

TEST_CASE("decoder_layout: places are those of their names") {
    const ModelConfig gpt2 = open_model_folder(golden_folder("gpt2")).config;
    const ParameterTable table(gpt2);
    const DecoderLayout layout = decoder_layout(gpt2, table);
    const auto name = [&](int parameter) { return table[parameter].name; };
    CHECK(name(layout.position_embedding) == "transformer.wpe.weight");
    CHECK(name(layout.blocks[1].attention_norm.weight) == "transformer.h.1.ln_1.weight");
    CHECK(name(layout.blocks[1].mlp_norm.bias) == "transformer.h.1.ln_2.bias");
    CHECK(name(layout.blocks[1].attention_out.weight) == "transformer.h.1.attn.c_proj.weight");
    CHECK(name(layout.blocks[1].mlp_out.bias) == "transformer.h.1.mlp.c_proj.bias");
    CHECK(table[layout.head].tied_to == layout.token_embedding);

    const ModelConfig qwen3 = open_model_folder(golden_folder("qwen3")).config;
    const ParameterTable other(qwen3);
    const BlockLayout block = decoder_layout(qwen3, other).blocks[0];
    CHECK(other[block.q_norm].name == "model.layers.0.self_attn.q_norm.weight");
    CHECK(other[block.k_norm].name == "model.layers.0.self_attn.k_norm.weight");
    CHECK(other[block.mlp_out.weight].name == "model.layers.0.mlp.down_proj.weight");
    CHECK(block.attention_norm.bias == -1);
}

TEST_CASE("decoder_layout: a table of another model is an error that names what it lacks") {
    const ModelConfig gpt2 = open_model_folder(golden_folder("gpt2")).config;
    const ModelConfig llama = open_model_folder(golden_folder("llama")).config;
    CHECK_THROWS_WITH_AS(decoder_layout(gpt2, ParameterTable(llama)),
                         doctest::Contains("transformer.wte.weight"), Error);
}
