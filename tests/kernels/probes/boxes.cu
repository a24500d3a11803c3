// Probes: boxes of a matrix through a tensor map, inside and outside of it, swizzled or not.

#include "kernels/core/buffer.h"
#include "kernels/core/mbarrier.cuh"
#include "tests/kernels/probes/probe_launch.cuh"

namespace FETTLE_DEVICE {
namespace {

constexpr int kRows = 20, kColumns = 72;        // of the matrix, elements of two bytes
constexpr int kBoxRows = 16, kBoxColumns = 64;  // 128 bytes a row
constexpr int kBoxBytes = kBoxRows * kBoxColumns * 2;
constexpr uintptr_t kAlignment = 1024;

// out [kBoxBytes / 4]
__global__ void probe_box(uint32_t* out, const __grid_constant__ TensorMap map, int column,
                          int row) {
    __shared__ uint64_t mbarrier;
    FETTLE_DYNAMIC_SHARED(unsigned char, memory);
    const auto start = reinterpret_cast<uintptr_t>(memory);
    auto* const box =
        reinterpret_cast<uint32_t*>(memory + (kAlignment - start % kAlignment) % kAlignment);
    if (threadIdx.x == 0) mbarrier_init(&mbarrier, 1), fence_mbarrier_init();
    __syncthreads();
    if (threadIdx.x == 0) {
        mbarrier_arrive_expect_bytes(&mbarrier, kBoxBytes);
        load_box(box, &map, column, row, &mbarrier);
    }
    mbarrier_wait(&mbarrier, 0);
    for (uint32_t i = threadIdx.x; i < kBoxBytes / 4; i += 32) out[i] = box[i];
}

TensorMap map_of(const uint32_t* matrix, bool is_swizzled) {
#if defined(__CUDACC__)
    void* encode = nullptr;
    cudaDriverEntryPointQueryResult found;
    cuda_check(cudaGetDriverEntryPointByVersion("cuTensorMapEncodeTiled", &encode, 12000,
                                                cudaEnableDefault, &found),
               "cuTensorMapEncodeTiled");
    ENSURE(found == cudaDriverEntryPointSuccess, "the driver has no cuTensorMapEncodeTiled");
    TensorMap map;
    const cuuint64_t extents[2] = {kColumns, kRows}, row_bytes[1] = {kColumns * 2};
    const cuuint32_t box[2] = {kBoxColumns, kBoxRows}, steps[2] = {1, 1};
    const CUresult status = reinterpret_cast<decltype(&cuTensorMapEncodeTiled)>(encode)(
        &map, CU_TENSOR_MAP_DATA_TYPE_UINT16, 2, const_cast<uint32_t*>(matrix), extents, row_bytes,
        box, steps, CU_TENSOR_MAP_INTERLEAVE_NONE,
        is_swizzled ? CU_TENSOR_MAP_SWIZZLE_128B : CU_TENSOR_MAP_SWIZZLE_NONE,
        CU_TENSOR_MAP_L2_PROMOTION_NONE, CU_TENSOR_MAP_FLOAT_OOB_FILL_NONE);
    ENSURE(status == CUDA_SUCCESS, "cuTensorMapEncodeTiled: error {}", static_cast<int>(status));
    return map;
#else
    return {.start = reinterpret_cast<const unsigned char*>(matrix),
            .rows = kRows,
            .columns = kColumns,
            .row_bytes = kColumns * 2,
            .element_bytes = 2,
            .box_rows = kBoxRows,
            .box_columns = kBoxColumns,
            .is_swizzled = is_swizzled};
#endif
}

// Its first element is (row, column).
template <int column, int row, bool is_swizzled>
void run_box(uint32_t* out, const uint32_t* in, StreamView stream) {
    launch(probe_box,
           {.grid = 1, .block = 32, .shared_bytes = kBoxBytes + kAlignment, .stream = stream}, out,
           map_of(in, is_swizzled), column, row);
}

}  // namespace

ProbeKernels boxes_probes() {
    return {{"box", run_box<8, 3, false>, true},
            {"box_swizzled", run_box<0, 1, true>, true},
            {"box_before", run_box<-8, -5, true>, true},
            {"box_behind", run_box<24, 10, true>, true},
            {"box_outside", run_box<16, 40, false>, true}};
}

}  // namespace FETTLE_DEVICE
