// What a training run is asked to do: every flag of bin/train, once, with its default.
//
// Units, bounds and help stand in options.cpp. Values that depend on the model or the machine are
// empty until the trainer resolves them.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "model/program/common_flags.h"

struct TrainOptions {
    // Model
    std::string model;       // folder or org/name; or
    std::string init;        // a config file or the name of a GPT-2 size: random weights
    std::string tokenizer;   // folder; empty: the model's
    std::string precision;   // "fp32", "bf16"; empty: fp32
    std::string save_dtype;  // "fp32", "bf16", "fp16"; empty: as the input model

    // Data
    std::vector<std::string> train_data;  // PATH[:repeat]
    std::vector<std::string> eval_data;
    double eval_split = 0.0;            // share of the training rows held out
    std::string format = "auto";        // of JSON's rows: "auto", "text", "alpaca"
    std::string chat_template;          // empty: none
    std::string text_rows = "file";     // "file", "paragraph", "line"
    std::optional<int64_t> max_length;  // tokens; empty: min(1024, the model's positions)
    std::string truncation = "drop";    // "error", "drop", "truncate"
    bool packing = false;
    bool shuffle = true;

    // Optimiser
    double learning_rate = 5e-5;
    double weight_decay = 0.0;
    double adam_beta1 = 0.9;
    double adam_beta2 = 0.999;
    double adam_epsilon = 1e-8;
    double max_grad_norm = 1.0;
    std::string lr_scheduler_type = "linear";
    std::string lr_scheduler_kwargs;  // JSON
    double warmup_steps = 0.0;        // below 1: a share of all steps
    double num_train_epochs = 3.0;
    int64_t max_steps = -1;  // above 0: instead of num_train_epochs
    int64_t per_device_train_batch_size = 8;
    int64_t gradient_accumulation_steps = 1;
    double dropout = 0.0;

    // Run
    std::string output_dir;
    bool overwrite_output_dir = false;
    std::optional<std::string> resume_from_checkpoint;  // a folder, "latest" or "true"
    bool dry_run = false;
    int64_t logging_steps = 10;
    std::string report_to = "tensorboard";  // or "none"
    std::string save_strategy = "steps";    // "no", "steps", "epoch"
    int64_t save_steps = 500;
    int64_t save_total_limit = 2;  // 0: all

    // Evaluation
    std::string eval_strategy;  // "no", "steps", "epoch"; parse_train_options() fills it
    std::optional<int64_t> eval_steps;
    std::optional<int64_t> per_device_eval_batch_size;  // empty: the training batch size
    bool load_best_model_at_end = false;
    std::string metric_for_best_model = "eval_loss";
    std::optional<bool> greater_is_better;  // empty: unless the metric's name ends in "loss"
    std::optional<int64_t> early_stopping_patience;

    CommonOptions common;

    bool evaluates() const { return !eval_data.empty() || eval_split > 0.0; }
    // True if a metric's better value is the greater one.
    bool better_is_greater() const;
};

// Declares every flag; parsing `flags` then fills `options`.
void add_train_flags(Flags& flags, TrainOptions& options);
// The command line of bin/train, with its file, completed and checked. InputError, or Finished.
TrainOptions parse_train_options(int argc, const char* const* argv);
// Throws an InputError naming the flags that are missing or contradict each other.
void check_train_options(const TrainOptions& options);

// {"learning_rate": 5e-05, ...}: every flag in the order of --help; null where there is no value.
std::string to_json(const TrainOptions& options);
// The reverse. Unknown keys are errors, missing ones leave the default; `source` names the text.
TrainOptions train_options_from_json(const std::string& json, const std::string& source);

// What keeps a run started with `then` from going on as `now` to the same numbers: one
// "--flag: was A, is now B" each; empty if nothing does. Where a run logs and saves may differ,
// and so may its length if it grows (the caller knows the steps behind epochs and max_steps where
// one was given before and the other is now). How often it evaluates counts only if the best
// model is loaded or early stopping is on. The contents of files are the caller's to compare.
std::vector<std::string> numeric_differences(const TrainOptions& then, const TrainOptions& now);
