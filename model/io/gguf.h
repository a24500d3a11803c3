// GGUF: llama.cpp's model files, metadata and tensors in one file.
// The format, and what is refused, is described in docs/format_gguf.md.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "kernels/quantize/dequantize.h"
#include "model/io/mapped_file.h"

// Numbered as in the file.
enum class GgufType : uint32_t {
    u8,
    i8,
    u16,
    i16,
    u32,
    i32,
    f32,
    boolean,
    string,
    array,
    u64,
    i64,
    f64
};

// A value of the metadata, where it lies in the file.
struct GgufValue {
    GgufType type = GgufType::u8;  // of an array: that of its elements
    bool is_array = false;
    int64_t count = 1;
    std::span<const std::byte> bytes;  // each string after its length
};

struct GgufTensor {
    std::string name;
    BlockType type = BlockType::f32;
    std::vector<int64_t> shape;        // slowest first (the file has it the other way round)
    int64_t count = 1;                 // weights
    std::span<const std::byte> bytes;  // within the mapped file
};

// An open file. All of it but the tensors' data is checked on construction, all values on access:
// whatever does not add up is an InputError that names the file, the key or tensor, what was found
// and what was expected.
class GgufFile {
public:
    explicit GgufFile(std::filesystem::path path);

    const std::filesystem::path& path() const { return path_; }
    int version() const { return version_; }

    // In the order of the file's table.
    std::span<const GgufTensor> tensors() const { return tensors_; }
    const GgufTensor* find_tensor(std::string_view name) const;  // null if absent

    const std::map<std::string_view, GgufValue>& metadata() const { return metadata_; }
    bool has(const std::string& key) const { return metadata_.contains(key); }

    int64_t integer(const std::string& key) const;  // of any width
    // Finite; an integer too. A stored float becomes the double that is spelled the same, so that
    // 1e-05f is 1e-05.
    double number(const std::string& key) const;
    bool boolean(const std::string& key) const;
    std::string string(const std::string& key) const;

    // A missing key is the fallback; one of another type is not.
    int64_t integer_or(const std::string& key, int64_t fallback) const;
    double number_or(const std::string& key, double fallback) const;
    bool boolean_or(const std::string& key, bool fallback) const;
    std::string string_or(const std::string& key, const std::string& fallback) const;

    // Arrays; empty if absent. More than `limit` elements are refused before any is copied.
    std::vector<std::string> strings(const std::string& key, int64_t limit) const;
    std::vector<int64_t> integers(const std::string& key, int64_t limit) const;
    std::vector<float> floats(const std::string& key, int64_t limit) const;

    // An InputError "file: key: found VALUE, expected ...".
    [[noreturn]] void refuse(const std::string& key, const std::string& expected) const;

    // What the table says of a tensor; its bytes are still to be found.
    struct TensorInfo {
        GgufTensor tensor;
        uint64_t offset = 0;  // from the start of the data
        int64_t bytes = 0;
    };

private:
    void read();
    void find_data(std::vector<TensorInfo>& infos, size_t tables_end);
    void check_overlaps() const;
    const GgufValue& at(const std::string& key, const char* expected) const;
    const GgufValue* array_at(const std::string& key, int64_t limit, const char* expected) const;

    std::filesystem::path path_;
    MappedFile file_;
    int version_ = 0;
    std::map<std::string_view, GgufValue> metadata_;  // keys lie in the mapped file
    std::vector<GgufTensor> tensors_;
    std::map<std::string_view, size_t> tensor_index_;
};

// At most 60 characters of text from a file, fit for one line of a message.
std::string printable(std::string_view text);
