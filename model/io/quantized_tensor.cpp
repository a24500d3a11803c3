#include "model/io/quantized_tensor.h"

#include <cmath>
#include <vector>

#include "kernels/core/check.h"

namespace {

constexpr BlockType kBlockTypes[] = {BlockType::q8_0, BlockType::q4_0, BlockType::q4_1,
                                     BlockType::q5_0, BlockType::q5_1, BlockType::q4_k,
                                     BlockType::q5_k, BlockType::q6_k};

// Calls body(first weight, weights) for each row.
template <typename Body>
void for_each_row(BlockType type, int64_t columns, std::span<const std::byte> bytes,
                  const Body& body) {
    const auto row_bytes = static_cast<size_t>(QuantizedWeight{.type = type}.row_bytes(columns));
    std::vector<float> row(static_cast<size_t>(columns));
    for (size_t r = 0; r * row_bytes < bytes.size(); ++r) {
        dequantize(type, bytes.subspan(r * row_bytes, row_bytes), row);
        body(static_cast<int64_t>(r), std::span<const float>(row));
    }
}

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
    for_each_row(type, shape.columns, bytes, [&](int64_t row, std::span<const float> weights) {
        const int64_t first = parameter.transposed ? row : row * shape.columns;
        const int64_t step = parameter.transposed ? shape.rows : 1;
        for (int64_t c = 0; c < shape.columns; ++c)
            out[static_cast<size_t>(first + c * step)] = static_cast<T>(weights[c]);
    });
}

template void dequantize_parameter(const Parameter&, BlockType, std::span<const std::byte>,
                                   std::span<float>);
template void dequantize_parameter(const Parameter&, BlockType, std::span<const std::byte>,
                                   std::span<double>);
template void dequantize_parameter(const Parameter&, BlockType, std::span<const std::byte>,
                                   std::span<bf16>);

std::optional<BadWeight> find_bad_weight(BlockType type, int64_t columns,
                                         std::span<const std::byte> bytes) {
    std::optional<BadWeight> bad;
    for_each_row(type, columns, bytes, [&](int64_t row, std::span<const float> weights) {
        for (int64_t c = 0; c < columns && !bad; ++c)
            if (!std::isfinite(weights[static_cast<size_t>(c)]))
                bad = {row * columns + c, weights[static_cast<size_t>(c)]};
    });
    return bad;
}
