// bin/export convert: the same model with its weights in another type.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

#include "model/io/tensor_type.h"

struct ConvertModel {
    std::string model;  // a folder, or a name in the local Hugging Face cache
    std::filesystem::path
        output_dir;  // must not exist or be empty; never inside the model's folder
    TensorType type = TensorType::f32;  // f32, bf16 or f16
};

struct Converted {
    int64_t num_parameters = 0;
    TensorType from = TensorType::f32;
};

// The output folder appears whole or not at all. Complaints name --model, --output_dir, or the file
// and tensor.
Converted convert_model(const ConvertModel& args);
