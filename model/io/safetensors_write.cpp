// write_safetensors: sorts, writes the header, then streams each tensor through one small buffer.

#include <algorithm>
#include <cstring>
#include <nlohmann/json.hpp>

#include "kernels/core/check.h"
#include "model/io/atomic_file.h"
#include "model/io/safetensors.h"

namespace {

constexpr int64_t kPieceBytes = int64_t{4} << 20;
constexpr int64_t kHeaderAlignment = 8;

std::string header_of(const std::vector<TensorToWrite>& tensors,
                      const std::map<std::string, std::string>& metadata) {
    nlohmann::ordered_json header = nlohmann::ordered_json::object();
    if (!metadata.empty()) header["__metadata__"] = metadata;
    int64_t begin = 0;
    for (const TensorToWrite& tensor : tensors) {
        const int64_t end = begin + tensor.bytes();
        // A list of pairs: looking each name up in an ordered object would be quadratic.
        nlohmann::ordered_json entry = {{"dtype", safetensors_name(tensor.type)},
                                        {"shape", tensor.shape},
                                        {"data_offsets", {begin, end}}};
        header.get_ref<nlohmann::ordered_json::object_t&>().push_back(
            {tensor.name, std::move(entry)});
        begin = end;
    }
    std::string text = header.dump();
    while (text.size() % kHeaderAlignment != 0) text += ' ';
    return text;
}

void write_tensor(AtomicFile& file, const TensorToWrite& tensor, std::span<std::byte> piece) {
    const int64_t element = bytes_per_element(tensor.type);
    const int64_t total = tensor.bytes();
    for (int64_t done = 0; done < total;) {
        const int64_t now = std::min<int64_t>(total - done, static_cast<int64_t>(piece.size()));
        const auto bytes = piece.first(static_cast<size_t>(now));
        tensor.fill(done / element, bytes);
        file.write(bytes);
        done += now;
    }
}

}  // namespace

int64_t TensorToWrite::bytes() const {
    int64_t bytes = bytes_per_element(type);
    for (const int64_t extent : shape) bytes *= extent;
    return bytes;
}

int64_t write_safetensors(const std::filesystem::path& path, std::vector<TensorToWrite> tensors,
                          const std::map<std::string, std::string>& metadata) {
    std::sort(tensors.begin(), tensors.end(), [](const auto& a, const auto& b) {
        const int64_t size_a = bytes_per_element(a.type), size_b = bytes_per_element(b.type);
        return size_a != size_b ? size_a > size_b : a.name < b.name;
    });
    for (size_t i = 1; i < tensors.size(); ++i)
        ENSURE(tensors[i].name != tensors[i - 1].name, "{}: tensor {} is to be written twice",
               path.string(), tensors[i].name);
    const std::string header = header_of(tensors, metadata);
    const uint64_t length = header.size();

    AtomicFile file(path);
    file.write(std::as_bytes(std::span(&length, 1)));
    file.write(header);
    std::vector<std::byte> piece(kPieceBytes);
    for (const TensorToWrite& tensor : tensors) write_tensor(file, tensor, piece);
    file.commit();
    return file.bytes_written();
}
