#include "model/io/imported_model.h"

#include <algorithm>
#include <cmath>
#include <memory>
#include <nlohmann/json.hpp>

#include "kernels/core/check.h"
#include "model/io/atomic_file.h"
#include "model/io/quantized_tensor.h"
#include "model/io/safetensors.h"
#include "model/parameters.h"

namespace {

using Layout = ForeignTensor::Layout;

// Reads a tensor's weights in the parameter's order.
class WeightReader {
public:
    WeightReader(const ForeignTensor& tensor, const Parameter& parameter, int head_dim)
        : tensor_(tensor), half_head_(head_dim / 2) {
        const bool vector = parameter.shape.size() == 1;
        rows_ = vector ? 1 : parameter.shape[0];
        columns_ = parameter.count / rows_;
        if (tensor.layout == Layout::rotary_pairs && vector) std::swap(rows_, columns_);
        if (tensor.layout == Layout::transposed) std::swap(rows_, columns_);
        row_bytes_ = columns_ / values_per_block(tensor.type) * bytes_per_block(tensor.type);
        ENSURE(columns_ % values_per_block(tensor.type) == 0 &&
                   rows_ * row_bytes_ == static_cast<int64_t>(tensor.bytes.size()),
               "{}: {} bytes for {} rows of {} {} weights", tensor.name, tensor.bytes.size(), rows_,
               columns_, name_of(tensor.type));
    }

    // Elements [first, first + out.size()) of the parameter.
    void read(int64_t first, std::span<float> out) {
        if (tensor_.layout == Layout::transposed) return read_transposed(first, out);
        for (size_t done = 0; done < out.size();) {
            const int64_t row = (first + static_cast<int64_t>(done)) / columns_;
            const int64_t column = (first + static_cast<int64_t>(done)) % columns_;
            const auto now = std::min(static_cast<size_t>(columns_ - column), out.size() - done);
            read_row(stored_row(row), column, out.subspan(done, now));
            done += now;
        }
    }

    // Bytes [first, first + out.size()) of the parameter's blocks, [out, in].
    void read_blocks(int64_t first, std::span<std::byte> out) const {
        for (size_t done = 0; done < out.size();) {
            const int64_t row = (first + static_cast<int64_t>(done)) / row_bytes_;
            const int64_t place = (first + static_cast<int64_t>(done)) % row_bytes_;
            const auto now = std::min(static_cast<size_t>(row_bytes_ - place), out.size() - done);
            const int64_t from = stored_row(row) * row_bytes_ + place;
            std::copy_n(tensor_.bytes.begin() + from, now,
                        out.begin() + static_cast<int64_t>(done));
            done += now;
        }
    }

    std::vector<int64_t> blocks_shape() const { return {rows_, row_bytes_}; }

private:
    int64_t stored_row(int64_t row) const {
        if (tensor_.layout != Layout::rotary_pairs) return row;
        const int64_t head = row / (2 * half_head_), place = row % (2 * half_head_);
        return head * 2 * half_head_ + 2 * (place % half_head_) + place / half_head_;
    }

    void read_row(int64_t row, int64_t column, std::span<float> out) {
        const auto bytes = tensor_.bytes.subspan(static_cast<size_t>(row * row_bytes_),
                                                 static_cast<size_t>(row_bytes_));
        if (static_cast<int64_t>(out.size()) == columns_)
            return dequantize(tensor_.type, bytes, out);
        whole_.resize(static_cast<size_t>(columns_));
        dequantize(tensor_.type, bytes, whole_);
        std::copy_n(whole_.begin() + column, out.size(), out.begin());
    }

    void read_transposed(int64_t first, std::span<float> out) {
        if (whole_.empty()) {
            whole_.resize(static_cast<size_t>(rows_ * columns_));
            dequantize(tensor_.type, tensor_.bytes, whole_);
        }
        for (size_t i = 0; i < out.size(); ++i) {
            const int64_t index = first + static_cast<int64_t>(i);  // in [columns, rows]
            out[i] = whole_[static_cast<size_t>(index % rows_ * columns_ + index / rows_)];
        }
        if (first + static_cast<int64_t>(out.size()) == rows_ * columns_) whole_ = {};
    }

    const ForeignTensor& tensor_;
    const int64_t half_head_;
    int64_t rows_ = 0, columns_ = 0;  // as stored
    int64_t row_bytes_ = 0;
    std::vector<float> whole_;  // of a row, or of a transposed tensor
};

void check_weights(const std::string& where, int64_t first, std::span<const float> weights,
                   TensorType type, const std::byte* written) {
    for (size_t i = 0; i < weights.size(); ++i) {
        ENSURE_INPUT(std::isfinite(weights[i]), where, "weight {} is {}, expected finite weights",
                     first + static_cast<int64_t>(i), weights[i]);
        float kept = 0;
        read_elements(written + static_cast<int64_t>(i) * bytes_per_element(type), type,
                      std::span(&kept, 1));
        ENSURE_INPUT(std::isfinite(kept), where, "the weight {} is beyond the range of {}",
                     weights[i], torch_name(type));
    }
}

TensorToWrite to_write(const ImportedModel& model, const Parameter& parameter,
                       const ForeignTensor& tensor, TensorType type) {
    const auto reader = std::make_shared<WeightReader>(tensor, parameter, model.config.head_dim);
    const std::string where = model.source + ": " + tensor.name;
    const auto fill = [=](int64_t first, std::span<std::byte> bytes) {
        std::vector<float> weights(bytes.size() / static_cast<size_t>(bytes_per_element(type)));
        reader->read(first, weights);
        write_elements(std::span<const float>(weights), type, bytes.data());
        check_weights(where, first, weights, type, bytes.data());
    };
    return {.name = parameter.name, .type = type, .shape = parameter.shape, .fill = fill};
}

bool stays_quantized(const ForeignTensor& tensor, const WeightForm& form) {
    return form.keep_quantized && values_per_block(tensor.type) > 1;
}

TensorToWrite blocks_to_write(const ImportedModel& model, const Parameter& parameter,
                              const ForeignTensor& tensor) {
    const auto reader = std::make_shared<WeightReader>(tensor, parameter, model.config.head_dim);
    const auto bad = find_bad_block(tensor.type, tensor.bytes);
    ENSURE_INPUT(!bad, model.source + ": " + tensor.name, "block {} has a scale that is not finite",
                 *bad);
    return {.name = quantized_name(parameter.name, tensor.type),
            .type = TensorType::u8,
            .shape = reader->blocks_shape(),
            .fill = [=](int64_t first, std::span<std::byte> bytes) {
                reader->read_blocks(first, bytes);
            }};
}

// What transformers' generate() reads: where a text begins and ends.
std::string generation_config(const ModelConfig& config) {
    nlohmann::ordered_json json = {{"_from_model_config", true}};
    if (config.bos_id) json["bos_token_id"] = *config.bos_id;
    if (config.eos_ids.size() == 1) json["eos_token_id"] = config.eos_ids[0];
    if (config.eos_ids.size() > 1) json["eos_token_id"] = config.eos_ids;
    if (config.pad_id) json["pad_token_id"] = *config.pad_id;
    return json.dump(2) + "\n";
}

}  // namespace

void write_imported_weights(const ImportedModel& model, const WeightForm& form,
                            const std::filesystem::path& file) {
    const ParameterTable table(model.config);
    ENSURE(static_cast<int>(model.tensors.size()) == table.size(), "{}: {} tensors, expected {}",
           model.source, model.tensors.size(), table.size());
    std::vector<TensorToWrite> tensors;
    for (int index = 0; index < table.size(); ++index) {
        if (table[index].tied_to) continue;
        const ForeignTensor& tensor = model.tensors[static_cast<size_t>(index)];
        tensors.push_back(stays_quantized(tensor, form)
                              ? blocks_to_write(model, table[index], tensor)
                              : to_write(model, table[index], tensor, form.type));
    }
    write_safetensors(file, std::move(tensors));
}

void write_imported(const ImportedModel& model, const WeightForm& form,
                    const std::filesystem::path& output_dir) {
    const bool blocks = std::ranges::any_of(
        model.tensors, [&](const ForeignTensor& tensor) { return stays_quantized(tensor, form); });
    const std::string config = config_to_json(model.config, form.type);
    AtomicFolder output(output_dir);  // refuses one that holds something
    write_tokenizer(model.tokenizer, output.path());
    write_imported_weights(model, form,
                           output.path() / (blocks ? kQuantizedFile : "model.safetensors"));
    write_file(output.path() / "generation_config.json", generation_config(model.config));
    write_file(output.path() / "config.json", config);
    output.commit();
}
