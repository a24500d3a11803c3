// The demo: fine-tunes the embedded base model and shows what that changed.
#pragma once

#include <string>
#include <vector>

#include "eval/run_log.h"
#include "train/options.h"

// A sample before, the run, a sample after, the losses side by side, commands to go on with.
// Returns what train() does.
int run_demo(const TrainOptions& options, const std::string& command);

// A table of every "eval_<domain>_loss" of the log: before the first step and after the last.
std::string loss_table(const std::vector<LogRecord>& log);
