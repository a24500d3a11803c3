// Memory of the simt device. Every block ends where an inaccessible page begins, so that an access
// past its end stops the kernel instead of reading a neighbour.
#pragma once

#include <cstdint>

namespace simt {

// Zeroed, 64-byte aligned. An Error names `what` and the bytes if there is none.
void* allocate(int64_t bytes, const char* what);
void release(void* pointer) noexcept;

}  // namespace simt
