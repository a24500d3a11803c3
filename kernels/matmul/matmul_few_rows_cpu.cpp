// Products with a few rows on the left, such as a token's in generation: the weights are read once,
// in the order in which they lie.
//
// Threads   pieces of out's columns.
// Traffic   N K elements of B; A and out stay in cache. Bound by memory.
// Numerics  fp32. B stored [N, K]: kVectorFloats partial sums a product, added pairwise. B stored
//           [K, N]: k in order. The number of threads changes no bit.
// Requires  A not transposed; what does not fit is left to matmul_cpu.cpp.

#include <algorithm>

#include "kernels/core/parallel.h"
#include "kernels/core/simd.h"
#include "kernels/matmul/matmul.h"

namespace on_cpu {
namespace {

// Up to here a pass for every kGroup rows beats the library's product: measured on B of 28 M
// elements, 4 rows 3.1 ms against 3.9 for 5 in fp32, 8 rows 4.6 ms against 8.8 in bf16, where the
// library needs B widened.
template <typename T>
constexpr int64_t kMostRows = std::is_same_v<T, bf16> ? 8 : 4;

constexpr int kGroup = 4;            // rows of A that share a pass over B
constexpr int kOutputs = 4;          // rows of B that are read side by side
constexpr int64_t kPiece = 1 << 15;  // elements of B that are worth a thread's start
constexpr int64_t kColumns = 512;    // of out that are summed at a time if B is [K, N]
constexpr int kDepth = 8;            // rows of such a B that are read side by side

template <typename Out, typename T>
void finish(const Matmul<T, Out>& args, int64_t m, int64_t n, float sum) {
    Out& out = args.out[m * args.ldc + n];
    if (args.accumulate) sum += static_cast<float>(out);
    if (args.bias) sum += static_cast<float>(args.bias[n]);
    store(out, sum);
}

// out[., n .. n + outputs] from as many rows of B. The next rows are asked for on the way: several
// rows share a page of memory, and the machine's own prefetcher follows one stream a page (measured
// on K = 576 from memory: 14 GB/s without and 34 GB/s with, in bf16).
template <int rows, int outputs, typename T, typename Out>
void dot_products(const Matmul<T, Out>& args, const float* a, int64_t n) {
    const T* b = args.b + n * args.ldb;
    Vector sums[outputs][rows] = {};
    int64_t k = 0;
    for (; k + kVectorFloats <= args.k; k += kVectorFloats)
        for (int o = 0; o < outputs; ++o) {
            __builtin_prefetch(b + (o + outputs) * args.ldb + k);
            const Vector weight = load(b + o * args.ldb + k);
            for (int m = 0; m < rows; ++m) sums[o][m] += weight * load(a + m * args.k + k);
        }
    for (int o = 0; o < outputs; ++o)
        for (int m = 0; m < rows; ++m) {
            float sum = sum_of(sums[o][m]);
            for (int64_t rest = k; rest < args.k; ++rest)
                sum += static_cast<float>(b[o * args.ldb + rest]) * a[m * args.k + rest];
            finish(args, m, n + o, sum);
        }
}

template <int rows, typename T, typename Out>
void multiply_rows_of_b(const Matmul<T, Out>& args, const float* a) {
    parallel_for(args.n, std::max(int64_t{kOutputs}, kPiece / args.k),
                 [&](int64_t begin, int64_t end) {
                     int64_t n = begin;
                     for (; n + kOutputs <= end; n += kOutputs)
                         dot_products<rows, kOutputs>(args, a, n);
                     for (; n < end; ++n) dot_products<rows, 1>(args, a, n);
                 });
}

// sums[m, c] += sum over `depth` rows k of B: a[m, k] b[k, c], for whole vectors of columns. Each
// vector of B is read once for all rows of A; the rows of B that follow are asked for on the way.
template <int rows, int depth, typename T>
void add_scaled(float (&sums)[rows][kColumns], const float* a, int64_t lda, const T* b, int64_t ldb,
                int64_t columns) {
    for (int64_t c = 0; c < columns; c += kVectorFloats) {
        Vector weights[depth];
        for (int k = 0; k < depth; ++k) {
            __builtin_prefetch(b + (depth + k) * ldb + c);
            weights[k] = load(b + k * ldb + c);
        }
        for (int m = 0; m < rows; ++m) {
            Vector sum = load(sums[m] + c);
            for (int k = 0; k < depth; ++k) sum += a[m * lda + k] * weights[k];
            std::memcpy(sums[m] + c, &sum, sizeof sum);
        }
    }
}

// The columns that fill no vector.
template <int rows, typename T>
void add_scaled_rest(float (&sums)[rows][kColumns], const float* a, int64_t lda, const T* b,
                     int64_t ldb, int64_t depth, int64_t first, int64_t columns) {
    for (int64_t k = 0; k < depth; ++k)
        for (int m = 0; m < rows; ++m)
            for (int64_t c = first; c < columns; ++c)
                sums[m][c] += a[m * lda + k] * static_cast<float>(b[k * ldb + c]);
}

template <int rows, typename T, typename Out>
void multiply_columns_of_b(const Matmul<T, Out>& args, const float* a) {
    const auto block = [&](int64_t first, int64_t columns) {
        const int64_t whole = columns / kVectorFloats * kVectorFloats;
        const T* b = args.b + first;
        float sums[rows][kColumns] = {};
        int64_t k = 0;
        for (; k + kDepth <= args.k; k += kDepth)
            add_scaled<rows, kDepth>(sums, a + k, args.k, b + k * args.ldb, args.ldb, whole);
        for (; k < args.k; ++k)
            add_scaled<rows, 1>(sums, a + k, args.k, b + k * args.ldb, args.ldb, whole);
        add_scaled_rest(sums, a, args.k, b, args.ldb, args.k, whole, columns);
        for (int m = 0; m < rows; ++m)
            for (int64_t c = 0; c < columns; ++c) finish(args, m, first + c, sums[m][c]);
    };
    parallel_for(args.n, std::max<int64_t>(192, kPiece / args.k), [&](int64_t begin, int64_t end) {
        for (int64_t n = begin; n < end; n += kColumns) block(n, std::min(kColumns, end - n));
    });
}

template <int rows, typename T, typename Out>
void multiply(const Matmul<T, Out>& args, const float* a) {
    if (args.transpose_b)
        multiply_rows_of_b<rows>(args, a);
    else
        multiply_columns_of_b<rows>(args, a);
}

// A packed in float: as it is, or widened into the scratch.
const float* packed(const Matmul<float>& args) {
    return args.lda == args.k || args.m == 1 ? args.a : nullptr;
}
template <typename Out>
const float* packed(const Matmul<bf16, Out>& args) {
    if (args.m * args.k * int64_t{sizeof(float)} > matmul_scratch_bytes<bf16>(Device::cpu))
        return nullptr;
    auto* to = static_cast<float*>(args.scratch);
    for (int64_t m = 0; m < args.m; ++m)
        for (int64_t k = 0; k < args.k; ++k)
            to[m * args.k + k] = static_cast<float>(args.a[m * args.lda + k]);
    return to;
}

}  // namespace

template <typename T, typename Out>
bool matmul_few_rows(const Matmul<T, Out>& args) {
    if (args.m > kMostRows<T> || args.transpose_a) return false;
    const float* a = packed(args);  // [M, K]
    if (!a) return false;
    for (int64_t first = 0; first < args.m; first += kGroup) {
        Matmul<T, Out> group = args;
        group.out += first * args.ldc;
        const float* rows = a + first * args.k;
        switch (args.m - first) {
            case 1:
                multiply<1>(group, rows);
                break;
            case 2:
                multiply<2>(group, rows);
                break;
            case 3:
                multiply<3>(group, rows);
                break;
            default:
                multiply<kGroup>(group, rows);
        }
    }
    return true;
}

template bool matmul_few_rows(const Matmul<float, float>&);
template bool matmul_few_rows(const Matmul<bf16, bf16>&);
template bool matmul_few_rows(const Matmul<bf16, float>&);

}  // namespace on_cpu
