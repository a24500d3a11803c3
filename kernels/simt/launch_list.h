// Which kernels are launched, and with what: for tools that ask instead of running them.
#pragma once

#include <cstddef>
#include <vector>

#include "kernels/simt/types.h"

namespace simt {

struct Launch {
    const void* kernel = nullptr;  // ptx::function_name has its name
    on_simt::dim3 blocks;
    on_simt::dim3 threads;    // of a block
    size_t shared_bytes = 0;  // dynamic
};

// While one lives, launches are listed instead of run. One at a time.
class LaunchList {
public:
    LaunchList();
    ~LaunchList();
    LaunchList(const LaunchList&) = delete;
    LaunchList& operator=(const LaunchList&) = delete;

    std::vector<Launch> launches;
};

// True if it was listed, so is not to run.
bool is_listed(const Launch& launch);

}  // namespace simt
