// The flags that every program has besides --help, --version and --config.
#pragma once

#include <cstdint>
#include <string>

#include "kernels/core/stream.h"
#include "model/program/flags.h"

struct CommonOptions {
    std::string device = {};  // "cpu", "cuda" or "simt"; empty: cuda where a GPU answers, else cpu
    int threads = 0;          // of the CPU; 0: one for each core that this process may use
    int64_t seed = 42;
};

void add_common_flags(Flags& flags, CommonOptions& options);

// The device that was asked for, or the best that answers.
Device device_of(const CommonOptions& options);

// Call once after parsing: sets the number of CPU threads and returns the device, which answers
// (an InputError that names --device otherwise).
Device apply_common_options(const CommonOptions& options);
