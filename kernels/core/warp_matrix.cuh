// Tensor cores of sm_80, one function an instruction: kernels/simt/warp_matrix.h says what each
// does and emulates it. All lanes of a warp call them together.
#pragma once

#include "kernels/core/instruction.cuh"

#if !defined(__CUDACC__)
#include "kernels/core/dtype.h"
#include "kernels/simt/warp_matrix.h"
#endif

namespace FETTLE_DEVICE {

// Matrices of 8 rows of 16 bytes in shared memory, to a register each: lane 8 m + r names row r of
// matrix m.
__device__ __forceinline__ void load_matrix(uint32_t (&to)[1], const void* row FETTLE_AND_PLACE) {
#if defined(__CUDACC__)
    asm volatile("ldmatrix.sync.aligned.m8n8.x1.shared.b16 {%0}, [%1];"
                 : "=r"(to[0])
                 : "r"(shared_address(row))
                 : "memory");
#else
    simt::load_matrices(to, 1, false, row, {file, line});
#endif
}
__device__ __forceinline__ void load_matrix(uint32_t (&to)[2], const void* row FETTLE_AND_PLACE) {
#if defined(__CUDACC__)
    asm volatile("ldmatrix.sync.aligned.m8n8.x2.shared.b16 {%0, %1}, [%2];"
                 : "=r"(to[0]), "=r"(to[1])
                 : "r"(shared_address(row))
                 : "memory");
#else
    simt::load_matrices(to, 2, false, row, {file, line});
#endif
}
__device__ __forceinline__ void load_matrix(uint32_t (&to)[4], const void* row FETTLE_AND_PLACE) {
#if defined(__CUDACC__)
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0, %1, %2, %3}, [%4];"
                 : "=r"(to[0]), "=r"(to[1]), "=r"(to[2]), "=r"(to[3])
                 : "r"(shared_address(row))
                 : "memory");
#else
    simt::load_matrices(to, 4, false, row, {file, line});
#endif
}

// The same of the transposed matrices.
__device__ __forceinline__ void load_matrix_transposed(uint32_t (&to)[1],
                                                       const void* row FETTLE_AND_PLACE) {
#if defined(__CUDACC__)
    asm volatile("ldmatrix.sync.aligned.m8n8.x1.trans.shared.b16 {%0}, [%1];"
                 : "=r"(to[0])
                 : "r"(shared_address(row))
                 : "memory");
#else
    simt::load_matrices(to, 1, true, row, {file, line});
#endif
}
__device__ __forceinline__ void load_matrix_transposed(uint32_t (&to)[2],
                                                       const void* row FETTLE_AND_PLACE) {
#if defined(__CUDACC__)
    asm volatile("ldmatrix.sync.aligned.m8n8.x2.trans.shared.b16 {%0, %1}, [%2];"
                 : "=r"(to[0]), "=r"(to[1])
                 : "r"(shared_address(row))
                 : "memory");
#else
    simt::load_matrices(to, 2, true, row, {file, line});
#endif
}
__device__ __forceinline__ void load_matrix_transposed(uint32_t (&to)[4],
                                                       const void* row FETTLE_AND_PLACE) {
#if defined(__CUDACC__)
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0, %1, %2, %3}, [%4];"
                 : "=r"(to[0]), "=r"(to[1]), "=r"(to[2]), "=r"(to[3])
                 : "r"(shared_address(row))
                 : "memory");
#else
    simt::load_matrices(to, 4, true, row, {file, line});
#endif
}

#if !defined(__CUDA_ARCH__) || __CUDA_ARCH__ >= 900

// The way back, of sm_90.
__device__ __forceinline__ void store_matrix(void* row,
                                             const uint32_t (&from)[1] FETTLE_AND_PLACE) {
#if defined(__CUDACC__)
    asm volatile("stmatrix.sync.aligned.m8n8.x1.shared.b16 [%0], {%1};" ::"r"(shared_address(row)),
                 "r"(from[0])
                 : "memory");
#else
    simt::store_matrices(row, from, 1, false, {file, line});
#endif
}
__device__ __forceinline__ void store_matrix(void* row,
                                             const uint32_t (&from)[2] FETTLE_AND_PLACE) {
#if defined(__CUDACC__)
    asm volatile(
        "stmatrix.sync.aligned.m8n8.x2.shared.b16 [%0], {%1, %2};" ::"r"(shared_address(row)),
        "r"(from[0]), "r"(from[1])
        : "memory");
#else
    simt::store_matrices(row, from, 2, false, {file, line});
#endif
}
__device__ __forceinline__ void store_matrix(void* row,
                                             const uint32_t (&from)[4] FETTLE_AND_PLACE) {
#if defined(__CUDACC__)
    asm volatile("stmatrix.sync.aligned.m8n8.x4.shared.b16 [%0], {%1, %2, %3, %4};" ::"r"(
                     shared_address(row)),
                 "r"(from[0]), "r"(from[1]), "r"(from[2]), "r"(from[3])
                 : "memory");
#else
    simt::store_matrices(row, from, 4, false, {file, line});
#endif
}
__device__ __forceinline__ void store_matrix_transposed(
    void* row, const uint32_t (&from)[1] FETTLE_AND_PLACE) {
#if defined(__CUDACC__)
    asm volatile(
        "stmatrix.sync.aligned.m8n8.x1.trans.shared.b16 [%0], {%1};" ::"r"(shared_address(row)),
        "r"(from[0])
        : "memory");
#else
    simt::store_matrices(row, from, 1, true, {file, line});
#endif
}
__device__ __forceinline__ void store_matrix_transposed(
    void* row, const uint32_t (&from)[2] FETTLE_AND_PLACE) {
#if defined(__CUDACC__)
    asm volatile(
        "stmatrix.sync.aligned.m8n8.x2.trans.shared.b16 [%0], {%1, %2};" ::"r"(shared_address(row)),
        "r"(from[0]), "r"(from[1])
        : "memory");
#else
    simt::store_matrices(row, from, 2, true, {file, line});
#endif
}
__device__ __forceinline__ void store_matrix_transposed(
    void* row, const uint32_t (&from)[4] FETTLE_AND_PLACE) {
#if defined(__CUDACC__)
    asm volatile("stmatrix.sync.aligned.m8n8.x4.trans.shared.b16 [%0], {%1, %2, %3, %4};" ::"r"(
                     shared_address(row)),
                 "r"(from[0]), "r"(from[1]), "r"(from[2]), "r"(from[3])
                 : "memory");
#else
    simt::store_matrices(row, from, 4, true, {file, line});
#endif
}

#endif  // sm_90

// sums[16 x 8] += a[16 x 16] b[16 x 8] of bf16, in fragments.
__device__ __forceinline__ void multiply_matrices(float (&sums)[4], const uint32_t (&a)[4],
                                                  uint32_t b0, uint32_t b1 FETTLE_AND_PLACE) {
#if defined(__CUDACC__)
    asm volatile(
        "mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 "
        "{%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"
        : "+f"(sums[0]), "+f"(sums[1]), "+f"(sums[2]), "+f"(sums[3])
        : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
#else
    const uint32_t b[2] = {b0, b1};
    simt::multiply_matrices(sums, a, b, {file, line});
#endif
}

// Two floats as bf16, rounded to nearest even. A NaN becomes 0x7fff.
__device__ __forceinline__ uint32_t pack_bf16(float low, float high) {
#if defined(__CUDACC__)
    uint32_t pair;
    asm("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(pair) : "f"(high), "f"(low));
    return pair;
#else
    const auto bits = [](float x) { return x != x ? 0x7fffu : uint32_t{bf16(x).bits}; };
    return bits(high) << 16 | bits(low);
#endif
}

}  // namespace FETTLE_DEVICE
