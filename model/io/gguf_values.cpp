// GgufFile: the metadata's values by type.

#include <charconv>
#include <cmath>
#include <cstring>
#include <optional>

#include "kernels/core/check.h"
#include "model/io/gguf.h"

namespace {

template <typename T>
T load(const std::byte* bytes) {
    T value;
    std::memcpy(&value, bytes, sizeof(T));
    return value;
}

// The double with the float's shortest spelling.
double as_spelled(float value) {
    char text[64];
    const auto end = std::to_chars(text, text + sizeof(text), value).ptr;
    double out = 0.0;
    std::from_chars(text, end, out);
    return out;
}

std::optional<int64_t> as_integer(GgufType type, const std::byte* bytes) {
    switch (type) {
        case GgufType::u8:
            return load<uint8_t>(bytes);
        case GgufType::i8:
            return load<int8_t>(bytes);
        case GgufType::u16:
            return load<uint16_t>(bytes);
        case GgufType::i16:
            return load<int16_t>(bytes);
        case GgufType::u32:
            return load<uint32_t>(bytes);
        case GgufType::i32:
            return load<int32_t>(bytes);
        case GgufType::i64:
            return load<int64_t>(bytes);
        case GgufType::u64: {
            const auto value = load<uint64_t>(bytes);
            return value <= INT64_MAX ? std::optional<int64_t>(value) : std::nullopt;
        }
        default:
            return std::nullopt;
    }
}

std::optional<double> as_number(GgufType type, const std::byte* bytes) {
    std::optional<double> value;
    if (type == GgufType::f32)
        value = as_spelled(load<float>(bytes));
    else if (type == GgufType::f64)
        value = load<double>(bytes);
    else if (const auto integer = as_integer(type, bytes))
        value = static_cast<double>(*integer);
    return value && std::isfinite(*value) ? value : std::nullopt;
}

int64_t bytes_of(GgufType type) {
    constexpr int64_t kBytes[] = {1, 1, 2, 2, 4, 4, 4, 1, 0, 0, 8, 8, 8};
    return kBytes[static_cast<size_t>(type)];
}

std::string_view string_at(const std::byte* bytes) {
    return {reinterpret_cast<const char*>(bytes + sizeof(uint64_t)), load<uint64_t>(bytes)};
}

std::string spelled(const GgufValue& value) {
    const bool text = value.type == GgufType::string;
    if (value.is_array)
        return fmt::format("an array of {} {}", value.count, text ? "strings" : "numbers");
    const std::byte* bytes = value.bytes.data();
    if (text) return fmt::format("\"{}\"", printable(string_at(bytes)));
    if (value.type == GgufType::boolean)
        return fmt::format("a boolean of value {}", load<uint8_t>(bytes));
    if (value.type == GgufType::f32) return fmt::format("{}", load<float>(bytes));
    if (value.type == GgufType::f64) return fmt::format("{}", load<double>(bytes));
    if (value.type == GgufType::u64) return fmt::format("{}", load<uint64_t>(bytes));
    return fmt::format("{}", *as_integer(value.type, bytes));
}

}  // namespace

void GgufFile::refuse(const std::string& key, const std::string& expected) const {
    const auto found = metadata_.find(key);
    throw InputError(fmt::format("{}: {}: found {}, expected {}", path_.string(), printable(key),
                                 found == metadata_.end() ? "nothing" : spelled(found->second),
                                 expected));
}

const GgufValue& GgufFile::at(const std::string& key, const char* expected) const {
    const auto found = metadata_.find(key);
    if (found == metadata_.end() || found->second.is_array) refuse(key, expected);
    return found->second;
}

int64_t GgufFile::integer(const std::string& key) const {
    const GgufValue& value = at(key, "an integer");
    const auto integer = as_integer(value.type, value.bytes.data());
    if (!integer) refuse(key, "an integer");
    return *integer;
}

double GgufFile::number(const std::string& key) const {
    const GgufValue& value = at(key, "a number");
    const auto number = as_number(value.type, value.bytes.data());
    if (!number) refuse(key, "a finite number");
    return *number;
}

bool GgufFile::boolean(const std::string& key) const {
    const GgufValue& value = at(key, "a boolean");
    if (value.type != GgufType::boolean || load<uint8_t>(value.bytes.data()) > 1)
        refuse(key, "a boolean, 0 or 1");
    return load<uint8_t>(value.bytes.data()) == 1;
}

std::string GgufFile::string(const std::string& key) const {
    const GgufValue& value = at(key, "a string");
    if (value.type != GgufType::string) refuse(key, "a string");
    return std::string(string_at(value.bytes.data()));
}

int64_t GgufFile::integer_or(const std::string& key, int64_t fallback) const {
    return has(key) ? integer(key) : fallback;
}
double GgufFile::number_or(const std::string& key, double fallback) const {
    return has(key) ? number(key) : fallback;
}
bool GgufFile::boolean_or(const std::string& key, bool fallback) const {
    return has(key) ? boolean(key) : fallback;
}
std::string GgufFile::string_or(const std::string& key, const std::string& fallback) const {
    return has(key) ? string(key) : fallback;
}

// Null if absent.
const GgufValue* GgufFile::array_at(const std::string& key, int64_t limit,
                                    const char* expected) const {
    const auto found = metadata_.find(key);
    if (found == metadata_.end()) return nullptr;
    if (!found->second.is_array) refuse(key, expected);
    if (found->second.count > limit) refuse(key, fmt::format("at most {} elements", limit));
    return &found->second;
}

std::vector<std::string> GgufFile::strings(const std::string& key, int64_t limit) const {
    const GgufValue* array = array_at(key, limit, "an array of strings");
    std::vector<std::string> out;
    if (array == nullptr) return out;
    if (array->type != GgufType::string) refuse(key, "an array of strings");
    const std::byte* bytes = array->bytes.data();
    for (int64_t i = 0; i < array->count; ++i) {
        out.emplace_back(string_at(bytes));
        bytes += sizeof(uint64_t) + out.back().size();
    }
    return out;
}

std::vector<int64_t> GgufFile::integers(const std::string& key, int64_t limit) const {
    const GgufValue* array = array_at(key, limit, "an array of integers");
    std::vector<int64_t> out;
    for (int64_t i = 0; array != nullptr && i < array->count; ++i) {
        const std::byte* bytes = array->bytes.data() + i * bytes_of(array->type);
        const auto value = as_integer(array->type, bytes);
        if (!value) refuse(key, "an array of integers");
        out.push_back(*value);
    }
    return out;
}

std::vector<float> GgufFile::floats(const std::string& key, int64_t limit) const {
    const GgufValue* array = array_at(key, limit, "an array of numbers");
    std::vector<float> out;
    if (array == nullptr) return out;
    if (array->type != GgufType::f32) refuse(key, "an array of 32-bit floats");
    out.resize(static_cast<size_t>(array->count));
    if (!out.empty()) std::memcpy(out.data(), array->bytes.data(), array->bytes.size());
    return out;
}
