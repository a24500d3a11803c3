// Tensor cores of sm_80 and the instructions around them: what a whole warp does at once with 8 x 8
// matrices of 16-bit elements. All 32 lanes come to the same line, or the launch ends in an Error.
//
// Lane l holds, of a matrix in register form, row l / 4, columns 2 (l % 4) and 2 (l % 4) + 1, the
// first in the lower half. In shared memory a row is 16 bytes at any address that is a multiple of
// 16; lane 8 m + r names row r of matrix m, other lanes' addresses do not count.
//
// mma adds the 16 products of an element one after another, k ascending, to what was there; each is
// exact in float, each sum is rounded. A chip adds them in another order and may keep other bits:
// results differ in the last places.
//
// None of this orders memory: what lanes wrote must be ordered by __syncwarp as anywhere else.
#pragma once

#include <cstdint>

#include "kernels/simt/place.h"

namespace simt {

// ldmatrix and stmatrix of 1, 2 or 4 matrices, a register each. If `transposed`, lane l holds
// column l / 4, rows 2 (l % 4) and 2 (l % 4) + 1 instead.
void load_matrices(uint32_t* registers, int count, bool transposed, const void* row, Place place);
void store_matrices(void* row, const uint32_t* registers, int count, bool transposed, Place place);

// sums[16 x 8] += a[16 x 16] b[16 x 8], of bf16. Registers a[0..3] are the quarters (upper left,
// lower left, upper right, lower right); b[0..1] the halves of b's transpose; sums[0..1] and
// sums[2..3] the halves of the sums, an element each.
void multiply_matrices(float* sums, const uint32_t* a, const uint32_t* b, Place place);

}  // namespace simt
