// save_model: one file, or parts of at most max_shard_bytes with an index.

#include <cmath>
#include <nlohmann/json.hpp>

#include "kernels/core/check.h"
#include "model/io/atomic_file.h"
#include "model/io/hugging_face.h"
#include "model/io/safetensors.h"

namespace {

namespace fs = std::filesystem;

// Converts a piece and makes sure that no finite weight became infinite on the way.
template <typename Element>
void fill_piece(const fs::path& folder, const Parameter& parameter, TensorType type,
                std::span<const Element> elements, std::span<std::byte> bytes) {
    write_elements(elements, type, bytes.data());
    if (type != TensorType::f16 && type != TensorType::bf16) return;
    for (size_t i = 0; i < elements.size(); ++i) {
        float written = 0;
        read_elements(bytes.data() + 2 * i, type, std::span(&written, 1));
        ENSURE_INPUT(std::isfinite(written) || !std::isfinite(static_cast<float>(elements[i])),
                     folder.string(), "tensor {}: the weight {} is beyond the range of {}",
                     parameter.name, static_cast<float>(elements[i]), torch_name(type));
    }
}

template <typename Element>
TensorToWrite to_write(const fs::path& folder, const Parameter& parameter, TensorType type,
                       const Element* elements) {
    const auto fill = [=, &folder, &parameter](int64_t first, std::span<std::byte> bytes) {
        const size_t count = bytes.size() / static_cast<size_t>(bytes_per_element(type));
        fill_piece(folder, parameter, type, std::span(elements + first, count), bytes);
    };
    return {.name = parameter.name, .type = type, .shape = parameter.shape, .fill = fill};
}

// One element per file: as many tensors as fit in max_shard_bytes, and at least one.
using Parts = std::vector<std::vector<TensorToWrite>>;

Parts split(std::vector<TensorToWrite> tensors, int64_t max_shard_bytes) {
    Parts parts(1);
    int64_t bytes = 0;
    for (TensorToWrite& tensor : tensors) {
        if (!parts.back().empty() && bytes + tensor.bytes() > max_shard_bytes) {
            parts.emplace_back();
            bytes = 0;
        }
        bytes += tensor.bytes();
        parts.back().push_back(std::move(tensor));
    }
    return parts;
}

void write_parts(const fs::path& folder, Parts parts, int64_t num_parameters) {
    if (parts.size() == 1) {
        write_safetensors(folder / "model.safetensors", std::move(parts[0]));
        return;
    }
    nlohmann::ordered_json map = nlohmann::ordered_json::object();
    int64_t total = 0;
    for (size_t i = 0; i < parts.size(); ++i) {
        const std::string name =
            fmt::format("model-{:05}-of-{:05}.safetensors", i + 1, parts.size());
        for (const TensorToWrite& tensor : parts[i]) {
            map.get_ref<nlohmann::ordered_json::object_t&>().push_back({tensor.name, name});
            total += tensor.bytes();
        }
        write_safetensors(folder / name, std::move(parts[i]));
    }
    const nlohmann::ordered_json index = {
        {"metadata", {{"total_parameters", num_parameters}, {"total_size", total}}},
        {"weight_map", map}};
    write_file(folder / "model.safetensors.index.json", index.dump(2) + "\n");
}

}  // namespace

template <typename T>
void save_model(const ModelConfig& config, const ParameterStore<T>& store, const SaveModel& args) {
    const ParameterTable& table = store.table();
    std::error_code error;
    fs::create_directories(args.folder, error);
    ENSURE_INPUT(!error, args.folder.string(), "cannot be created: {}", error.message());
    const std::string config_text = config_to_json(config, args.type);

    std::vector<TensorToWrite> tensors;
    for (int index = 0; index < table.size(); ++index) {
        if (table[index].tied_to) continue;
        if (store.has(Role::master))
            tensors.push_back(
                to_write(args.folder, table[index], args.type, store.at(Role::master, index)));
        else
            tensors.push_back(to_write(args.folder, table[index], args.type, store.weight(index)));
    }
    write_parts(args.folder, split(std::move(tensors), args.max_shard_bytes),
                table.num_parameters());
    if (!args.tokenizer_from.empty()) copy_tokenizer_files(args.tokenizer_from, args.folder);
    if (!args.chat_jinja.empty()) write_file(args.folder / "chat_template.jinja", args.chat_jinja);
    write_file(args.folder / "config.json", config_text);  // last: without it this is no model
}

template void save_model(const ModelConfig&, const ParameterStore<float>&, const SaveModel&);
template void save_model(const ModelConfig&, const ParameterStore<double>&, const SaveModel&);
template void save_model(const ModelConfig&, const ParameterStore<bf16>&, const SaveModel&);
