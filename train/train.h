// A whole run from its options: prepare, check the folder, train, report.
#pragma once

#include <string>

#include "train/options.h"

// The program's exit code: 0, or 130 / 143 if a signal ended the run after its step was saved.
int train(const TrainOptions& options, const std::string& command);
