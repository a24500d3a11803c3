// Probes: warpgroup products from shared memory and from registers, bulk stores, named barriers,
// registers of a warpgroup.

#include "kernels/core/bulk_store.cuh"
#include "kernels/core/tensor_map.cuh"
#include "kernels/core/warpgroup_matrix.cuh"
#include "tests/kernels/probes/probe_launch.cuh"

namespace FETTLE_DEVICE {
namespace {

constexpr int kThreads = 128;
constexpr int kRowWords = 32;               // of a box: 64 columns, 128 bytes
constexpr int kBoxElements = 64 * 64;       // 64 rows
constexpr size_t kSharedBytes = 40 * 1024;  // three boxes and what aligns the first
constexpr uintptr_t kAlignment = 1024;

__device__ bf16* boxes() {
    FETTLE_DYNAMIC_SHARED(unsigned char, memory);
    const auto start = reinterpret_cast<uintptr_t>(memory);
    return reinterpret_cast<bf16*>(memory + (kAlignment - start % kAlignment) % kAlignment);
}

// Rows of 64 columns, `stride` words apart, as tensor maps with 128-byte swizzle leave them.
__device__ void stage(bf16* box, const uint32_t* from, int rows, int stride) {
    for (int i = int(threadIdx.x); i < rows * kRowWords; i += int(blockDim.x)) {
        const int row = i / kRowWords, word = i % kRowWords;
        reinterpret_cast<uint32_t*>(box)[row * kRowWords + (word / 4 ^ row % 8) * 4 + word % 4] =
            from[row * stride + word];
    }
}

// out [64, 8 kFragments]
template <int kFragments>
__device__ void write(uint32_t* out, const float (&sums)[kFragments][4]) {
    const int lane = int(threadIdx.x) % 32, warp = int(threadIdx.x) / 32;
    for (int f = 0; f < kFragments; ++f)
        for (int e = 0; e < 4; ++e) {
            const int row = 16 * warp + lane / 4 + e / 2 * 8,
                      column = 8 * f + 2 * (lane % 4) + e % 2;
            out[row * 8 * kFragments + column] = __float_as_uint(sums[f][e]);
        }
}

template <int kFragments>
__device__ void set_to(float (&sums)[kFragments][4], float value) {
    for (auto& fragment : sums)
        for (float& sum : fragment) sum = value;
}

// out [64, n] = left [64, 64] right [n, 64]^T, n = 8 kFragments; what the sums held before goes.
template <int kFragments>
__global__ void __launch_bounds__(kThreads) probe_product(uint32_t* out, const uint32_t* in) {
    bf16 *left = boxes(), *right = left + kBoxElements;
    stage(left, in, 64, kRowWords);
    stage(right, in + 64 * kRowWords, 8 * kFragments, kRowWords);
    fence_async_proxy();
    __syncthreads();
    float sums[kFragments][4];
    set_to(sums, 1.0f);
    warpgroup_arrive();
#pragma unroll
    for (int k = 0; k < 64; k += 16)
        warpgroup_multiply(sums, matrix_descriptor(left + k), matrix_descriptor(right + k), k > 0);
    warpgroup_commit();
    warpgroup_wait<0>(sums);
    write(out, sums);
}

// out [64, n] = 1 + left [64, 64] right [64, n], left in registers, right in boxes of 64 columns.
template <int kFragments>
__global__ void __launch_bounds__(kThreads)
    probe_product_of_registers(uint32_t* out, const uint32_t* in) {
    constexpr int kBoxes = kFragments / 8;
    bf16* right = boxes();
    for (int box = 0; box < kBoxes; ++box)
        stage(right + box * kBoxElements, in + 64 * kRowWords + box * kRowWords, 64,
              kBoxes * kRowWords);
    fence_async_proxy();
    __syncthreads();
    const int lane = int(threadIdx.x) % 32, row = int(threadIdx.x) / 32 * 16 + lane / 4;
    uint32_t left[4][4];
    for (int k = 0; k < 4; ++k)
        for (int quarter = 0; quarter < 4; ++quarter)
            left[k][quarter] =
                in[(row + quarter % 2 * 8) * kRowWords + 8 * k + quarter / 2 * 4 + lane % 4];
    float sums[kFragments][4];
    set_to(sums, 1.0f);
    warpgroup_arrive();
#pragma unroll
    for (int k = 0; k < 4; ++k)
        warpgroup_multiply_transposed(
            sums, left[k], matrix_descriptor(right + 16 * k * 64, kBoxElements * sizeof(bf16)),
            true);
    warpgroup_commit();
    warpgroup_wait<0>(sums);
    write(out, sums);
}

// out [64] = in [64]
__global__ void probe_store_bytes(uint32_t* out, const uint32_t* in) {
    alignas(16) __shared__ uint32_t words[64];
    for (int i = int(threadIdx.x); i < 64; i += int(blockDim.x)) words[i] = in[i];
    fence_async_proxy();
    __syncthreads();
    if (threadIdx.x > 0) return;
    store_bytes(out, words, sizeof words);
    commit_stores();
    wait_stores_read<0>();
    wait_stores<0>();
}

// The box in [16, 64] into a matrix [20, 72] at (10, 24), beyond which it reaches both ways.
__global__ void probe_store_box(const __grid_constant__ TensorMap map, const uint32_t* in) {
    bf16* box = boxes();
    stage(box, in, 16, kRowWords);
    fence_async_proxy();
    __syncthreads();
    if (threadIdx.x > 0) return;
    store_box(&map, /*column=*/24, /*row=*/10, box);
    commit_stores();
    wait_stores<0>();
}
void run_store_box(uint32_t* out, const uint32_t* in, StreamView stream) {
    const TensorMap map = make_tensor_map({.matrix = reinterpret_cast<const bf16*>(out),
                                           .rows = 20,
                                           .columns = 72,
                                           .stride = 72,
                                           .box_rows = 16,
                                           .box_columns = 64});
    launch(probe_store_box,
           {.grid = 1, .block = 32, .shared_bytes = kSharedBytes, .stream = stream}, map, in);
}

// out [64] = in [64] backwards: one half of the block writes and goes on, the other one waits.
__global__ void probe_named_barrier(uint32_t* out, const uint32_t* in) {
    __shared__ uint32_t words[64];
    if (threadIdx.x < 64) {
        words[threadIdx.x] = in[threadIdx.x];
        named_barrier_arrive(1, kThreads);
    } else {
        named_barrier_wait(1, kThreads);
        out[threadIdx.x - 64] = words[127 - threadIdx.x];
    }
}

// out [384] = 3 in [384], over a change of every warpgroup's registers.
__global__ void __launch_bounds__(3 * kThreads, 1)
    probe_registers(uint32_t* out, const uint32_t* in) {
    const uint32_t word = in[threadIdx.x];
    if (threadIdx.x < kThreads)
        set_registers_down<40>();
    else
        set_registers_up<232>();
    out[threadIdx.x] = 3 * word;
}

}  // namespace

ProbeKernels warpgroup_probes() {
    return {{"product_n64", run_probe<probe_product<8>, kThreads, kSharedBytes>, true},
            {"product_n128", run_probe<probe_product<16>, kThreads, kSharedBytes>, true},
            {"product_of_registers_n64",
             run_probe<probe_product_of_registers<8>, kThreads, kSharedBytes>, true},
            {"product_of_registers_n128",
             run_probe<probe_product_of_registers<16>, kThreads, kSharedBytes>, true},
            {"store_bytes", run_probe<probe_store_bytes>, true},
            {"store_box", run_store_box, true},
            {"named_barrier", run_probe<probe_named_barrier, kThreads>},
            {"registers", run_probe<probe_registers, 3 * kThreads>, true}};
}

}  // namespace FETTLE_DEVICE
