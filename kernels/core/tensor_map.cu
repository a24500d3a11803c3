#include "kernels/core/tensor_map.cuh"

#include "kernels/core/check.h"

#if defined(__CUDACC__)
#include <cudaTypedefs.h>

#include "kernels/core/cuda_check.cuh"
#endif

namespace FETTLE_DEVICE {
namespace {

constexpr int64_t kElementBytes = sizeof(bf16);

// CUDA driver API, cuTensorMapEncodeTiled.
void check_boxes(const MatrixBoxes& boxes) {
    constexpr int64_t kMostBytes = int64_t{1} << 40;
    ENSURE(reinterpret_cast<uintptr_t>(boxes.matrix) % 16 == 0 && boxes.matrix != nullptr,
           "tensor map: the matrix is at {}, expected a multiple of 16 bytes",
           static_cast<const void*>(boxes.matrix));
    // The driver takes twice as many; where a box begins is an int.
    ENSURE(boxes.rows >= 1 && boxes.rows <= INT32_MAX && boxes.columns >= 1 &&
               boxes.columns <= INT32_MAX,
           "tensor map: a matrix of {} x {}, expected 1 to 2^31 - 1 each", boxes.rows,
           boxes.columns);
    ENSURE(boxes.stride % 8 == 0 && boxes.stride >= boxes.columns &&
               boxes.stride < kMostBytes / kElementBytes,
           "tensor map: rows lie {} elements apart, expected a multiple of 8, at least the {} "
           "columns and less than 2^40 bytes",
           boxes.stride, boxes.columns);
    ENSURE(boxes.box_rows >= 1 && boxes.box_rows <= 256,
           "tensor map: boxes of {} rows, expected 1 to 256", boxes.box_rows);
    ENSURE(boxes.box_columns % 8 == 0 && boxes.box_columns >= 8 && boxes.box_columns <= 64,
           "tensor map: boxes of {} columns, expected a multiple of 8 up to 64: the swizzle's 128 "
           "bytes",
           boxes.box_columns);
}

#if defined(__CUDACC__)
// The driver's function, which no library of the toolkit has.
PFN_cuTensorMapEncodeTiled_v12000 encoder() {
    void* function = nullptr;
    cudaDriverEntryPointQueryResult found{};
    cuda_check(cudaGetDriverEntryPointByVersion("cuTensorMapEncodeTiled", &function, 12000,
                                                cudaEnableDefault, &found),
               "tensor map");
    ENSURE(found == cudaDriverEntryPointSuccess && function != nullptr,
           "tensor map: the NVIDIA driver has no cuTensorMapEncodeTiled, expected one for CUDA "
           "12.0 or newer");
    return reinterpret_cast<PFN_cuTensorMapEncodeTiled_v12000>(function);
}
#endif

}  // namespace

TensorMap make_tensor_map(const MatrixBoxes& boxes) {
    check_boxes(boxes);
#if defined(__CUDACC__)
    static const auto encode = encoder();
    TensorMap map;
    const cuuint64_t extents[2] = {cuuint64_t(boxes.columns), cuuint64_t(boxes.rows)};
    const cuuint64_t row_bytes[1] = {cuuint64_t(boxes.stride * kElementBytes)};
    const cuuint32_t box[2] = {cuuint32_t(boxes.box_columns), cuuint32_t(boxes.box_rows)};
    const cuuint32_t steps[2] = {1, 1};
    const CUresult result =
        encode(&map, CU_TENSOR_MAP_DATA_TYPE_BFLOAT16, 2, const_cast<bf16*>(boxes.matrix), extents,
               row_bytes, box, steps, CU_TENSOR_MAP_INTERLEAVE_NONE, CU_TENSOR_MAP_SWIZZLE_128B,
               CU_TENSOR_MAP_L2_PROMOTION_L2_128B, CU_TENSOR_MAP_FLOAT_OOB_FILL_NONE);
    ENSURE(result == CUDA_SUCCESS, "tensor map: cuTensorMapEncodeTiled failed with error {}",
           int(result));
    return map;
#else
    return {.start = reinterpret_cast<const unsigned char*>(boxes.matrix),
            .rows = boxes.rows,
            .columns = boxes.columns,
            .row_bytes = boxes.stride * kElementBytes,
            .element_bytes = kElementBytes,
            .box_rows = boxes.box_rows,
            .box_columns = boxes.box_columns,
            .is_swizzled = true};
#endif
}

}  // namespace FETTLE_DEVICE
