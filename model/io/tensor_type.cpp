#include "model/io/tensor_type.h"

#include <array>
#include <bit>
#include <cstring>

#include "kernels/core/check.h"
#include "kernels/core/dtype.h"
#include "kernels/quantize/half.h"

namespace {

struct TypeRow {
    TensorType type;
    const char* safetensors;
    const char* torch;  // null: not a floating-point type
    int64_t bytes;
};

constexpr std::array<TypeRow, 13> kTypes{{
    {TensorType::f64, "F64", "float64", 8},
    {TensorType::f32, "F32", "float32", 4},
    {TensorType::f16, "F16", "float16", 2},
    {TensorType::bf16, "BF16", "bfloat16", 2},
    {TensorType::i64, "I64", nullptr, 8},
    {TensorType::i32, "I32", nullptr, 4},
    {TensorType::i16, "I16", nullptr, 2},
    {TensorType::i8, "I8", nullptr, 1},
    {TensorType::u64, "U64", nullptr, 8},
    {TensorType::u32, "U32", nullptr, 4},
    {TensorType::u16, "U16", nullptr, 2},
    {TensorType::u8, "U8", nullptr, 1},
    {TensorType::boolean, "BOOL", nullptr, 1},
}};

const TypeRow& row_of(TensorType type) {
    for (const TypeRow& row : kTypes)
        if (row.type == type) return row;
    throw Error(fmt::format("tensor type {} is not in the table", static_cast<int>(type)));
}

// Half precision in a type of its own, so that one template serves every pair of types.
struct Half {
    uint16_t bits = 0;
    Half() = default;
    explicit Half(float value) : bits(half_bits_from_float(value)) {}
    explicit operator float() const { return float_from_half(bits); }
};

// double is the only type with more precision than float; between all others float is a lossless
// stop. A double becomes bf16 or half by way of float, as it does in PyTorch.
template <typename To, typename From>
To converted(From value) {
    if constexpr (std::is_same_v<To, From>)
        return value;
    else if constexpr (std::is_same_v<To, double>)
        return static_cast<double>(static_cast<float>(value));
    else
        return static_cast<To>(static_cast<float>(value));
}

template <typename Stored, typename T>
void read_as(const std::byte* bytes, std::span<T> out) {
    for (size_t i = 0; i < out.size(); ++i) {
        Stored value;
        std::memcpy(&value, bytes + i * sizeof(Stored), sizeof(Stored));
        out[i] = converted<T>(value);
    }
}

template <typename Stored, typename T>
void write_as(std::span<const T> elements, std::byte* bytes) {
    for (size_t i = 0; i < elements.size(); ++i) {
        const Stored value = converted<Stored>(elements[i]);
        std::memcpy(bytes + i * sizeof(Stored), &value, sizeof(Stored));
    }
}

}  // namespace

int64_t bytes_per_element(TensorType type) { return row_of(type).bytes; }

bool is_floating_point(TensorType type) { return row_of(type).torch != nullptr; }

const char* safetensors_name(TensorType type) { return row_of(type).safetensors; }

std::optional<TensorType> type_from_safetensors_name(std::string_view name) {
    for (const TypeRow& row : kTypes)
        if (name == row.safetensors) return row.type;
    return std::nullopt;
}

const char* torch_name(TensorType type) {
    ENSURE(is_floating_point(type), "{} has no name in config.json", safetensors_name(type));
    return row_of(type).torch;
}

TensorType type_from_flag(const std::string& value, const std::string& flag) {
    if (value == "fp32") return TensorType::f32;
    if (value == "bf16") return TensorType::bf16;
    if (value == "fp16") return TensorType::f16;
    throw InputError(fmt::format("{}: found \"{}\", expected fp32, bf16 or fp16", flag, value));
}

uint16_t half_bits_from_float(float value) {
    const auto wide = std::bit_cast<uint32_t>(value);
    const auto sign = static_cast<uint16_t>((wide >> 16) & 0x8000u);
    const uint32_t magnitude = wide & 0x7fffffffu;
    if (magnitude > 0x7f800000u)  // NaN: quiet, with the upper bits of its payload
        return static_cast<uint16_t>(sign | 0x7e00u | ((magnitude >> 13) & 0x1ffu));
    if (magnitude >= 0x477ff000u) return sign | 0x7c00u;  // rounds to 65536 or beyond: infinity
    if (magnitude < 0x38800000u) {
        // Below 2^-14 halves are multiples of 2^-24. Adding 0.5 aligns the float's last bit there,
        // so that the addition itself rounds to nearest even.
        const float aligned = std::bit_cast<float>(magnitude) + 0.5f;
        return static_cast<uint16_t>(sign | (std::bit_cast<uint32_t>(aligned) - 0x3f000000u));
    }
    const uint32_t rounded = magnitude + 0xfffu + ((magnitude >> 13) & 1u);
    return static_cast<uint16_t>(sign | ((rounded - 0x38000000u) >> 13));
}

template <typename T>
void read_elements(const std::byte* bytes, TensorType type, std::span<T> out) {
    switch (type) {
        case TensorType::f64:
            return read_as<double>(bytes, out);
        case TensorType::f32:
            return read_as<float>(bytes, out);
        case TensorType::f16:
            return read_as<Half>(bytes, out);
        case TensorType::bf16:
            return read_as<bf16>(bytes, out);
        default:
            throw Error(
                fmt::format("{} elements are not numbers to compute with", safetensors_name(type)));
    }
}

template <typename T>
void write_elements(std::span<const T> elements, TensorType type, std::byte* bytes) {
    switch (type) {
        case TensorType::f64:
            return write_as<double>(elements, bytes);
        case TensorType::f32:
            return write_as<float>(elements, bytes);
        case TensorType::f16:
            return write_as<Half>(elements, bytes);
        case TensorType::bf16:
            return write_as<bf16>(elements, bytes);
        default:
            throw Error(fmt::format("weights are never written as {}", safetensors_name(type)));
    }
}

template void read_elements(const std::byte*, TensorType, std::span<float>);
template void read_elements(const std::byte*, TensorType, std::span<double>);
template void read_elements(const std::byte*, TensorType, std::span<bf16>);
template void write_elements(std::span<const float>, TensorType, std::byte*);
template void write_elements(std::span<const double>, TensorType, std::byte*);
template void write_elements(std::span<const bf16>, TensorType, std::byte*);
