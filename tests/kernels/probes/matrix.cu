// Probes: ldmatrix, stmatrix, mma.sync and the conversions that make its operands.

#include "kernels/core/warp_matrix.cuh"
#include "tests/kernels/probes/probe_launch.cuh"

namespace FETTLE_DEVICE {
namespace {

constexpr int kSlots = 36;  // rows of shared memory; matrices need not be in order there

// The row of shared memory that lane l names: none twice, none in order.
__device__ int slot_of(uint32_t lane) {
    const int slot = int(lane) * 7 % 32;
    return slot < 16 ? slot : slot + 4;
}

// Four matrices: row r of matrix m is lane 8 m + r's. in [32, 4]; out [x1, x2, x4; then .trans][32, 4]
__global__ void probe_ldmatrix(uint32_t* out, const uint32_t* in) {
    alignas(16) __shared__ uint32_t rows[kSlots][4];
    const uint32_t lane = threadIdx.x;
    for (int i = 0; i < 4; ++i) rows[slot_of(lane)][i] = in[4 * lane + i];
    __syncthreads();
    const void* const row = rows[slot_of(lane)];
    for (int transposed = 0; transposed < 2; ++transposed) {
        uint32_t one[1], two[2], four[4];
        if (transposed == 0) {
            load_matrix(one, row);
            load_matrix(two, row);
            load_matrix(four, row);
        } else {
            load_matrix_transposed(one, row);
            load_matrix_transposed(two, row);
            load_matrix_transposed(four, row);
        }
        uint32_t* const own = out + 384 * transposed + 4 * lane;
        own[0] = one[0], own[128] = two[0], own[129] = two[1];
        for (int i = 0; i < 4; ++i) own[256 + i] = four[i];
    }
}

template <int count, bool transposed>
__device__ void store_and_show(uint32_t* out, uint32_t (*rows)[4], const uint32_t* in) {
    const uint32_t lane = threadIdx.x;
    uint32_t registers[count];
    for (int i = 0; i < count; ++i) registers[i] = in[4 * lane + i];
    for (int i = 0; i < 4; ++i) rows[slot_of(lane)][i] = 0;
    __syncwarp();
#if !defined(__CUDA_ARCH__) || __CUDA_ARCH__ >= 900
    if constexpr (transposed) store_matrix_transposed(rows[slot_of(lane)], registers);
    if constexpr (!transposed) store_matrix(rows[slot_of(lane)], registers);
#endif
    __syncwarp();
    for (int i = 0; i < 4; ++i) out[4 * lane + i] = rows[slot_of(lane)][i];
}
// The way back: in [2][32, 4] in register form, then transposed. out as above.
__global__ void probe_stmatrix(uint32_t* out, const uint32_t* in) {
    alignas(16) __shared__ uint32_t rows[kSlots][4];
    store_and_show<1, false>(out, rows, in);
    store_and_show<2, false>(out + 128, rows, in);
    store_and_show<4, false>(out + 256, rows, in);
    store_and_show<1, true>(out + 384, rows, in + 128);
    store_and_show<2, true>(out + 512, rows, in + 128);
    store_and_show<4, true>(out + 640, rows, in + 128);
}

// in: how many products; of each the fragments a [32, 4], b [32, 2], sums [32, 4]. out [32, 4] each
__global__ void probe_mma(uint32_t* out, const uint32_t* in) {
    for (uint32_t n = 0; n < in[0]; ++n) {
        const uint32_t* const a = in + 1 + 320 * n + 4 * threadIdx.x;
        const uint32_t* const b = in + 1 + 320 * n + 128 + 2 * threadIdx.x;
        const uint32_t* const c = in + 1 + 320 * n + 192 + 4 * threadIdx.x;
        const uint32_t left[4] = {a[0], a[1], a[2], a[3]};
        float sums[4];
        for (int i = 0; i < 4; ++i) sums[i] = __uint_as_float(c[i]);
        multiply_matrices(sums, left, b[0], b[1]);
        for (int i = 0; i < 4; ++i) out[128 * n + 4 * threadIdx.x + i] = __float_as_uint(sums[i]);
    }
}

// in: 32 floats. out [32, 2]: both halves of a pair by cvt.rn.bf16x2, then dtype.h's conversion
__global__ void probe_bf16(uint32_t* out, const uint32_t* in) {
    const float value = __uint_as_float(in[threadIdx.x]);
    const float other = __uint_as_float(in[31 - threadIdx.x]);
    out[2 * threadIdx.x] = pack_bf16(value, other);
    out[2 * threadIdx.x + 1] = bf16(value).bits;
}

}  // namespace

ProbeKernels matrix_probes() {
    return {{"ldmatrix", run_probe<probe_ldmatrix>}, {"stmatrix", run_probe<probe_stmatrix>, true},
            {"mma_layout", run_probe<probe_mma>},    {"mma_rounding", run_probe<probe_mma>},
            {"mma_special", run_probe<probe_mma>},   {"bf16", run_probe<probe_bf16>}};
}

}  // namespace FETTLE_DEVICE
