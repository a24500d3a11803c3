// Model folders as Hugging Face's transformers reads and writes them: config.json, weights in one
// safetensors file or in parts with an index, and the tokenizer's files beside them.
// The layout is described in docs/format_safetensors.md.
#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include "model/config.h"
#include "model/io/tensor_type.h"
#include "model/parameter_store.h"

// A folder whose config and file names were read, its weights not yet.
struct ModelFolder {
    std::filesystem::path path;
    ModelConfig config;
    // model.safetensors, the index's parts, or quantized.safetensors
    std::vector<std::filesystem::path> weight_files;
};

// The folder that `name` means: a folder, or "org/name" in the local Hugging Face cache. If it is
// neither, an InputError that names `flag` and says how to fetch it.
std::filesystem::path resolve_model(const std::string& name, const std::string& flag);

// Its tensors are those of its config, by name, shape and type, or it is an InputError: what
// config.json says need not be believed alone, least of all how much memory the model takes.
ModelFolder open_model_folder(const std::filesystem::path& path);
// The same of a folder whose files were found.
void check_tensors(const ModelFolder& folder);

// The floating-point type of the folder's embedding, which --save_dtype defaults to; fp32, which
// holds every block exactly, if that is quantised.
TensorType stored_type(const ModelFolder& folder);

// The parameters of the folder's model as T computes with them: in float on the cpu, what the
// folder stores as blocks stays quantised. With any other table, load_weights turns blocks into the
// elements they stand for.
template <typename T>
ParameterTable parameter_table(const ModelFolder& folder, Device device = Device::cpu);

// Fills the weights, and the masters, at the file's full precision, if they were allocated. The
// store's table must be that of the folder's config. A value that is not finite is an InputError
// that names file, tensor, what was found and what was expected.
template <typename T>
void load_weights(const ModelFolder& folder, ParameterStore<T>& store);

struct SaveModel {
    std::filesystem::path folder;          // made if it is not there
    TensorType type = TensorType::f32;     // f32, bf16 or f16
    std::filesystem::path tokenizer_from;  // its tokenizer's files are copied; empty: none
    std::string chat_jinja = {};           // chat_template.jinja in place of theirs; empty: theirs
    int64_t max_shard_bytes = int64_t{50'000'000'000};  // transformers' default
};

// Writes weights (from the masters, where there are any), tokenizer and, last, config.json; each
// file atomically. A finite weight that `type` cannot hold is an InputError.
template <typename T>
void save_model(const ModelConfig& config, const ParameterStore<T>& store, const SaveModel& args);

// The files that make up a tokenizer and its use; a folder has some of them.
std::span<const char* const> tokenizer_file_names();
// Copied byte for byte where they exist.
void copy_tokenizer_files(const std::filesystem::path& from, const std::filesystem::path& to);
