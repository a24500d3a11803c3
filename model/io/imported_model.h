// A model from another program's file, on its way into a Hugging Face folder.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include "kernels/quantize/dequantize.h"
#include "model/config.h"
#include "model/io/tensor_type.h"
#include "model/text/foreign_tokenizer.h"

// The stored form of one parameter. Borrows the file's bytes.
struct ForeignTensor {
    enum class Layout {
        as_is,
        transposed,  // [out, in] where the parameter is GPT-2's [in, out]
        // Of each head's D rows, those that RoPE turns together follow each other, as in Meta's
        // files: 0, D/2, 1, 1 + D/2 ... The parameter has 0, 1 ... D/2 - 1, D/2 ...
        rotary_pairs,
    };
    std::string name;  // for messages
    BlockType type = BlockType::f32;
    Layout layout = Layout::as_is;
    std::span<const std::byte> bytes;  // rows of whole blocks, end to end
};

struct ImportedModel {
    std::string source;  // the file, for messages
    ModelConfig config;
    std::vector<ForeignTensor> tensors;  // by parameter of the config's table; tied ones are empty
    ForeignTokenizer tokenizer;
};

// What was imported, for a message.
struct Imported {
    std::string model_type;
    int64_t num_parameters = 0;
};

// How weights are written.
struct WeightForm {
    TensorType type = TensorType::f32;
    bool keep_quantized = false;  // blocks stay as they are (model/io/quantized_tensor.h)
};

// Writes config.json, generation_config.json, model.safetensors and the tokenizer's files into a
// new folder, which appears whole or not at all.
void write_imported(const ImportedModel& model, const WeightForm& form,
                    const std::filesystem::path& output_dir);

// The weights alone, as one safetensors file. They go through a buffer of a few MiB, so that memory
// does not grow with the model; only a transposed tensor is held whole. A weight that is not
// finite, or too large for `type`, is an InputError that names the tensor.
void write_imported_weights(const ImportedModel& model, const WeightForm& form,
                            const std::filesystem::path& file);
