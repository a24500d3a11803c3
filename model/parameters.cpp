#include "model/parameters.h"

#include <algorithm>
#include <cmath>

#include "kernels/core/check.h"

namespace {

using Initializer = Parameter::Initializer;
constexpr int64_t kAlignment = 16;  // elements: 64 bytes of fp32, a cache line; 32 bytes of bf16

enum class Joined { no, yes };  // follows the parameter before it without a gap

// Lays parameters out one after the other.
class Builder {
public:
    explicit Builder(const ModelConfig& config) : config_(config) {}

    std::vector<Parameter> build();

private:
    int add(std::string name, std::vector<int64_t> shape, Initializer init,
            Joined joined = Joined::no);
    void add_norm(const std::string& name, int64_t width);
    void add_conv1d(const std::string& name, int64_t in, int64_t out, Initializer init);
    void add_joined(const std::string& prefix, const std::vector<const char*>& names,
                    const std::vector<int64_t>& outs, bool bias);
    void add_linear(const std::string& name, int64_t out, int64_t in, bool bias);
    void add_gpt2_block(const std::string& prefix);
    void add_llama_block(const std::string& prefix);
    void add_head(const std::string& embedding);

    const ModelConfig& config_;
    std::vector<Parameter> parameters_;
    int layer_ = -1;
    int64_t end_ = 0;  // of the last parameter, in elements
};

int64_t round_up(int64_t value) { return (value + kAlignment - 1) / kAlignment * kAlignment; }

int Builder::add(std::string name, std::vector<int64_t> shape, Initializer init, Joined joined) {
    Parameter parameter;
    parameter.name = std::move(name);
    parameter.count = 1;
    for (const int64_t extent : shape) parameter.count *= extent;
    parameter.shape = std::move(shape);
    parameter.layer = layer_;
    parameter.init = init;
    if (init == Initializer::normal) parameter.init_std = config_.initializer_range;
    if (init == Initializer::normal_scaled_residual)  // two residual additions a block
        parameter.init_std = config_.initializer_range / std::sqrt(2.0 * config_.num_layers);
    parameter.decay = parameter.shape.size() > 1;  // biases and norm weights are the vectors
    parameter.offset = joined == Joined::yes ? end_ : round_up(end_);
    end_ = parameter.offset + parameter.count;
    parameters_.push_back(std::move(parameter));
    return static_cast<int>(parameters_.size()) - 1;
}

void Builder::add_norm(const std::string& name, int64_t width) {
    add(name + ".weight", {width}, Initializer::ones);
    if (config_.norm == Norm::layer) add(name + ".bias", {width}, Initializer::zeros);
}

void Builder::add_conv1d(const std::string& name, int64_t in, int64_t out, Initializer init) {
    const int weight = add(name + ".weight", {in, out}, init);
    parameters_[static_cast<size_t>(weight)].transposed = true;
    add(name + ".bias", {out}, Initializer::zeros);
}

// Several projections of the block's input, computed as one: all weights, then all biases.
void Builder::add_joined(const std::string& prefix, const std::vector<const char*>& names,
                         const std::vector<int64_t>& outs, bool bias) {
    for (size_t i = 0; i < names.size(); ++i)
        add(prefix + names[i] + ".weight", {outs[i], config_.hidden}, Initializer::normal,
            i > 0 ? Joined::yes : Joined::no);
    if (!bias) return;
    for (size_t i = 0; i < names.size(); ++i)
        add(prefix + names[i] + ".bias", {outs[i]}, Initializer::zeros,
            i > 0 ? Joined::yes : Joined::no);
}

void Builder::add_linear(const std::string& name, int64_t out, int64_t in, bool bias) {
    add(name + ".weight", {out, in}, Initializer::normal);
    if (bias) add(name + ".bias", {out}, Initializer::zeros);
}

void Builder::add_gpt2_block(const std::string& prefix) {
    const int64_t hidden = config_.hidden;
    add_norm(prefix + "ln_1", hidden);
    add_conv1d(prefix + "attn.c_attn", hidden, 3 * hidden, Initializer::normal);
    add_conv1d(prefix + "attn.c_proj", hidden, hidden, Initializer::normal_scaled_residual);
    add_norm(prefix + "ln_2", hidden);
    add_conv1d(prefix + "mlp.c_fc", hidden, config_.intermediate, Initializer::normal);
    add_conv1d(prefix + "mlp.c_proj", config_.intermediate, hidden,
               Initializer::normal_scaled_residual);
}

void Builder::add_llama_block(const std::string& prefix) {
    const int64_t queries = config_.queries(), keys = config_.keys();
    add_norm(prefix + "input_layernorm", config_.hidden);
    add_joined(prefix + "self_attn.", {"q_proj", "k_proj", "v_proj"}, {queries, keys, keys},
               config_.qkv_bias);
    if (config_.qk_norm) {
        add_norm(prefix + "self_attn.q_norm", config_.head_dim);
        add_norm(prefix + "self_attn.k_norm", config_.head_dim);
    }
    add_linear(prefix + "self_attn.o_proj", config_.hidden, queries, config_.attention_out_bias);
    add_norm(prefix + "post_attention_layernorm", config_.hidden);
    add_joined(prefix + "mlp.", {"gate_proj", "up_proj"},
               {config_.intermediate, config_.intermediate}, config_.mlp_bias);
    add_linear(prefix + "mlp.down_proj", config_.hidden, config_.intermediate, config_.mlp_bias);
}

void Builder::add_head(const std::string& embedding) {
    const std::vector<int64_t> shape = {config_.vocab_size, config_.hidden};
    if (!config_.tied_head) {
        add("lm_head.weight", shape, Initializer::normal);
        return;
    }
    ENSURE(parameters_[0].name == embedding, "the first parameter is {}, expected {}",
           parameters_[0].name, embedding);
    Parameter head = parameters_[0];
    head.name = "lm_head.weight";
    head.tied_to = 0;
    parameters_.push_back(std::move(head));
}

std::vector<Parameter> Builder::build() {
    const bool gpt2 = config_.model_type == "gpt2";
    const std::string embedding = gpt2 ? "transformer.wte.weight" : "model.embed_tokens.weight";
    add(embedding, {config_.vocab_size, config_.hidden}, Initializer::normal);
    if (config_.positions == Positions::learned)
        add("transformer.wpe.weight", {config_.max_positions, config_.hidden}, Initializer::normal);
    for (layer_ = 0; layer_ < config_.num_layers; ++layer_) {
        const std::string index = std::to_string(layer_) + ".";
        if (gpt2)
            add_gpt2_block("transformer.h." + index);
        else
            add_llama_block("model.layers." + index);
    }
    layer_ = -1;
    add_norm(gpt2 ? "transformer.ln_f" : "model.norm", config_.hidden);
    add_head(embedding);
    return std::move(parameters_);
}

}  // namespace

ParameterTable::ParameterTable(const ModelConfig& config) : parameters_(Builder(config).build()) {
    for (int index = 0; index < size(); ++index) {
        const Parameter& parameter = (*this)[index];
        total_elements_ = std::max(total_elements_, round_up(parameter.offset + parameter.count));
        index_.emplace(parameter.name, index);
    }
}

void ParameterTable::set_quantized(int index) {
    const int owner = (*this)[index].tied_to.value_or(index);
    const Parameter removed = (*this)[owner];
    ENSURE(!removed.quantized && removed.shape.size() == 2 && removed.count % kAlignment == 0,
           "parameter {} cannot be quantised: {} elements", removed.name, removed.count);
    for (int other = 0; other < size(); ++other) {
        Parameter& parameter = parameters_[static_cast<size_t>(other)];
        if (other == owner || parameter.tied_to == owner) {
            parameter.quantized = true;
            parameter.trainable = false;
        } else if (parameter.offset > removed.offset) {
            parameter.offset -= removed.count;
        }
    }
    total_elements_ -= removed.count;
}

bool ParameterTable::any_quantized() const {
    return std::any_of(parameters_.begin(), parameters_.end(),
                       [](const Parameter& parameter) { return parameter.quantized; });
}

int ParameterTable::find(std::string_view name) const {
    const auto found = index_.find(name);
    return found == index_.end() ? -1 : found->second;
}

int ParameterTable::index_of(std::string_view name) const {
    const int index = find(name);
    ENSURE(index >= 0, "the model has no parameter named {}", name);
    return index;
}

int64_t ParameterTable::num_parameters() const {
    int64_t count = 0;
    for (const Parameter& parameter : parameters_)
        if (!parameter.tied_to) count += parameter.count;
    return count;
}

int64_t ParameterTable::num_trainable() const {
    int64_t count = 0;
    for (const Parameter& parameter : parameters_)
        if (!parameter.tied_to && parameter.trainable) count += parameter.count;
    return count;
}

void ParameterTable::set_trainable(int index, bool trainable) {
    const int owner = (*this)[index].tied_to.value_or(index);
    for (int other = 0; other < size(); ++other)
        if (other == owner || (*this)[other].tied_to == owner)
            parameters_[static_cast<size_t>(other)].trainable = trainable;
}
