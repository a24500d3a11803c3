#include "model/io/quantized_tensor.h"

#include <vector>

#include "kernels/core/check.h"

namespace {

constexpr BlockType kBlockTypes[] = {BlockType::q8_0, BlockType::q4_0, BlockType::q4_1,
                                     BlockType::q5_0, BlockType::q5_1, BlockType::q4_k,
                                     BlockType::q5_k, BlockType::q6_k};

}  // namespace

std::string quantized_name(const std::string& parameter, BlockType type) {
    return parameter + "." + name_of(type);
}

std::optional<QuantizedName> parse_quantized_name(std::string_view stored) {
    const size_t dot = stored.rfind('.');
    if (dot == std::string_view::npos) return {};
    for (const BlockType type : kBlockTypes)
        if (stored.substr(dot + 1) == name_of(type)) return {{stored.substr(0, dot), type}};
    return {};
}

QuantizedShape quantized_shape(const Parameter& parameter) {
    ENSURE(parameter.shape.size() == 2, "parameter {} is no matrix", parameter.name);
    return {.rows = parameter.shape[parameter.transposed ? 1 : 0],
            .columns = parameter.shape[parameter.transposed ? 0 : 1]};
}

template <typename T>
void dequantize_parameter(const Parameter& parameter, BlockType type,
                          std::span<const std::byte> bytes, std::span<T> out) {
    const QuantizedShape shape = quantized_shape(parameter);
    const auto row_bytes =
        static_cast<size_t>(QuantizedWeight{.type = type}.row_bytes(shape.columns));
    std::vector<float> weights(static_cast<size_t>(shape.columns));
    for (int64_t row = 0; row < shape.rows; ++row) {
        dequantize(type, bytes.subspan(static_cast<size_t>(row) * row_bytes, row_bytes), weights);
        const int64_t first = parameter.transposed ? row : row * shape.columns;
        const int64_t step = parameter.transposed ? shape.rows : 1;
        for (int64_t c = 0; c < shape.columns; ++c)
            out[static_cast<size_t>(first + c * step)] =
                static_cast<T>(weights[static_cast<size_t>(c)]);
    }
}

template void dequantize_parameter(const Parameter&, BlockType, std::span<const std::byte>,
                                   std::span<float>);
template void dequantize_parameter(const Parameter&, BlockType, std::span<const std::byte>,
                                   std::span<double>);
template void dequantize_parameter(const Parameter&, BlockType, std::span<const std::byte>,
                                   std::span<bf16>);
