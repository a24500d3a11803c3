// Boxes of 64 columns in dynamic shared memory, as tensor maps with 128-byte swizzle leave them.
#pragma once

#include "tests/support/emulated.h"

namespace on_simt {

constexpr int kThreads = 128;
constexpr int kBox = 64 * 64;  // elements: 64 rows of 64 columns

// PTX ISA, "128B swizzle": where the eight 16-byte chunks of each of eight rows lie.
constexpr int kSwizzle[8][8] = {{0, 1, 2, 3, 4, 5, 6, 7}, {1, 0, 3, 2, 5, 4, 7, 6},
                                {2, 3, 0, 1, 6, 7, 4, 5}, {3, 2, 1, 0, 7, 6, 5, 4},
                                {4, 5, 6, 7, 0, 1, 2, 3}, {5, 4, 7, 6, 1, 0, 3, 2},
                                {6, 7, 4, 5, 2, 3, 0, 1}, {7, 6, 5, 4, 3, 2, 1, 0}};

__device__ inline bf16* memory() {
    FETTLE_DYNAMIC_SHARED(bf16, shared);
    return shared + (-reinterpret_cast<uintptr_t>(shared) % 1024) / sizeof(bf16);
}

// Rows of 64 columns into a box.
__device__ inline void fill(bf16* box, const bf16* from, int rows) {
    for (int i = int(threadIdx.x); i < rows * 64; i += int(blockDim.x)) {
        const int row = i / 64, column = i % 64;
        box[row * 64 + kSwizzle[row % 8][column / 8] * 8 + column % 8] = from[i];
    }
}

}  // namespace on_simt
