#include "model/program/common_flags.h"

#include <omp.h>

#include "kernels/core/check.h"

void add_common_flags(Flags& flags, CommonOptions& options) {
    flags.group(Flags::kCommonGroup);
    flags.add("device", options.device, "Where the work runs; simt: CUDA emulated on the CPU.")
        .choices({"cpu", "cuda", "simt"})
        .default_text("cuda where a GPU answers, else cpu");
    flags.add("threads", options.threads, "CPU threads.")
        .range(0, 1024)
        .default_text("0: one for each core");
    flags.add("seed", options.seed, "Where all random numbers start from.").at_least(0);
}

Device device_of(const CommonOptions& options) {
    return options.device.empty() ? default_device() : device_from_name(options.device, "--device");
}

Device apply_common_options(const CommonOptions& options) {
    if (options.threads > 0) omp_set_num_threads(options.threads);
    const Device device = device_of(options);
    require_device(device, "--device");
    return device;
}
