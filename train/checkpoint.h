// A training run on disk, whole or absent: checkpoint-<step>/ holds a model folder that any
// Hugging Face tool reads, and what continuing to the same bits needs besides.
//
//   config.json, model.safetensors, tokenizer files   the model, in the run's --save_dtype
//   optimizer.safetensors    moment1.<parameter>, moment2.<parameter> and, unless the model is
//                            saved in fp32, master.<parameter>; all fp32
//   state.json               TrainState; written last
//
// Described in docs/format_run.md.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "model/config.h"
#include "model/io/hugging_face.h"
#include "model/parameter_store.h"

// What the loop carries from step to step besides weights and moments.
struct TrainState {
    int64_t step = 0;        // optimiser steps done
    int64_t tokens = 0;      // trained so far
    double loss_sum = 0.0;   // of the steps since the last log line
    int64_t loss_count = 0;  // their number
    int64_t tokens_since_log = 0;
    double seconds = 0.0;  // of training so far, over all runs
    double seconds_since_log = 0.0;
    std::optional<double> best_metric = {};  // of --metric_for_best_model
    std::optional<int64_t> best_step = {};
    int64_t evaluations_since_best = 0;
    std::string settings = {};                             // the TrainOptions as JSON text
    std::map<std::string, std::string> input_hashes = {};  // SHA-256 by file
};

struct CheckpointArgs {
    std::filesystem::path folder;  // the run's output folder
    TensorType type = TensorType::f32;
    std::filesystem::path tokenizer_from;
    std::string chat_jinja = {};            // both as in SaveModel
    int64_t keep = 2;                       // newest checkpoints that stay; 0: all
    std::optional<int64_t> keep_step = {};  // stays besides: the best one's
};

template <typename T>
void save_checkpoint(const ModelConfig& config, const ParameterStore<T>& store,
                     const TrainState& state, const CheckpointArgs& args);

// Fills weights, masters and moments. An InputError names what does not fit.
template <typename T>
TrainState load_checkpoint(const std::filesystem::path& checkpoint, ParameterStore<T>& store);

// Its state alone.
TrainState read_checkpoint_state(const std::filesystem::path& checkpoint);

// Removes the checkpoints of steps after `step`: a run that goes on from there writes its own.
void remove_checkpoints_after(const std::filesystem::path& run_folder, int64_t step);

// The steps of the complete checkpoints in a run's folder, smallest first.
std::vector<int64_t> checkpoint_steps(const std::filesystem::path& run_folder);
std::filesystem::path checkpoint_path(const std::filesystem::path& run_folder, int64_t step);
