// bin/export import --from llama2c: a model folder from llama2.c's model.bin and tokenizer.bin.
// docs/format_gguf.md describes both files.
#pragma once

#include <filesystem>

#include "model/io/imported_model.h"
#include "model/io/mapped_file.h"

struct ImportLlama2c {
    std::filesystem::path model;       // weights with the header of seven integers
    std::filesystem::path tokenizer;   // tokenizer.bin
    std::filesystem::path output_dir;  // must not exist or be empty
    TensorType type = TensorType::f32;
};

// The output folder appears whole or not at all. Complaints name the file and the field.
Imported import_llama2c(const ImportLlama2c& args);

// The parts of it. The tensors borrow the file; `source` starts every complaint.
ModelConfig config_from_llama2c(std::span<const std::byte> file, const std::string& source);
std::vector<ForeignTensor> tensors_from_llama2c(std::span<const std::byte> file,
                                                const ModelConfig& config,
                                                const std::string& source);
ForeignTokenizer tokenizer_from_llama2c(std::span<const std::byte> file, int vocab_size,
                                        const std::string& source);
