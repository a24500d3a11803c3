// Tensor maps: how load_box sees a matrix. Host code makes one for each launch and passes it by
// value; the kernel's parameter is `const __grid_constant__ TensorMap`, or a struct of them.
#pragma once

#include "kernels/core/launch.h"
#include "kernels/core/mbarrier.cuh"

namespace FETTLE_DEVICE {

// A bf16 matrix in device memory and the boxes that it is loaded in, with the 128-byte swizzle of
// kernels/simt/tensor_copy.h. Of a box, what lies outside the matrix becomes zeros.
struct MatrixBoxes {
    const bf16* matrix = nullptr;  // a multiple of 16 bytes
    int64_t rows = 0;
    int64_t columns = 0;
    int64_t stride = 0;   // elements from row to row, a multiple of 8
    int box_rows = 0;     // 1 to 256
    int box_columns = 0;  // 8 to 64, a multiple of 8
};

// An Error says which of these limits, which are the driver's, does not hold.
TensorMap make_tensor_map(const MatrixBoxes& boxes);

}  // namespace FETTLE_DEVICE
