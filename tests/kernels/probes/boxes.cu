// Probes: boxes of a matrix through a tensor map, inside and outside of it, with 128-byte swizzle,
// loaded and stored.

#include "kernels/core/bulk_store.cuh"
#include "kernels/core/mbarrier.cuh"
#include "kernels/core/tensor_map.cuh"
#include "tests/kernels/probes/probe_launch.cuh"

namespace FETTLE_DEVICE {
namespace {

constexpr int kRows = 20, kColumns = 72;        // of the matrix, elements of two bytes
constexpr int kBoxRows = 16, kBoxColumns = 64;  // 128 bytes a row
constexpr int kBoxBytes = kBoxRows * kBoxColumns * 2;
constexpr uintptr_t kAlignment = 1024;

__device__ uint32_t* aligned_box() {
    FETTLE_DYNAMIC_SHARED(unsigned char, memory);
    const auto start = reinterpret_cast<uintptr_t>(memory);
    return reinterpret_cast<uint32_t*>(memory + (kAlignment - start % kAlignment) % kAlignment);
}

// out [kBoxBytes / 4]
template <bool prefetches>
__global__ void probe_box(uint32_t* out, const __grid_constant__ TensorMap map, int column,
                          int row) {
    __shared__ uint64_t mbarrier;
    uint32_t* const box = aligned_box();
    if (prefetches && threadIdx.x == 0) prefetch_tensor_map(&map);
    if (threadIdx.x == 0) mbarrier_init(&mbarrier, 1), fence_mbarrier_init();
    __syncthreads();
    if (threadIdx.x == 0) {
        mbarrier_arrive_expect_bytes(&mbarrier, kBoxBytes);
        load_box(box, &map, column, row, &mbarrier);
    }
    mbarrier_wait(&mbarrier, 0);
    for (uint32_t i = threadIdx.x; i < kBoxBytes / 4; i += 32) out[i] = box[i];
}

// in [kBoxBytes / 4], as it lies in shared memory
__global__ void probe_store_box(const uint32_t* in, const __grid_constant__ TensorMap map,
                                int column, int row) {
    uint32_t* const box = aligned_box();
    for (uint32_t i = threadIdx.x; i < kBoxBytes / 4; i += 32) box[i] = in[i];
    fence_async_proxy();
    __syncthreads();
    if (threadIdx.x != 0) return;
    store_box(&map, column, row, box);
    commit_stores();
    wait_stores_read<0>();
}
// out [kRows, kColumns / 2]
__global__ void fill_matrix(uint32_t* out) {
    for (uint32_t i = threadIdx.x; i < kRows * kColumns / 2; i += 32) out[i] = 0xffffffffu;
}

TensorMap map_of(const uint32_t* matrix) {
    return make_tensor_map({.matrix = reinterpret_cast<const bf16*>(matrix),
                            .rows = kRows,
                            .columns = kColumns,
                            .stride = kColumns,
                            .box_rows = kBoxRows,
                            .box_columns = kBoxColumns});
}
LaunchShape one_warp(StreamView stream) {
    return {.grid = 1, .block = 32, .shared_bytes = kBoxBytes + kAlignment, .stream = stream};
}

// Its first element is (row, column).
template <int column, int row, bool prefetches = false>
void run_box(uint32_t* out, const uint32_t* in, StreamView stream) {
    launch(probe_box<prefetches>, one_warp(stream), out, map_of(in), column, row);
}
template <int column, int row>
void run_store_box(uint32_t* out, const uint32_t* in, StreamView stream) {
    launch(fill_matrix, one_warp(stream), out);
    launch(probe_store_box, one_warp(stream), in, map_of(out), column, row);
}

}  // namespace

ProbeKernels boxes_probes() {
    return {{"box", run_box<8, 3>, true},
            {"box_before", run_box<-8, -5>, true},
            {"box_behind", run_box<24, 10>, true},
            {"box_outside", run_box<16, 40>, true},
            {"box_prefetched", run_box<8, 3, true>, true},
            {"store_box", run_store_box<8, 3>, true},
            {"store_box_before", run_store_box<-8, -5>, true},
            {"store_box_behind", run_store_box<24, 10>, true}};
}

}  // namespace FETTLE_DEVICE
