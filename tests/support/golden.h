// The tiny models of tests/golden/models and what transformers computed with them.
#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "model/batch.h"
#include "model/io/hugging_face.h"
#include "model/io/safetensors.h"
#include "model/parameter_store.h"

inline const std::vector<std::string> kGoldenModels = {
    "gpt2", "llama", "smollm", "qwen2", "qwen3", "mistral", "llama_biased", "llama_head64"};

std::filesystem::path golden_folder(const std::string& model);

// A golden folder, open: its weights in T on the tested device (double: on the cpu), and the stored
// tensors and numbers beside them.
template <typename T>
struct GoldenModel {
    explicit GoldenModel(const std::string& name);

    ModelFolder folder;
    ParameterTable table;
    ParameterStore<T> store;  // weights and zero gradients
    SafetensorsFile values;

    std::vector<float> floats(const std::string& tensor) const;
    std::vector<int32_t> integers(const std::string& tensor) const;
    // A number of golden.json by its path, for instance {"bf16_error", "logits"}.
    double number(const std::vector<std::string>& path) const;
    Batch batch() const;  // `tokens`, `row_starts` and `loss_weight`
    // The batches that bf16_error.rms is a statistic of.
    std::vector<Batch> bf16_batches() const;
};
