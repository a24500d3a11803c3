// Matrix products on the cpu through oneDNN's sgemm, and the bias gradient by hand.
//
// bf16 operands are widened tile by tile and multiplied in fp32. The vector units' own bf16
// products sum in fp32 as well, and where they were measured (AVX512_BF16 of a Sapphire Rapids
// without AMX) ran at half the rate of fp32 multiply-adds: 90 against 188 GFLOP/s a core.
//
// Threads   oneDNN's within a product; conversions by rows.
// Traffic   each operand once from memory where its tile fits the cache; bf16 adds a write and a
//           read of the widened tiles, 2 (MK + KN + MN) floats. Bound by the multiply-adds.
// Numerics  fp32 sums in the library's order: repeatable for one number of threads.

#include <algorithm>
#include <oneapi/dnnl/dnnl.hpp>

#include "kernels/core/check.h"
#include "kernels/core/parallel.h"
#include "kernels/core/simd.h"
#include "kernels/matmul/matmul.h"

namespace on_cpu {

// matmul_few_rows_cpu.cpp: true if it has computed the product.
template <typename T, typename Out>
bool matmul_few_rows(const Matmul<T, Out>& args);

namespace {

// Elements of a widened tile of A, of B, and of the sums: 8 MiB each.
constexpr int64_t kTileElements = int64_t{1} << 21;
constexpr int64_t kTileDepth = 4096;

void sgemm(const Matmul<float>& args, float beta) {
    const dnnl_status_t status =
        dnnl_sgemm(args.transpose_a ? 'T' : 'N', args.transpose_b ? 'T' : 'N', args.m, args.n,
                   args.k, 1.0f, args.a, args.lda, args.b, args.ldb, beta, args.out, args.ldc);
    ENSURE(status == dnnl_success, "matmul: oneDNN's sgemm of {} x {} x {} returned {}", args.m,
           args.n, args.k, static_cast<int>(status));
}

// to[r, c] = from[r, c] of another type, rows `to_stride` and `from_stride` elements apart.
template <typename To, typename From>
void copy_rows(To* to, int64_t to_stride, const From* from, int64_t from_stride, int64_t rows,
               int64_t columns) {
    const int64_t grain = std::max<int64_t>(1, 8192 / columns);
    parallel_for(rows, grain, [&](int64_t begin, int64_t end) {
        for (int64_t r = begin; r < end; ++r) {
            To* out = to + r * to_stride;
            const From* in = from + r * from_stride;
#pragma omp simd
            for (int64_t c = 0; c < columns; ++c) store(out[c], static_cast<float>(in[c]));
        }
    });
}

// A widened part of an operand [rows, depth], stored transposed or not, that remembers which.
struct Tile {
    float* data = nullptr;
    int64_t row = -1, depth = -1;  // where the part begins
};

void widen(Tile& tile, const bf16* from, int64_t stride, bool transposed, int64_t row,
           int64_t depth, int64_t rows, int64_t depths) {
    if (tile.row == row && tile.depth == depth) return;
    if (transposed)
        copy_rows(tile.data, rows, from + depth * stride + row, stride, depths, rows);
    else
        copy_rows(tile.data, depths, from + row * stride + depth, stride, rows, depths);
    tile.row = row;
    tile.depth = depth;
}

// One tile of the output, over all of K.
template <typename Out>
void multiply_tile(const Matmul<bf16, Out>& args, int64_t first_m, int64_t m, int64_t first_n,
                   int64_t n, Tile& a, Tile& b, float* sums) {
    Out* out = args.out + first_m * args.ldc + first_n;
    float* to = sums;
    int64_t to_stride = n;
    bool add = args.accumulate || args.bias;
    if constexpr (std::is_same_v<Out, float>) {
        to = out;
        to_stride = args.ldc;
    } else if (args.accumulate) {
        copy_rows(to, n, out, args.ldc, m, n);
    }
    if (args.bias) copy_rows(to, to_stride, args.bias + first_n, 0, m, n);
    for (int64_t first_k = 0; first_k < args.k; first_k += kTileDepth, add = true) {
        const int64_t k = std::min(kTileDepth, args.k - first_k);
        widen(a, args.a, args.lda, args.transpose_a, first_m, first_k, m, k);
        widen(b, args.b, args.ldb, !args.transpose_b, first_n, first_k, n, k);
        sgemm({.out = to,
               .a = a.data,
               .b = b.data,
               .m = m,
               .n = n,
               .k = k,
               .transpose_a = args.transpose_a,
               .transpose_b = args.transpose_b,
               .lda = args.transpose_a ? m : k,
               .ldb = args.transpose_b ? k : n,
               .ldc = to_stride},
              add ? 1.0f : 0.0f);
    }
    if constexpr (!std::is_same_v<Out, float>) copy_rows(out, args.ldc, to, n, m, n);
}

template <typename Out>
void multiply(const Matmul<bf16, Out>& args) {
    const int64_t depth = std::min(args.k, kTileDepth);
    const int64_t tile_m = std::min(args.m, kTileElements / std::max<int64_t>(depth, 1024));
    const int64_t tile_n = std::min(args.n, kTileElements / std::max(depth, tile_m));
    auto* scratch = static_cast<float*>(args.scratch);
    Tile a{scratch}, b{scratch + kTileElements};
    for (int64_t n = 0; n < args.n; n += tile_n)
        for (int64_t m = 0; m < args.m; m += tile_m)
            multiply_tile(args, m, std::min(tile_m, args.m - m), n, std::min(tile_n, args.n - n), a,
                          b, scratch + 2 * kTileElements);
}

void multiply(const Matmul<float>& args) {
    if (args.bias) copy_rows(args.out, args.ldc, args.bias, 0, args.m, args.n);
    sgemm(args, args.accumulate || args.bias ? 1.0f : 0.0f);
}

}  // namespace

template <typename T, typename Out>
void matmul(const Matmul<T, Out>& given, StreamView) {
    const Matmul<T, Out> args = with_strides(given);
    if (!matmul_few_rows(args)) multiply(args);
}

template <typename T>
void bias_gradient(const BiasGradient<T>& args, StreamView) {
    const int64_t stride = args.stride ? args.stride : args.n;
    auto* partial = static_cast<float*>(args.scratch);  // [kBiasGradientRuns, N]
#pragma omp parallel for schedule(static)
    for (int64_t block = 0; block < kBiasGradientRuns; ++block) {
        float* sums = partial + block * args.n;
        std::fill(sums, sums + args.n, 0.0f);
        const int64_t end = args.m * (block + 1) / kBiasGradientRuns;
        for (int64_t m = args.m * block / kBiasGradientRuns; m < end; ++m) {
            const T* row = args.grad_out + m * stride;
#pragma omp simd
            for (int64_t n = 0; n < args.n; ++n) sums[n] += static_cast<float>(row[n]);
        }
    }
    parallel_for(args.n, 256, [&](int64_t begin, int64_t end) {
        for (int64_t block = 0; block < kBiasGradientRuns; ++block)
            for (int64_t n = begin; n < end; ++n) args.grad_bias[n] += partial[block * args.n + n];
    });
}

template void matmul(const Matmul<float, float>&, StreamView);
template void matmul(const Matmul<bf16, bf16>&, StreamView);
template void matmul(const Matmul<bf16, float>&, StreamView);
template void bias_gradient(const BiasGradient<float>&, StreamView);
template void bias_gradient(const BiasGradient<bf16>&, StreamView);

template <typename T>
int64_t matmul_scratch_bytes() {
    return std::is_same_v<T, bf16> ? 3 * kTileElements * int64_t{sizeof(float)} : 0;
}
template int64_t matmul_scratch_bytes<float>();
template int64_t matmul_scratch_bytes<double>();
template int64_t matmul_scratch_bytes<bf16>();

}  // namespace on_cpu

int64_t bias_gradient_scratch_bytes(int64_t n, int64_t accumulator_bytes) {
    return kBiasGradientRuns * n * accumulator_bytes;
}
