// GgufFile's construction: header, metadata, table of tensors. gguf_values.cpp has the access to
// values.

#include "model/io/gguf.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <numeric>
#include <optional>

#include "kernels/core/check.h"
#include "model/io/safetensors.h"

namespace {

constexpr uint64_t kMaxEntries = 1 << 16;  // keys or tensors; the largest models have thousands
constexpr uint64_t kMaxName = 1 << 16;     // bytes of a key or of a tensor's name
constexpr uint32_t kMaxDimensions = 4;
constexpr int64_t kDefaultAlignment = 32, kMaxAlignment = 1 << 16;

struct StoredType {
    uint32_t id;
    BlockType type;
};
constexpr StoredType kStoredTypes[] = {
    {0, BlockType::f32},   {1, BlockType::f16},   {2, BlockType::q4_0},  {3, BlockType::q4_1},
    {6, BlockType::q5_0},  {7, BlockType::q5_1},  {8, BlockType::q8_0},  {12, BlockType::q4_k},
    {13, BlockType::q5_k}, {14, BlockType::q6_k}, {30, BlockType::bf16},
};
// ggml's other types by number, for messages.
constexpr const char* kTypeNames[] = {
    "F32",     "F16",    "Q4_0",    "Q4_1",  "Q4_2",   "Q4_3",  "Q5_0",  "Q5_1",
    "Q8_0",    "Q8_1",   "Q2_K",    "Q3_K",  "Q4_K",   "Q5_K",  "Q6_K",  "Q8_K",
    "IQ2_XXS", "IQ2_XS", "IQ3_XXS", "IQ1_S", "IQ4_NL", "IQ3_S", "IQ2_S", "IQ4_XS",
    "I8",      "I16",    "I32",     "I64",   "F64",    "IQ1_M", "BF16"};

BlockType block_type(uint32_t id, const std::string& where) {
    for (const StoredType& stored : kStoredTypes)
        if (stored.id == id) return stored.type;
    throw InputError(fmt::format(
        "{}: found type {}, expected F32, F16, BF16, Q8_0, Q4_0, Q4_1, Q5_0, Q5_1, Q4_K, Q5_K or "
        "Q6_K",
        where, id < std::size(kTypeNames) ? kTypeNames[id] : fmt::format("number {}", id)));
}

// Bytes of a value; 0 for strings and arrays, which say themselves.
constexpr uint64_t kValueBytes[] = {1, 1, 2, 2, 4, 4, 4, 1, 0, 0, 8, 8, 8};

// Reads on from where it is, never beyond the end.
class Cursor {
public:
    Cursor(std::span<const std::byte> bytes, const std::string& source)
        : bytes_(bytes), source_(source) {}

    size_t position() const { return position_; }
    std::span<const std::byte> since(size_t start) const {
        return bytes_.subspan(start, position_ - start);
    }

    std::span<const std::byte> take(uint64_t count, std::string_view what) {
        ENSURE_INPUT(count <= bytes_.size() - position_, source_,
                     "{}: found a length of {} bytes, expected at most the {} that are left in the "
                     "file",
                     what, count, bytes_.size() - position_);
        const size_t start = position_;
        position_ += static_cast<size_t>(count);
        return since(start);
    }

    template <typename T>
    T number(std::string_view what) {
        T value;
        std::memcpy(&value, take(sizeof(T), what).data(), sizeof(T));
        return value;
    }

    std::string_view string(std::string_view what, uint64_t limit = UINT64_MAX) {
        const auto length = number<uint64_t>(what);
        ENSURE_INPUT(length <= limit, source_, "{}: found a name of {} bytes, expected at most {}",
                     what, length, limit);
        const auto text = take(length, what);
        return {reinterpret_cast<const char*>(text.data()), text.size()};
    }

private:
    std::span<const std::byte> bytes_;
    const std::string& source_;
    size_t position_ = 0;
};

GgufType value_type(Cursor& cursor, const std::string& where, const std::string& what) {
    const auto id = cursor.number<uint32_t>(what);
    ENSURE_INPUT(id < std::size(kValueBytes), where, "found a value of type {}, expected 0 to {}",
                 id, std::size(kValueBytes) - 1);
    return static_cast<GgufType>(id);
}

// An array of arrays is refused: no model has one, and it could nest without end.
GgufValue read_value(Cursor& cursor, const std::string& what, const std::string& where) {
    GgufValue value;
    value.type = value_type(cursor, where, what);
    uint64_t count = 1;
    if (value.type == GgufType::array) {
        value.is_array = true;
        value.type = value_type(cursor, where, what);
        ENSURE_INPUT(value.type != GgufType::array, where,
                     "found an array of arrays, expected one of numbers or strings");
        count = cursor.number<uint64_t>(what);
        ENSURE_INPUT(count <= uint64_t{1} << 48, where,
                     "found an array of {} elements, expected one that fits into the file", count);
    }
    const size_t start = cursor.position();
    if (value.type == GgufType::string)
        for (uint64_t i = 0; i < count; ++i) cursor.string(what);
    else
        cursor.take(count * kValueBytes[static_cast<size_t>(value.type)], what);
    value.count = static_cast<int64_t>(count);
    value.bytes = cursor.since(start);
    return value;
}

GgufFile::TensorInfo read_tensor_info(Cursor& cursor, std::string_view name,
                                      const std::string& where) {
    const std::string what = "tensor " + printable(name);
    GgufFile::TensorInfo info;
    info.tensor.name = name;
    const auto dimensions = cursor.number<uint32_t>(what);
    ENSURE_INPUT(dimensions >= 1 && dimensions <= kMaxDimensions, where,
                 "found {} dimensions, expected 1 to {}", dimensions, kMaxDimensions);
    for (uint32_t d = 0; d < dimensions; ++d) {
        const auto extent = cursor.number<uint64_t>(what);
        ENSURE_INPUT(extent >= 1 && extent <= INT64_MAX, where,
                     "found a dimension of {}, expected 1 or more", extent);
        info.tensor.shape.push_back(static_cast<int64_t>(extent));
        ENSURE_INPUT(!__builtin_mul_overflow(info.tensor.count, static_cast<int64_t>(extent),
                                             &info.tensor.count),
                     where, "its dimensions multiply to more than 63 bits hold");
    }
    info.tensor.type = block_type(cursor.number<uint32_t>(what), where);
    const int64_t row = info.tensor.shape[0], block = values_per_block(info.tensor.type);
    ENSURE_INPUT(row % block == 0, where, "found rows of {}, expected a multiple of {} for {}", row,
                 block, name_of(info.tensor.type));
    ENSURE_INPUT(!__builtin_mul_overflow(info.tensor.count / block,
                                         int64_t{bytes_per_block(info.tensor.type)}, &info.bytes),
                 where, "its size takes more than 63 bits");
    std::reverse(info.tensor.shape.begin(), info.tensor.shape.end());
    info.offset = cursor.number<uint64_t>(what);
    return info;
}

// Magic and version.
int read_version(Cursor& cursor, const std::string& source) {
    const auto magic = cursor.take(4, "its magic");
    ENSURE_INPUT(std::memcmp(magic.data(), "GGUF", 4) == 0, source,
                 "does not start with \"GGUF\": not a GGUF file");
    const auto version = cursor.number<uint32_t>("its version");
    ENSURE_INPUT((version & 0xffffu) != 0, source,
                 "found a big-endian file, expected a little-endian one");
    ENSURE_INPUT(version == 2 || version == 3, source, "found GGUF version {}, expected 2 or 3",
                 version);
    return static_cast<int>(version);
}

uint64_t read_count(Cursor& cursor, const char* what, const std::string& source) {
    const auto count = cursor.number<uint64_t>(what);
    ENSURE_INPUT(count <= kMaxEntries, source, "{}: found {}, expected at most {}", what, count,
                 kMaxEntries);
    return count;
}

}  // namespace

std::string printable(std::string_view text) {
    constexpr size_t kMost = 60;
    std::string out;
    for (const char c : text.substr(0, kMost)) out += c >= ' ' && c <= '~' ? c : '?';
    return text.size() > kMost ? out + "..." : out;
}

GgufFile::GgufFile(std::filesystem::path path) : path_(std::move(path)), file_(path_) {
    read();
    check_overlaps();
}

void GgufFile::read() {
    const std::string source = path_.string();
    Cursor cursor(file_.bytes(), source);
    version_ = read_version(cursor, source);
    const uint64_t num_tensors = read_count(cursor, "its number of tensors", source);
    const uint64_t num_keys = read_count(cursor, "its number of keys", source);
    for (uint64_t i = 0; i < num_keys; ++i) {
        const std::string_view key = cursor.string(fmt::format("metadata entry {}", i), kMaxName);
        const std::string what = printable(key), where = source + ": " + what;
        const GgufValue value = read_value(cursor, what, where);
        ENSURE_INPUT(metadata_.emplace(key, value).second, where, "appears twice");
    }
    std::vector<TensorInfo> infos;
    for (uint64_t i = 0; i < num_tensors; ++i) {
        const std::string_view name = cursor.string(fmt::format("tensor entry {}", i), kMaxName);
        const std::string where = source + ": tensor " + printable(name);
        infos.push_back(read_tensor_info(cursor, name, where));
        ENSURE_INPUT(tensor_index_.emplace(name, i).second, where, "appears twice");
    }

    find_data(infos, cursor.position());
}

// Each tensor's bytes, which start behind the tables at a multiple of the alignment.
void GgufFile::find_data(std::vector<TensorInfo>& infos, size_t tables_end) {
    const int64_t alignment = integer_or("general.alignment", kDefaultAlignment);
    if (alignment < 1 || alignment > kMaxAlignment ||
        !std::has_single_bit(static_cast<uint64_t>(alignment)))
        refuse("general.alignment", fmt::format("a power of two up to {}", kMaxAlignment));
    const auto step = static_cast<size_t>(alignment);
    const size_t start = std::min((tables_end + step - 1) / step * step, file_.bytes().size());
    const auto data = file_.bytes().subspan(start);
    for (TensorInfo& info : infos) {
        const std::string where = path_.string() + ": tensor " + printable(info.tensor.name);
        ENSURE_INPUT(info.offset % step == 0, where, "found offset {}, expected a multiple of {}",
                     info.offset, alignment);
        ENSURE_INPUT(info.offset <= data.size() &&
                         static_cast<uint64_t>(info.bytes) <= data.size() - info.offset,
                     where,
                     "found {} bytes at offset {}, expected them within the {} bytes of data",
                     info.bytes, info.offset, data.size());
        info.tensor.bytes = data.subspan(info.offset, static_cast<size_t>(info.bytes));
        tensors_.push_back(std::move(info.tensor));
    }
}

void GgufFile::check_overlaps() const {
    std::vector<const GgufTensor*> order;
    for (const GgufTensor& tensor : tensors_) order.push_back(&tensor);
    std::sort(order.begin(), order.end(),
              [](const auto* a, const auto* b) { return a->bytes.data() < b->bytes.data(); });
    for (size_t i = 1; i < order.size(); ++i) {
        const auto before = order[i - 1]->bytes;
        ENSURE_INPUT(order[i]->bytes.data() >= before.data() + before.size(), path_.string(),
                     "tensors {} and {} overlap, expected each to have bytes of its own",
                     printable(order[i - 1]->name), printable(order[i]->name));
    }
}

const GgufTensor* GgufFile::find_tensor(std::string_view name) const {
    const auto found = tensor_index_.find(name);
    return found == tensor_index_.end() ? nullptr : &tensors_[found->second];
}
