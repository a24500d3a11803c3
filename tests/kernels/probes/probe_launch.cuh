// How the kernels of probes are started: by a function of one type for all.
#pragma once

#include "kernels/core/launch.h"
#include "tests/kernels/probes/probe.h"

namespace FETTLE_DEVICE {

ProbeKernels warp_probes();
ProbeKernels matrix_probes();
ProbeKernels copies_probes();
ProbeKernels boxes_probes();
ProbeKernels mbarrier_probes();
ProbeKernels warpgroup_probes();
ProbeKernels cluster_probes();
ProbeKernels math_probes();

template <auto kernel, unsigned threads = 32, size_t shared_bytes = 0>
void run_probe(uint32_t* out, const uint32_t* in, StreamView stream) {
    launch(kernel, {.grid = 1, .block = threads, .shared_bytes = shared_bytes, .stream = stream},
           out, in);
}

}  // namespace FETTLE_DEVICE
