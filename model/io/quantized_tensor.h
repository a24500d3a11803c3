// Quantised matrices in safetensors files: bytes [out, bytes of a row], named after the parameter
// and its blocks, "model.layers.0.mlp.up_proj.weight.Q4_1". docs/format_safetensors.md
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "kernels/quantize/dequantize.h"
#include "model/parameter_store.h"

// The file that holds them, and the folder's other weights. No other reader looks for it: one that
// took such a folder for a model of floats might invent the weights it does not find.
inline constexpr const char* kQuantizedFile = "quantized.safetensors";

std::string quantized_name(const std::string& parameter, BlockType type);

struct QuantizedName {
    std::string_view parameter;
    BlockType type;
};
// Empty for the name of anything else.
std::optional<QuantizedName> parse_quantized_name(std::string_view stored);

// The matrix that a parameter's blocks make up, [out, in] also where the parameter is [in, out].
struct QuantizedShape {
    int64_t rows = 0;
    int64_t columns = 0;
};
QuantizedShape quantized_shape(const Parameter& parameter);

// The weights of all blocks, in the order of the parameter's elements. T is float, bf16 or double.
template <typename T>
void dequantize_parameter(const Parameter& parameter, BlockType type,
                          std::span<const std::byte> bytes, std::span<T> out);
