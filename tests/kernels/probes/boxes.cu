// Probes: boxes of a matrix through a tensor map, inside and outside of it, with 128-byte swizzle.

#include "kernels/core/mbarrier.cuh"
#include "kernels/core/tensor_map.cuh"
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

// Its first element is (row, column).
template <int column, int row>
void run_box(uint32_t* out, const uint32_t* in, StreamView stream) {
    const TensorMap map = make_tensor_map({.matrix = reinterpret_cast<const bf16*>(in),
                                           .rows = kRows,
                                           .columns = kColumns,
                                           .stride = kColumns,
                                           .box_rows = kBoxRows,
                                           .box_columns = kBoxColumns});
    launch(probe_box,
           {.grid = 1, .block = 32, .shared_bytes = kBoxBytes + kAlignment, .stream = stream}, out,
           map, column, row);
}

}  // namespace

ProbeKernels boxes_probes() {
    return {{"box", run_box<8, 3>, true},
            {"box_before", run_box<-8, -5>, true},
            {"box_behind", run_box<24, 10>, true},
            {"box_outside", run_box<16, 40>, true}};
}

}  // namespace FETTLE_DEVICE
