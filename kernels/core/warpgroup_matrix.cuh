// Warpgroup products of sm_90, one function an instruction: kernels/simt/warpgroup_matrix.h says
// what each does and emulates it. The four warps of a warpgroup, whose first is a multiple of four,
// call them together. Code for older GPUs compiles, and traps.
//
//   warpgroup_arrive();                        // this thread's registers may be used
//   warpgroup_multiply(sums, matrix_descriptor(a), matrix_descriptor(b), false);
//   warpgroup_commit();                        // the products so far are a group
//   warpgroup_wait<0>(sums);                   // until then sums is nobody's
#pragma once

#include "kernels/core/instruction.cuh"
#include "kernels/core/mbarrier.cuh"

#if !defined(__CUDACC__)
#include "kernels/simt/named_barrier.h"
#include "kernels/simt/register_pool.h"
#include "kernels/simt/warpgroup_matrix.h"
#endif

namespace FETTLE_DEVICE {

// Where an operand begins: boxes as tensor maps with 128-byte swizzle leave them, of 64 columns,
// 8 rows each 1,024 bytes. In a left operand, and in the right one of warpgroup_multiply, columns
// are k: a step of 16 begins 32 bytes later. In the right operand of warpgroup_multiply_transposed
// rows are k: a step of 16 begins 2,048 bytes later, and boxes of further columns lie
// `leading_bytes` apart. PTX ISA, "wgmma: Matrix descriptor" and "Strides".
__device__ __forceinline__ uint64_t
matrix_descriptor(const void* start, uint64_t leading_bytes = 16 FETTLE_AND_PLACE) {
    constexpr uint64_t kGroupBytes = 1024, kSwizzle128 = 1;
#if defined(__CUDACC__)
    const uint64_t address = shared_address(start);
#else
    const uint64_t address = simt::address_in_shared(start, {file, line});
#endif
    return (address & 0x3ffff) >> 4 | leading_bytes >> 4 << 16 | kGroupBytes >> 4 << 32 |
           kSwizzle128 << 62;
}

// Registers that products use are written: before the first product, and before one that uses
// registers that this thread touched since.
__device__ __forceinline__ void warpgroup_arrive(FETTLE_PLACE) {
#if defined(__CUDACC__)
    FETTLE_SM90_ASM("wgmma.fence.sync.aligned;" ::: "memory");
#else
    simt::warpgroup_arrive({file, line});
#endif
}
__device__ __forceinline__ void warpgroup_commit(FETTLE_PLACE) {
#if defined(__CUDACC__)
    FETTLE_SM90_ASM("wgmma.commit_group.sync.aligned;" ::: "memory");
#else
    simt::warpgroup_commit({file, line});
#endif
}
// Until all groups but the last kLeft are complete.
template <int kLeft>
__device__ __forceinline__ void warpgroup_wait(FETTLE_PLACE) {
#if defined(__CUDACC__)
    FETTLE_SM90_ASM("wgmma.wait_group.sync.aligned %0;" ::"n"(kLeft) : "memory");
#else
    simt::warpgroup_wait(kLeft, {file, line});
#endif
}

// Likewise, and keeps the compiler from reading `sums`, which the wait does not name, before it.
template <int kLeft, int kFragments>
__device__ __forceinline__ void warpgroup_wait(float (&sums)[kFragments][4] FETTLE_AND_PLACE) {
#if defined(__CUDACC__)
    warpgroup_wait<kLeft>();
#pragma unroll
    for (int n = 0; n < kFragments; ++n)
        asm volatile(""
                     : "+f"(sums[n][0]), "+f"(sums[n][1]), "+f"(sums[n][2]),
                       "+f"(sums[n][3])::"memory");
#else
    (void)sums;
    simt::warpgroup_wait(kLeft, {file, line});
#endif
}

#if defined(__CUDACC__)
// The operands of 4 and of 32 fragments of sums.
#define FETTLE_FRAGMENT(n) "+f"(sums[n][0]), "+f"(sums[n][1]), "+f"(sums[n][2]), "+f"(sums[n][3])
#define FETTLE_FRAGMENTS_4(n) \
    FETTLE_FRAGMENT(n), FETTLE_FRAGMENT(n + 1), FETTLE_FRAGMENT(n + 2), FETTLE_FRAGMENT(n + 3)
#define FETTLE_FRAGMENTS_8 FETTLE_FRAGMENTS_4(0), FETTLE_FRAGMENTS_4(4)
#define FETTLE_FRAGMENTS_16 FETTLE_FRAGMENTS_8, FETTLE_FRAGMENTS_4(8), FETTLE_FRAGMENTS_4(12)
#define FETTLE_SUMS_8                                                        \
    "%0, %1, %2, %3, %4, %5, %6, %7, %8, %9, %10, %11, %12, %13, %14, %15, " \
    "%16, %17, %18, %19, %20, %21, %22, %23, %24, %25, %26, %27, %28, %29, %30, %31"
#define FETTLE_SUMS_16                                                                 \
    "%0, %1, %2, %3, %4, %5, %6, %7, %8, %9, %10, %11, %12, %13, %14, %15, "           \
    "%16, %17, %18, %19, %20, %21, %22, %23, %24, %25, %26, %27, %28, %29, %30, %31, " \
    "%32, %33, %34, %35, %36, %37, %38, %39, %40, %41, %42, %43, %44, %45, %46, %47, " \
    "%48, %49, %50, %51, %52, %53, %54, %55, %56, %57, %58, %59, %60, %61, %62, %63"
#endif

// sums [64, 8 kFragments] = left [64, 16] right [8 kFragments, 16]^T of bf16, both in shared
// memory, and the sums before it if `adds`. Warp w has rows 16 w to 16 w + 15, as mma.m16n8k16 has
// them.
template <int kFragments>
__device__ __forceinline__ void warpgroup_multiply(float (&sums)[kFragments][4], uint64_t left,
                                                   uint64_t right, bool adds FETTLE_AND_PLACE) {
    static_assert(kFragments == 8 || kFragments == 16);
#if defined(__CUDACC__)
    if constexpr (kFragments == 8)
        FETTLE_SM90_ASM(
            "{\n.reg .pred adds;\nsetp.ne.b32 adds, %34, 0;\n"
            "wgmma.mma_async.sync.aligned.m64n64k16.f32.bf16.bf16 {" FETTLE_SUMS_8
            "}, %32, %33, adds, 1, 1, 0, 0;\n}"
            : FETTLE_FRAGMENTS_8
            : "l"(left), "l"(right), "r"(int(adds)));
    else
        FETTLE_SM90_ASM(
            "{\n.reg .pred adds;\nsetp.ne.b32 adds, %66, 0;\n"
            "wgmma.mma_async.sync.aligned.m64n128k16.f32.bf16.bf16 {" FETTLE_SUMS_16
            "}, %64, %65, adds, 1, 1, 0, 0;\n}"
            : FETTLE_FRAGMENTS_16
            : "l"(left), "l"(right), "r"(int(adds)));
#else
    simt::warpgroup_multiply(&sums[0][0], kFragments, left, right, adds, {file, line});
#endif
}

// sums = left right likewise, with left as the fragments of mma.m16n8k16, and the rows of right in
// shared memory k.
template <int kFragments>
__device__ __forceinline__ void warpgroup_multiply_transposed(float (&sums)[kFragments][4],
                                                              const uint32_t (&left)[4],
                                                              uint64_t right,
                                                              bool adds FETTLE_AND_PLACE) {
    static_assert(kFragments == 8 || kFragments == 16);
#if defined(__CUDACC__)
    if constexpr (kFragments == 8)
        FETTLE_SM90_ASM(
            "{\n.reg .pred adds;\nsetp.ne.b32 adds, %37, 0;\n"
            "wgmma.mma_async.sync.aligned.m64n64k16.f32.bf16.bf16 {" FETTLE_SUMS_8
            "}, {%32, %33, %34, %35}, %36, adds, 1, 1, 1;\n}"
            : FETTLE_FRAGMENTS_8
            : "r"(left[0]), "r"(left[1]), "r"(left[2]), "r"(left[3]), "l"(right), "r"(int(adds)));
    else
        FETTLE_SM90_ASM(
            "{\n.reg .pred adds;\nsetp.ne.b32 adds, %69, 0;\n"
            "wgmma.mma_async.sync.aligned.m64n128k16.f32.bf16.bf16 {" FETTLE_SUMS_16
            "}, {%64, %65, %66, %67}, %68, adds, 1, 1, 1;\n}"
            : FETTLE_FRAGMENTS_16
            : "r"(left[0]), "r"(left[1]), "r"(left[2]), "r"(left[3]), "l"(right), "r"(int(adds)));
#else
    simt::warpgroup_multiply_transposed(&sums[0][0], kFragments, left, right, adds, {file, line});
#endif
}

// fence.proxy.async: what this thread knows to be stored in shared memory may be read by products
// and bulk copies that come after.
__device__ __forceinline__ void fence_async_proxy() {
#if defined(__CUDACC__)
    FETTLE_SM90_ASM("fence.proxy.async.shared::cta;" ::: "memory");
#else
    simt::fence_async_proxy();
#endif
}

// setmaxnreg: the warpgroup's registers a thread, a multiple of 8. Up waits until others gave so
// many back.
template <int kRegisters>
__device__ __forceinline__ void set_registers_up(FETTLE_PLACE) {
    static_assert(kRegisters % 8 == 0 && kRegisters >= 24 && kRegisters <= 256);
#if defined(__CUDACC__)
    FETTLE_SM90_ASM("setmaxnreg.inc.sync.aligned.u32 %0;" ::"n"(kRegisters));
#else
    simt::set_registers(kRegisters, true, {file, line});
#endif
}
template <int kRegisters>
__device__ __forceinline__ void set_registers_down(FETTLE_PLACE) {
    static_assert(kRegisters % 8 == 0 && kRegisters >= 24 && kRegisters <= 256);
#if defined(__CUDACC__)
    FETTLE_SM90_ASM("setmaxnreg.dec.sync.aligned.u32 %0;" ::"n"(kRegisters));
#else
    simt::set_registers(kRegisters, false, {file, line});
#endif
}

// bar.sync: until `threads` threads, whole warps, are at barrier `id`, 1 to 15; __syncthreads is 0.
// A kernel reserves the barriers that it names by constants, or, with an id of run time, all 16.
__device__ __forceinline__ void named_barrier_wait(int id, int threads FETTLE_AND_PLACE) {
#if defined(__CUDACC__)
    asm volatile("bar.sync %0, %1;" ::"r"(id), "r"(threads) : "memory");
#else
    simt::named_barrier(id, threads, true, {file, line});
#endif
}
// bar.arrive: counts, and goes on.
__device__ __forceinline__ void named_barrier_arrive(int id, int threads FETTLE_AND_PLACE) {
#if defined(__CUDACC__)
    asm volatile("bar.arrive %0, %1;" ::"r"(id), "r"(threads) : "memory");
#else
    simt::named_barrier(id, threads, false, {file, line});
#endif
}

}  // namespace FETTLE_DEVICE
