// trainer_state.json: where a run stands and what it logged, under the keys of Hugging Face's
// Trainer, so that tools which read those folders read ours. Described in docs/format_run.md.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "eval/run_log.h"

struct TrainerState {
    int64_t global_step = 0;
    int64_t max_steps = 0;  // of the whole run
    double epoch = 0.0;
    double num_train_epochs = 0.0;
    int64_t train_batch_size = 0;
    int64_t logging_steps = 0;
    std::optional<int64_t> eval_steps;
    int64_t save_steps = 0;
    int64_t num_input_tokens_seen = 0;
    double total_flos = 0.0;
    std::optional<double> best_metric;
    std::optional<int64_t> best_global_step;
    std::optional<std::string> best_model_checkpoint;
};

// `history` becomes log_history.
std::string to_json(const TrainerState& state, const std::vector<LogRecord>& history);
// Missing keys leave the defaults; a wrong type is an InputError that names `source` and the key.
TrainerState trainer_state_from_json(const std::string& json, const std::string& source);
