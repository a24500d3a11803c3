// THE table of a model's parameters: what the optimiser, checkpoints, sharding, adapters, pruning
// and reports know about its weights. It holds no memory; a ParameterStore does.
//
// Every parameter has one offset, in elements, that is valid in the flat buffer of every role
// (weights, gradients, moments ...). Parameters follow the order of computation: embeddings,
// blocks, final norm, head. Each starts at a multiple of 16 elements, except that matrices which
// act as one follow each other without a gap: the weights of q, k and v are one matrix
// [(H + 2 Hkv) * D, C], their biases one vector, and gate and up one matrix [2 * I, C].
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "model/config.h"

struct Parameter {
    enum class Initializer { normal, normal_scaled_residual, zeros, ones };

    std::string name;  // as in transformers' files: "model.layers.0.self_attn.q_proj.weight"
    std::vector<int64_t> shape;
    int layer = -1;  // the block it belongs to; -1: none
    Initializer init = Initializer::normal;
    double init_std = 0.0;    // of the two normal ones, already scaled
    bool transposed = false;  // stored [in, out] (GPT-2's Conv1D) instead of [out, in]
    bool decay = false;       // weight decay applies: everything except biases and norm weights
    bool trainable = true;
    bool quantized = false;      // its blocks, [out, in], lie apart: it has no place in the buffers
    std::optional<int> tied_to;  // shares that parameter's elements and has none of its own
    int64_t offset = 0;          // elements from the start of every role's buffer
    int64_t count = 0;           // elements
};

class ParameterTable {
public:
    explicit ParameterTable(const ModelConfig& config);

    std::span<const Parameter> parameters() const& { return parameters_; }
    std::span<const Parameter> parameters() && = delete;  // would dangle
    const Parameter& operator[](int index) const { return parameters_[static_cast<size_t>(index)]; }
    int size() const { return static_cast<int>(parameters_.size()); }

    // The index of a name, or -1.
    int find(std::string_view name) const;
    // The index of a name that must exist; an Error otherwise.
    int index_of(std::string_view name) const;

    // The length of a role's flat buffer: a multiple of 16, gaps included.
    int64_t total_elements() const { return total_elements_; }
    // Elements of all parameters, tied ones once, gaps excluded.
    int64_t num_parameters() const;
    int64_t num_trainable() const;

    // Of a tied pair, both: they are one matrix.
    void set_trainable(int index, bool trainable);
    // A matrix, whose elements leave the flat buffers: all offsets after it shrink.
    void set_quantized(int index);
    bool any_quantized() const;

private:
    std::vector<Parameter> parameters_;
    std::map<std::string, int, std::less<>> index_;
    int64_t total_elements_ = 0;
};
