// This process's memory as the kernel counts it: physical memory, shared libraries included.
#pragma once

#include <cstdint>

// The most that was resident since the program started.
int64_t peak_memory_bytes();
// Resident now.
int64_t resident_memory_bytes();
// What the machine could still give to this process without swapping.
int64_t available_memory_bytes();
