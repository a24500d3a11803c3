// Runs suites on a model folder: what bin/eval does.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "kernels/core/stream.h"

struct EvaluateOptions {
    std::string model;               // folder, or org/name in the local Hugging Face cache
    std::string precision = "fp32";  // or bf16
    Device device = Device::cpu;
    std::vector<std::string> suites;  // NAME=PATH
    int64_t max_length = 0;           // of a window, in tokens; 0: min(1024, model's positions)
    int64_t batch_tokens = 2048;      // of a forward pass
};

// Results as JSON: by suite and data the numbers, their count, standard error, and the data's hash.
std::string evaluate(const EvaluateOptions& options);
