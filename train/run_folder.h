// The folder of a run: whether it may be used, and the files that describe the run in it.
// Described in docs/format_run.md.
#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <string>

#include "eval/run_log.h"
#include "eval/tensorboard.h"
#include "train/checkpoint.h"
#include "train/preparation.h"

// The checkpoint that --resume_from_checkpoint names, or null if the run starts at step 0. Refuses,
// with an InputError that says what to do: a folder that holds a run or a model already (unless
// resumed or to be overwritten), the folder of the model or of data, one that cannot be written,
// and a checkpoint of a run that other options or inputs would not continue to the same numbers.
std::optional<std::filesystem::path> claim_run_folder(const Preparation& prepared);

class RunFolder {
public:
    // Makes the folder; with --overwrite_output_dir, removes Fettle's own files from it first.
    explicit RunFolder(const Preparation& prepared, const std::string& command);

    const std::filesystem::path& path() const { return path_; }
    // Before the first step: run.json, plan.json, and the logs opened where `state` stands.
    void begin(const TrainState& state, const MemoryForecast& memory);
    // Appends to metrics.jsonl and TensorBoard's file.
    void write(const LogRecord& record);
    // Before a checkpoint: what was logged is on the disk.
    void sync();
    // After the last step: trainer_state.json.
    void finish(const TrainState& state);

private:
    std::string run_json() const;

    const Preparation& prepared_;
    const std::filesystem::path path_;
    const std::string command_;
    std::unique_ptr<RunLog> log_;
    std::unique_ptr<TensorBoardWriter> tensorboard_;
};

// plan.json: the parts of the memory forecast, every planned activation, and the steps.
std::string plan_json(const Preparation& prepared, const MemoryForecast& memory);
