#include "model/program/common_flags.h"

#include <omp.h>

#include "kernels/core/check.h"

void add_common_flags(Flags& flags, CommonOptions& options) {
    flags.group(Flags::kCommonGroup);
    flags.add("device", options.device, "Where the work runs.").choices({"cpu", "cuda", "simt"});
    flags.add("threads", options.threads, "CPU threads.")
        .range(0, 1024)
        .default_text("0: one for each core");
    flags.add("seed", options.seed, "Where all random numbers start from.").at_least(0);
}

Device apply_common_options(const CommonOptions& options) {
    if (options.threads > 0) omp_set_num_threads(options.threads);
    const Device device = device_from_name(options.device, "--device");
    require_device(device, "--device");
    return device;
}
