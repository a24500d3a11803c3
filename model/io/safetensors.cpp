#include "model/io/safetensors.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <nlohmann/json.hpp>

#include "kernels/core/check.h"
#include "model/io/json.h"

static_assert(std::endian::native == std::endian::little, "safetensors files are little-endian");

namespace {

constexpr int64_t kLengthBytes = 8;
constexpr int64_t kMaxHeaderBytes = 100'000'000;  // the library's own limit
constexpr int64_t kMaxDimensions = 16;

// The header's length as the file claims it, believed only as far as the file reaches.
int64_t header_bytes(std::span<const std::byte> file, const std::string& source) {
    const auto size = static_cast<int64_t>(file.size());
    ENSURE_INPUT(size >= kLengthBytes, source,
                 "found {} bytes, expected the 8 bytes of a safetensors header's length", size);
    uint64_t claimed = 0;
    std::memcpy(&claimed, file.data(), sizeof claimed);
    ENSURE_INPUT(claimed <= uint64_t{kMaxHeaderBytes}, source,
                 "claims a header of {} bytes, expected at most {}: not a safetensors file",
                 claimed, kMaxHeaderBytes);
    ENSURE_INPUT(static_cast<int64_t>(claimed) <= size - kLengthBytes, source,
                 "claims a header of {} bytes, found {} after its length", claimed,
                 size - kLengthBytes);
    return static_cast<int64_t>(claimed);
}

std::map<std::string, std::string> read_metadata(const nlohmann::json& json,
                                                 const std::string& source) {
    std::map<std::string, std::string> metadata;
    ENSURE_INPUT(json.is_object(), source, "__metadata__: found {}, expected an object",
                 excerpt(json));
    for (const auto& [key, value] : json.items()) {
        ENSURE_INPUT(value.is_string(), source, "__metadata__: {}: found {}, expected a string",
                     key, excerpt(value));
        metadata[key] = value.get<std::string>();
    }
    return metadata;
}

// Multiplies sizes that a file claims; an InputError where the product leaves 63 bits.
int64_t checked_product(int64_t a, int64_t b, const std::string& source) {
    int64_t product = 0;
    ENSURE_INPUT(!__builtin_mul_overflow(a, b, &product), source,
                 "shape: the number of bytes does not fit in 63 bits");
    return product;
}

StoredTensor read_tensor(const std::string& name, const nlohmann::json& json,
                         std::span<const std::byte> data, const std::string& file) {
    const JsonObject entry(json, fmt::format("{}: tensor {}", file, name));
    const std::string& source = entry.source();
    StoredTensor tensor;
    tensor.name = name;
    const auto type = type_from_safetensors_name(entry.string("dtype"));
    if (!type) entry.refuse("dtype", "a type such as F32, F16 or BF16");
    tensor.type = *type;

    if (!json.contains("shape") || !json["shape"].is_array())
        entry.refuse("shape", "a list of sizes");
    tensor.shape = entry.integers("shape");
    ENSURE_INPUT(static_cast<int64_t>(tensor.shape.size()) <= kMaxDimensions, source,
                 "shape: found {} dimensions, expected at most {}", tensor.shape.size(),
                 kMaxDimensions);
    for (const int64_t extent : tensor.shape) {
        ENSURE_INPUT(extent >= 0, source, "shape: found {}, expected no negative size",
                     shape_text(tensor.shape));
        tensor.count = checked_product(tensor.count, extent, source);
    }
    const int64_t expected = checked_product(tensor.count, bytes_per_element(*type), source);

    const std::vector<int64_t> offsets = entry.integers("data_offsets");
    if (offsets.size() != 2) entry.refuse("data_offsets", "[begin, end]");
    const int64_t begin = offsets[0], end = offsets[1];
    const auto available = static_cast<int64_t>(data.size());
    ENSURE_INPUT(0 <= begin && begin <= end && end <= available, source,
                 "data_offsets: found [{}, {}], expected them within the file's {} data bytes",
                 begin, end, available);
    ENSURE_INPUT(end - begin == expected, source,
                 "data_offsets: found {} bytes, expected {} for shape {} of {}", end - begin,
                 expected, shape_text(tensor.shape), safetensors_name(*type));
    tensor.bytes = data.subspan(static_cast<size_t>(begin), static_cast<size_t>(end - begin));
    return tensor;
}

}  // namespace

std::string shape_text(std::span<const int64_t> shape) {
    std::string text = "[";
    for (size_t i = 0; i < shape.size(); ++i) text += (i ? ", " : "") + std::to_string(shape[i]);
    return text + "]";
}

SafetensorsFile::SafetensorsFile(std::filesystem::path path)
    : path_(std::move(path)), file_(path_) {
    read_header();
}

void SafetensorsFile::read_header() {
    const std::string source = path_.string();
    const std::span<const std::byte> file = file_.bytes();
    const int64_t length = header_bytes(file, source);
    const auto header = file.subspan(kLengthBytes, static_cast<size_t>(length));
    const auto data = file.subspan(static_cast<size_t>(kLengthBytes + length));
    const std::string_view text(reinterpret_cast<const char*>(header.data()), header.size());
    ENSURE_INPUT(text.starts_with('{'), source,
                 "its header does not start with '{{': not a safetensors file");

    const nlohmann::json json = parse_json(text, source + ": header", {.max_depth = 4});
    for (const auto& [name, value] : json.items()) {
        if (name == "__metadata__")
            metadata_ = read_metadata(value, source);
        else
            tensors_.push_back(read_tensor(name, value, data, source));
    }
    std::stable_sort(tensors_.begin(), tensors_.end(), [](const auto& a, const auto& b) {
        return std::pair(a.bytes.data(), a.bytes.size()) <
               std::pair(b.bytes.data(), b.bytes.size());
    });
    check_layout(data);
}

// The tensors, in order, must cover the data: no two overlap and no byte is left over, so that a
// file has one meaning and nothing hides in it.
void SafetensorsFile::check_layout(std::span<const std::byte> data) const {
    const std::byte* expected = data.data();
    for (const StoredTensor& tensor : tensors_) {
        const int64_t found = tensor.bytes.data() - data.data();
        ENSURE_INPUT(tensor.bytes.data() == expected, path_.string(),
                     "tensor {} starts at data byte {}, expected {}: tensors {}", tensor.name,
                     found, expected - data.data(),
                     tensor.bytes.data() < expected ? "overlap" : "leave a gap");
        expected += tensor.bytes.size();
    }
    const auto used = static_cast<size_t>(expected - data.data());
    ENSURE_INPUT(used == data.size(), path_.string(),
                 "found {} data bytes, expected {}: the tensors end there", data.size(), used);
}

const StoredTensor* SafetensorsFile::find(std::string_view name) const {
    for (const StoredTensor& tensor : tensors_)
        if (tensor.name == name) return &tensor;
    return nullptr;
}
