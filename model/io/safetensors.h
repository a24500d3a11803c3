// Safetensors: named tensors in one file, the form in which Hugging Face stores weights.
// The format, and what is refused, is described in docs/format_safetensors.md.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "model/io/mapped_file.h"
#include "model/io/tensor_type.h"

struct StoredTensor {
    std::string name;
    TensorType type = TensorType::f32;
    std::vector<int64_t> shape;        // slowest first; empty for a single number
    int64_t count = 1;                 // elements
    std::span<const std::byte> bytes;  // within the mapped file; may not be aligned
};

std::string shape_text(std::span<const int64_t> shape);  // "[2, 3]"

// An open file. The whole header is checked on construction: whatever does not add up is an
// InputError that names the file, the tensor, what was found and what was expected.
class SafetensorsFile {
public:
    explicit SafetensorsFile(std::filesystem::path path);

    const std::filesystem::path& path() const { return path_; }
    // In the order of their bytes in the file.
    std::span<const StoredTensor> tensors() const { return tensors_; }
    const StoredTensor* find(std::string_view name) const;  // null if absent
    const std::map<std::string, std::string>& metadata() const { return metadata_; }

private:
    void read_header();
    void check_layout(std::span<const std::byte> data) const;

    std::filesystem::path path_;
    MappedFile file_;
    std::vector<StoredTensor> tensors_;
    std::map<std::string, std::string> metadata_;
};

// A tensor to be written: `fill` puts elements [first, first + bytes.size() / element size) at
// `bytes`. Called with consecutive pieces, so that no tensor is ever held twice in memory.
struct TensorToWrite {
    std::string name;
    TensorType type = TensorType::f32;
    std::vector<int64_t> shape;
    std::function<void(int64_t first, std::span<std::byte> bytes)> fill;

    int64_t bytes() const;
};

// Writes the file atomically, byte for byte as the safetensors library lays it out: tensors by
// descending alignment, then by name; metadata {"format": "pt"}. Returns the size of the file.
int64_t write_safetensors(const std::filesystem::path& path, std::vector<TensorToWrite> tensors,
                          const std::map<std::string, std::string>& metadata = {{"format", "pt"}});
