// What the emulator says of a case.
#pragma once

#include <string>

#include "kernels/bench/bench_case.h"

// Runs it in a check build: what its lines ask of memory, the costliest first. Other builds do not
// count.
std::string counts_of(const BenchCase& bench);
inline constexpr const char* kCountsLegend =
    "cost: sectors of 32 bytes of a warp's request to global memory, turns of the banks of one to "
    "shared memory; *: more than its bytes need\n";

// A line for each launch: threads of a block, bytes of dynamic shared memory, the mangled name.
// None runs.
std::string launches_of(const BenchCase& bench);
