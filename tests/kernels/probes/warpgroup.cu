// Probes: products of warpgroups and the descriptors of their operands, registers that warpgroups
// give and take, named barriers.

#include "kernels/core/tensor_map.cuh"
#include "kernels/core/warpgroup_matrix.cuh"
#include "tests/kernels/probes/probe_launch.cuh"

namespace FETTLE_DEVICE {
namespace {

constexpr int kWarpgroup = 128;  // threads
constexpr int kRows = 64;        // of a left operand
constexpr int kRowWords = 32;    // 64 elements of two bytes, 128 bytes
constexpr int kStep = 16;        // columns of the left operand, or rows of the right one, a product
constexpr int kKeys = 128;       // rows of a box in attention_sm90.cu
constexpr uintptr_t kSwizzleBytes = 1024;
constexpr size_t kSharedBytes = 2 * kKeys * kRowWords * sizeof(uint32_t) + kSwizzleBytes;

__device__ uint32_t* boxes() {
    FETTLE_DYNAMIC_SHARED(unsigned char, memory);
    memory += -reinterpret_cast<uintptr_t>(memory) % kSwizzleBytes;
    return reinterpret_cast<uint32_t*>(memory);
}

// Rows as a tensor map with 128-byte swizzle leaves them. in [rows, kRowWords]
__device__ void fill(uint32_t* box, const uint32_t* in, int rows) {
    for (int i = int(threadIdx.x); i < rows * kRowWords; i += kWarpgroup) {
        const int row = i / kRowWords, word = i % kRowWords;
        box[row * kRowWords + (word / 4 ^ row % 8) * 4 + word % 4] = in[i];
    }
}

template <int kFragments>
__device__ void set_to_one(float (&sums)[kFragments][4]) {
#pragma unroll
    for (int n = 0; n < kFragments; ++n)
        for (int i = 0; i < 4; ++i) sums[n][i] = 1.0f;
}
// out [kWarpgroup, kFragments, 4]
template <int kFragments>
__device__ void show(uint32_t* out, const float (&sums)[kFragments][4]) {
#pragma unroll
    for (int n = 0; n < kFragments; ++n)
        for (int i = 0; i < 4; ++i)
            out[(threadIdx.x * kFragments + n) * 4 + i] = __float_as_uint(sums[n][i]);
}

// left [64, 16 kSteps] right [8 kFragments, 16 kSteps]^T; the first product forgets the ones.
template <int kFragments, int kSteps>
__device__ void multiply_and_show(uint32_t* out, const uint32_t* left, const uint32_t* right) {
    float sums[kFragments][4];
    set_to_one(sums);
    warpgroup_arrive();
#pragma unroll
    for (int step = 0; step < kSteps; ++step)
        warpgroup_multiply(sums, matrix_descriptor(left + step * kStep / 2),
                           matrix_descriptor(right + step * kStep / 2), step > 0);
    warpgroup_commit();
    warpgroup_wait<0>(sums);
    show(out, sums);
}

// in: left [64, kRowWords], right [8 kFragments, kRowWords]
template <int kFragments, int kSteps>
__global__ void __launch_bounds__(kWarpgroup) probe_wgmma(uint32_t* out, const uint32_t* in) {
    uint32_t *const left = boxes(), *const right = left + kRows * kRowWords;
    fill(left, in, kRows);
    fill(right, in + kRows * kRowWords, 8 * kFragments);
    fence_async_proxy();
    __syncthreads();
    multiply_and_show<kFragments, kSteps>(out, left, right);
}

// Likewise with 64 columns, and boxes in place of stores.
__global__ void __launch_bounds__(kWarpgroup)
    probe_wgmma_box(uint32_t* out, const __grid_constant__ TensorMap left_map,
                    const __grid_constant__ TensorMap right_map) {
    __shared__ uint64_t mbarrier;
    uint32_t *const left = boxes(), *const right = left + kRows * kRowWords;
    if (threadIdx.x == 0) mbarrier_init(&mbarrier, 1), fence_mbarrier_init();
    __syncthreads();
    if (threadIdx.x == 0) {
        mbarrier_arrive_expect_bytes(&mbarrier, 2 * kRows * kRowWords * sizeof(uint32_t));
        load_box(left, &left_map, 0, 0, &mbarrier);
        load_box(right, &right_map, 0, 0, &mbarrier);
    }
    mbarrier_wait(&mbarrier, 0);
    multiply_and_show<8, 4>(out, left, right);
}
TensorMap map_of(const uint32_t* matrix) {
    return make_tensor_map({.matrix = reinterpret_cast<const bf16*>(matrix),
                            .rows = kRows,
                            .columns = 2 * kRowWords,
                            .stride = 2 * kRowWords,
                            .box_rows = kRows,
                            .box_columns = 2 * kRowWords});
}
void run_wgmma_box(uint32_t* out, const uint32_t* in, StreamView stream) {
    launch(probe_wgmma_box,
           {.grid = 1, .block = kWarpgroup, .shared_bytes = kSharedBytes, .stream = stream}, out,
           map_of(in), map_of(in + kRows * kRowWords));
}

// 1 + left [64, 128] right [128, 8 kFragments]. in: left as fragments [warp, step, lane, 4]; right in
// boxes of 64 columns [kKeys, kRowWords]
template <int kFragments>
__global__ void __launch_bounds__(kWarpgroup)
    probe_wgmma_registers(uint32_t* out, const uint32_t* in) {
    constexpr int kSteps = kKeys / kStep, kBoxWords = kKeys * kRowWords;
    uint32_t* const right = boxes();
    fill(right, in + kRows * kKeys / 2, kFragments / 8 * kKeys);  // box behind box
    const uint32_t warp = threadIdx.x / 32, lane = threadIdx.x % 32;
    uint32_t left[kSteps][4];
#pragma unroll
    for (int step = 0; step < kSteps; ++step)
        for (int i = 0; i < 4; ++i)
            left[step][i] = in[((warp * kSteps + step) * 32 + lane) * 4 + i];
    fence_async_proxy();
    __syncthreads();
    float sums[kFragments][4];
    set_to_one(sums);
    warpgroup_arrive();
#pragma unroll
    for (int step = 0; step < kSteps; ++step)
        warpgroup_multiply_transposed(
            sums, left[step],
            matrix_descriptor(right + kStep * step * kRowWords, kBoxWords * sizeof(uint32_t)),
            true);
    warpgroup_commit();
    warpgroup_wait<0>(sums);
    show(out, sums);
}

// Threads that meet at a barrier hold kCount words of in from their own on: at once, in registers.
template <int kCount, int barrier, int threads>
__device__ uint32_t digest(const uint32_t* in) {
    uint32_t held[kCount];
#pragma unroll
    for (int i = 0; i < kCount; ++i) held[i] = in[threadIdx.x + i];
    named_barrier_wait(barrier, threads);
    uint32_t sum = 0;
#pragma unroll
    for (int i = 0; i < kCount; ++i) sum = 31 * sum + held[i];
    return sum;
}
// As attention_sm90.cu shares the registers that three warpgroups start with: 168 a thread. Two
// hold 192 words, more than that. in [576], out [384]
__global__ void __launch_bounds__(3 * kWarpgroup, 1)
    probe_registers(uint32_t* out, const uint32_t* in) {
    if (threadIdx.x < 2 * kWarpgroup) {
        set_registers_up<232>();
        out[threadIdx.x] = digest<192, 1, 2 * kWarpgroup>(in);
    } else {
        set_registers_down<40>();
        out[threadIdx.x] = digest<16, 2, kWarpgroup>(in);
    }
}

// One half writes and arrives, the other waits, reads and arrives, four times. out [4, 64]
__global__ void probe_named_barrier(uint32_t* out, const uint32_t*) {
    constexpr int kHalf = kWarpgroup / 2, kRounds = 4;
    __shared__ uint32_t values[kHalf];
    const uint32_t i = threadIdx.x % kHalf;
    for (uint32_t round = 0; round < kRounds; ++round) {
        if (threadIdx.x < kHalf) {
            if (round > 0) named_barrier_wait(2, kWarpgroup);
            values[i] = 1000 * round + i;
            named_barrier_arrive(1, kWarpgroup);
        } else {
            named_barrier_wait(1, kWarpgroup);
            out[kHalf * round + i] = values[kHalf - 1 - i];
            if (round + 1 < kRounds) named_barrier_arrive(2, kWarpgroup);
        }
    }
}

template <auto kernel>
constexpr auto run_products = run_probe<kernel, kWarpgroup, kSharedBytes>;

}  // namespace

ProbeKernels warpgroup_probes() {
    return {{"wgmma", run_products<probe_wgmma<8, 1>>, true},
            {"wgmma_steps", run_products<probe_wgmma<8, 4>>, true},
            {"wgmma_n128", run_products<probe_wgmma<16, 4>>, true},
            {"wgmma_box", run_wgmma_box, true},
            {"wgmma_registers", run_products<probe_wgmma_registers<8>>, true},
            {"wgmma_registers_n128", run_products<probe_wgmma_registers<16>>, true},
            {"setmaxnreg", run_probe<probe_registers, 3 * kWarpgroup>, true},
            {"named_barrier", run_probe<probe_named_barrier, kWarpgroup>}};
}

}  // namespace FETTLE_DEVICE
