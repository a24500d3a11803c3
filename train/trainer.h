// The training loop: it reads like its own pseudocode (run(), in trainer.cpp).
#pragma once

#include <memory>
#include <optional>

#include "model/parameter_store.h"
#include "model/program/progress.h"
#include "model/transformer.h"
#include "train/checkpoint.h"
#include "train/loader.h"
#include "train/optimizer.h"
#include "train/preparation.h"
#include "train/run_folder.h"

struct TrainResult {
    std::optional<int> stopped_by;  // the signal, if one ended the run early
    int64_t steps = 0;
    double seconds = 0.0;
    int64_t peak_bytes = 0;
};

template <typename T>
class Trainer {
public:
    // Allocates everything the run needs; borrows `prepared`.
    explicit Trainer(const Preparation& prepared);

    // Reads what the run begins with: the model's weights, random ones, or the checkpoint. Apart
    // from run(), so that weights which cannot be used leave no trace on the disk.
    void load(const std::optional<std::filesystem::path>& checkpoint);
    // Trains from there to the last step and writes the model.
    TrainResult run(RunFolder& folder);
    TrainResult run(RunFolder& folder, const std::optional<std::filesystem::path>& checkpoint) {
        load(checkpoint);
        return run(folder);
    }
    // Seconds of one optimiser step after load(), measured on the first one's rows; no weight
    // changes.
    double seconds_per_step();

private:
    struct StepResult {
        double loss = 0.0;
        int64_t tokens = 0;  // predicted
        double grad_norm = 0.0;
        double learning_rate = 0.0;
        double epoch = 0.0;
    };

    void start(RunFolder& folder);
    StepResult train_step();
    // Adds the gradients of the whole step to the store's; returns sum of weight * loss / divisor.
    double accumulate_gradients(const GlobalBatch& global);
    void ensure_finite(const StepResult& step, bool finite) const;

    void log(const StepResult& step);
    void write_log_line();
    double tokens_per_second() const;  // since the last log line
    bool evaluates_now() const;
    void evaluate();
    bool saves_now() const;
    void save();
    void finish();
    bool at_epoch_end() const;
    bool stops_early() const;

    const Preparation& prepared_;
    const TrainOptions& options_;
    const ParameterTable table_;
    const Stream stream_;
    ParameterStore<T> store_;
    Optimizer<T> optimizer_;
    Transformer<T> model_;
    Loader loader_;
    std::vector<Accumulator<T>> grad_logprob_;  // [N]
    Buffer<double> loss_;                       // [1]

    TrainState state_;
    StepResult last_step_;
    double epoch_ = 0.0;
    RunFolder* folder_ = nullptr;
    std::unique_ptr<Progress> progress_;
};
