// Everything that is known before the first step: model, data, steps, memory. Nothing is written.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "kernels/core/memory_plan.h"
#include "model/activations.h"
#include "model/config.h"
#include "model/io/tensor_type.h"
#include "model/text/corpus_reader.h"
#include "train/loader.h"
#include "train/options.h"
#include "train/schedule.h"

struct EvalDomain {
    std::string name;  // the file's stem
    Corpus corpus;
};

struct Preparation {
    TrainOptions options;
    std::filesystem::path model_folder;      // empty with --init
    std::filesystem::path tokenizer_folder;  // its files are copied into what is written
    std::string chat_jinja;                  // and this as their chat template; empty: their own
    ModelConfig config;
    TensorType save_type = TensorType::f32;
    Corpus corpus;
    std::vector<EvalDomain> eval;
    LoaderOptions loader;
    double epochs = 0.0;
    int64_t total_steps = 0;
    int64_t steps_per_epoch = 0;  // of the first epoch
    Schedule schedule;
    BatchLimits limits;
    std::map<std::string, std::string> input_hashes;  // SHA-256 by file of what decides the weights
    std::map<std::string, std::string> eval_hashes;   // and of what is only evaluated on
    int64_t resident_bytes = 0;  // of the process with its data, before weights
};

// SHA-256 by file of all that decides the weights: with best-model selection or early stopping,
// what is evaluated on too.
std::map<std::string, std::string> deciding_inputs(const Preparation& prepared);

// Reads config, tokenizer and data. An InputError names the flag, file or row that cannot be used.
Preparation prepare(const TrainOptions& options);

// What the run will hold at its peak, by name.
struct PlannedBytes {
    std::string name;
    int64_t bytes;
};
struct MemoryForecast {
    std::vector<PlannedBytes> parts;
    MemoryPlan activations;
    int64_t total_bytes() const;
};
MemoryForecast forecast_memory(const Preparation& prepared);
// The same without activations, which take longer to place the more layers there are.
MemoryForecast forecast_parameters(const Preparation& prepared);

// "fp32" or "bf16": --precision, or its default.
std::string precision_of(const TrainOptions& options);
