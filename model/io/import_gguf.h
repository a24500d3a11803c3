// bin/export import --from gguf: a model folder from a GGUF file. docs/format_gguf.md says which
// files can be read and what becomes of their metadata.
#pragma once

#include <cstdint>
#include <filesystem>

#include "model/io/gguf.h"
#include "model/io/imported_model.h"

struct ImportGguf {
    std::filesystem::path model;        // the .gguf file
    std::filesystem::path output_dir;   // must not exist or be empty
    TensorType type = TensorType::f32;  // f32 holds every quantised weight exactly as ggml reads it
    bool keep_quantized = false;        // blocks stay as they are
};

// The output folder appears whole or not at all. Complaints name the file and the key or tensor.
Imported import_gguf(const ImportGguf& args);

// The parts of it, each an InputError where the file describes a model that Fettle does not
// compute.
ModelConfig config_from_gguf(const GgufFile& file);
ForeignTokenizer tokenizer_from_gguf(const GgufFile& file, const ModelConfig& config);
// By parameter of the config's table. Borrows the file.
std::vector<ForeignTensor> tensors_from_gguf(const GgufFile& file, const ModelConfig& config);
