// check_tensors, load_weights: each parameter's tensor, its checks, its copy.

#include <algorithm>
#include <bit>

#include "kernels/core/check.h"
#include "model/io/hugging_face.h"
#include "model/io/mapped_file.h"
#include "model/io/quantized_tensor.h"
#include "model/io/safetensors.h"

namespace {

// What GPT-2 files hold beside weights: causal masks, and RoPE's frequencies in old Llama files.
bool is_buffer(const std::string& name) {
    for (const char* suffix : {".attn.bias", ".attn.masked_bias", ".rotary_emb.inv_freq"})
        if (name.ends_with(suffix)) return true;
    return false;
}

// Where one parameter comes from.
struct Origin {
    const SafetensorsFile* file = nullptr;
    const StoredTensor* tensor = nullptr;
    std::optional<BlockType> blocks = {};  // that the tensor's bytes are
    std::string where() const {
        return fmt::format("{}: tensor {}", file->path().string(), tensor->name);
    }
};

// The parameter that a stored name means: GPT2Model and LlamaModel files lack the first component.
int parameter_of(const ParameterTable& table, const std::string& stored) {
    for (const char* prefix : {"", "transformer.", "model."})
        if (const int index = table.find(prefix + stored); index >= 0) return index;
    return -1;
}

void check_blocks(const Origin& origin, const Parameter& parameter) {
    ENSURE_INPUT(parameter.shape.size() == 2, origin.where(), "found {} blocks, expected a vector",
                 name_of(*origin.blocks));
    const QuantizedShape shape = quantized_shape(parameter);
    const int values = values_per_block(*origin.blocks);
    ENSURE_INPUT(shape.columns % values == 0, origin.where(),
                 "found {} blocks of {} weights for rows of {}", name_of(*origin.blocks), values,
                 shape.columns);
    const int64_t expected[] = {shape.rows,
                                QuantizedWeight{.type = *origin.blocks}.row_bytes(shape.columns)};
    ENSURE_INPUT(std::ranges::equal(origin.tensor->shape, expected), origin.where(),
                 "found shape {}, expected {}", shape_text(origin.tensor->shape),
                 shape_text(expected));
    ENSURE_INPUT(origin.tensor->type == TensorType::u8, origin.where(),
                 "found type {}, expected U8", safetensors_name(origin.tensor->type));
}

void check_tensor(const Origin& origin, const Parameter& parameter) {
    if (origin.blocks) return check_blocks(origin, parameter);
    ENSURE_INPUT(origin.tensor->shape == parameter.shape, origin.where(),
                 "found shape {}, expected {}", shape_text(origin.tensor->shape),
                 shape_text(parameter.shape));
    ENSURE_INPUT(is_floating_point(origin.tensor->type), origin.where(),
                 "found type {}, expected F32, BF16, F16 or F64",
                 safetensors_name(origin.tensor->type));
}

void add_origin(Origin origin, const ParameterTable& table, std::vector<Origin>& origins) {
    int index = parameter_of(table, origin.tensor->name);
    if (const auto name = parse_quantized_name(origin.tensor->name); name && index < 0) {
        index = parameter_of(table, std::string(name->parameter));
        origin.blocks = name->type;
    }
    if (index < 0) {
        ENSURE_INPUT(is_buffer(origin.tensor->name), origin.where(),
                     "is not part of the model that config.json describes");
        return;
    }
    Origin& place = origins[static_cast<size_t>(index)];
    ENSURE_INPUT(place.tensor == nullptr, origin.where(), "is also in {} as {}",
                 place.file->path().string(), place.tensor->name);
    check_tensor(origin, table[index]);
    place = origin;
}

// A file may repeat the embedding as a tied head; a head of its own contradicts the config. A tied
// head may also be the only one of the two that was stored.
void settle_tied(const ParameterTable& table, std::vector<Origin>& origins) {
    for (int index = 0; index < table.size(); ++index) {
        if (!table[index].tied_to) continue;
        const Origin& head = origins[static_cast<size_t>(index)];
        Origin& shared = origins[static_cast<size_t>(*table[index].tied_to)];
        if (head.tensor == nullptr) continue;
        if (shared.tensor == nullptr) shared = head;
        ENSURE_INPUT(head.tensor->type == shared.tensor->type &&
                         std::equal(head.tensor->bytes.begin(), head.tensor->bytes.end(),
                                    shared.tensor->bytes.begin(), shared.tensor->bytes.end()),
                     head.where(), "differs from {}, expected them equal: config.json ties the two",
                     shared.tensor->name);
    }
}

std::vector<SafetensorsFile> open_all(const ModelFolder& folder) {
    std::vector<SafetensorsFile> files;
    files.reserve(folder.weight_files.size());
    for (const std::filesystem::path& path : folder.weight_files) files.emplace_back(path);
    return files;
}

std::vector<Origin> find_origins(const std::vector<SafetensorsFile>& files,
                                 const ModelFolder& folder, const ParameterTable& table) {
    std::vector<Origin> origins(static_cast<size_t>(table.size()));
    for (const SafetensorsFile& file : files)
        for (const StoredTensor& tensor : file.tensors())
            add_origin({&file, &tensor}, table, origins);
    settle_tied(table, origins);
    int missing = 0;
    std::string first;
    for (int index = 0; index < table.size(); ++index) {
        if (table[index].tied_to || origins[static_cast<size_t>(index)].tensor != nullptr) continue;
        if (missing++ == 0) first = table[index].name;
    }
    const std::string source = files.size() == 1 ? files[0].path().string() : folder.path.string();
    ENSURE_INPUT(missing == 0, source,
                 "tensor {} is missing ({} of the {} that config.json calls for are)", first,
                 missing, table.size());
    return origins;
}

// By its bits, which no compiler flag can optimise away.
bool is_finite(float value) {
    return (std::bit_cast<uint32_t>(value) & 0x7f800000u) != 0x7f800000u;
}
bool is_finite(bf16 value) { return (value.bits & 0x7f80u) != 0x7f80u; }
bool is_finite(double value) {
    constexpr uint64_t kExponent = uint64_t{0x7ff} << 52;
    return (std::bit_cast<uint64_t>(value) & kExponent) != kExponent;
}

template <typename Element>
void copy_tensor(const Origin& origin, std::span<Element> out) {
    read_elements(origin.tensor->bytes.data(), origin.tensor->type, out);
    size_t bad = 0;
    for (const Element value : out) bad += !is_finite(value);
    if (bad == 0) return;
    const auto first = std::find_if(out.begin(), out.end(), [](auto v) { return !is_finite(v); });
    const int64_t index = first - out.begin();
    double stored = 0;
    const int64_t offset = index * bytes_per_element(origin.tensor->type);
    read_elements(origin.tensor->bytes.data() + offset, origin.tensor->type, std::span(&stored, 1));
    throw InputError(fmt::format(
        "{}: element {} is {}, expected finite weights{} ({} such elements)", origin.where(), index,
        stored, is_finite(stored) ? " that its type in memory can hold" : "", bad));
}

template <typename T>
void copy_blocks(const Origin& origin, int index, ParameterStore<T>& store) {
    const Parameter& parameter = store.table()[index];
    const std::span<const std::byte> bytes = origin.tensor->bytes;
    const auto bad = find_bad_block(*origin.blocks, bytes);
    ENSURE_INPUT(!bad, origin.where(), "block {} has a scale that is not finite", *bad);
    if (parameter.quantized) {
        const auto out = store.allocate_quantized(index, *origin.blocks);
        std::copy(bytes.begin(), bytes.end(), out.begin());
        return;
    }
    const auto count = static_cast<size_t>(parameter.count);
    dequantize_parameter(parameter, *origin.blocks, bytes, std::span(store.weight(index), count));
    if (store.has(Role::master))
        dequantize_parameter(parameter, *origin.blocks, bytes,
                             std::span(store.master(index), count));
}

template <typename T>
void copy_elements(const Origin& origin, int index, ParameterStore<T>& store) {
    const Parameter& parameter = store.table()[index];
    ENSURE_INPUT(!parameter.quantized, origin.where(), "found {}, expected quantised blocks",
                 safetensors_name(origin.tensor->type));
    const auto count = static_cast<size_t>(parameter.count);
    copy_tensor(origin, std::span(store.weight(index), count));
    if (store.has(Role::master)) copy_tensor(origin, std::span(store.master(index), count));
}

}  // namespace

void check_tensors(const ModelFolder& folder) {
    find_origins(open_all(folder), folder, ParameterTable(folder.config));
}

template <typename T>
ParameterTable parameter_table(const ModelFolder& folder, Device device) {
    ParameterTable table(folder.config);
    if (!std::is_same_v<T, float> || device != Device::cpu) return table;
    const std::vector<SafetensorsFile> files = open_all(folder);
    const std::vector<Origin> origins = find_origins(files, folder, table);
    for (int index = 0; index < table.size(); ++index)
        if (origins[static_cast<size_t>(index)].blocks && !table[index].tied_to)
            table.set_quantized(index);
    return table;
}

template <typename T>
void load_weights(const ModelFolder& folder, ParameterStore<T>& store) {
    const std::vector<SafetensorsFile> files = open_all(folder);
    const ParameterTable& table = store.table();
    const std::vector<Origin> origins = find_origins(files, folder, table);
    for (int index = 0; index < table.size(); ++index) {
        if (table[index].tied_to) continue;
        const Origin& origin = origins[static_cast<size_t>(index)];
        if (origin.blocks)
            copy_blocks(origin, index, store);
        else
            copy_elements(origin, index, store);
        forget(origin.tensor->bytes);
    }
}

template ParameterTable parameter_table<float>(const ModelFolder&, Device);
template ParameterTable parameter_table<double>(const ModelFolder&, Device);
template ParameterTable parameter_table<bf16>(const ModelFolder&, Device);
template void load_weights(const ModelFolder&, ParameterStore<float>&);
template void load_weights(const ModelFolder&, ParameterStore<double>&);
template void load_weights(const ModelFolder&, ParameterStore<bf16>&);
