// The element types that model files hold, and conversion between them and what Fettle computes in.
// Every conversion rounds to nearest even and is exact where the value is representable.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

enum class TensorType { f64, f32, f16, bf16, i64, i32, i16, i8, u64, u32, u16, u8, boolean };

int64_t bytes_per_element(TensorType type);
bool is_floating_point(TensorType type);

// "F32": the spelling in safetensors headers. Empty for a name that Fettle does not know.
const char* safetensors_name(TensorType type);
std::optional<TensorType> type_from_safetensors_name(std::string_view name);

// "float32": the spelling in config.json. Only the floating-point types have one.
const char* torch_name(TensorType type);

// "fp32", "bf16" or "fp16": the spelling of flags; anything else is an InputError that names
// `flag`.
TensorType type_from_flag(const std::string& value, const std::string& flag);

// IEEE half precision as bits; float_from_half (kernels/quantize/half.h) is the way back.
uint16_t half_bits_from_float(float value);

// Reads out.size() elements of floating-point type `type` at `bytes`, which need not be aligned.
// T is float, double or bf16.
template <typename T>
void read_elements(const std::byte* bytes, TensorType type, std::span<T> out);

// Writes the elements as `type` (f64, f32, f16 or bf16) to `bytes`, which need not be aligned.
template <typename T>
void write_elements(std::span<const T> elements, TensorType type, std::byte* bytes);
