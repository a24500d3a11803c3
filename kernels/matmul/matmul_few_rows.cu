// Matrix product with few rows on the left, such as a token's in generation: B is read once.
//
//   out[m,n] = (accumulate ? out[m,n] : 0) + sum_k A[m,k] B[k,n] + bias[n],   M <= 4
//
// Shapes    As matmul.cu's.
// Threads   Warp w, lane l of 8 x 32. Where B is stored [N,K], block b owns columns 32b + {0..31}:
//           a thread sums k = l, l+32, ... for the columns 4w + {0..3}. Where it is [K,N], columns
//           128b + {0..127}: k = w, w+8, ... for the columns l + {0,32,64,96}. Then a thread an
//           output adds the 32 or 8 partial sums.
// Traffic   B once, s NK bytes for elements of s bytes: bound by memory, or by latency where N is
//           too small to fill the GPU. A comes from the L1.
// Numerics  Float sums in a fixed order: bitwise repeatable. The order is not matmul.cu's.
// Requires  0 < m <= kMostRows, n, k > 0; strides given; out overlaps nothing.
// Shared    The partial sums of every thread, 4 kRows + 1 floats apart: lanes that write, and
//           threads that read neighbouring outputs, touch different banks.

#include <algorithm>

#include "kernels/core/launch.h"
#include "kernels/matmul/matmul.h"

namespace FETTLE_DEVICE {
namespace {

constexpr int kMostRows = 4;
constexpr int kColumns = 4;  // of a thread
constexpr int kLanes = 32, kWarps = 8;
constexpr int kThreads = kLanes * kWarps;

// Which columns and which k a thread sums, and whose sums belong together.
struct Split {
    int columns;       // of a block
    int first_column;  // of a thread, then every column_step
    int column_step;
    int first_k, k_step;
};

__device__ inline Split split_of(bool along_k) {
    const int lane = static_cast<int>(threadIdx.x) % kLanes;
    const int warp = static_cast<int>(threadIdx.x) / kLanes;
    if (along_k) return {kWarps * kColumns, warp * kColumns, 1, lane, kLanes};
    return {kLanes * kColumns, lane, kLanes, warp, kWarps};
}

template <int kRows, typename T, typename Out>
__device__ void add_products(float (&sums)[kRows][kColumns], const Matmul<T, Out>& args,
                             const Split& split, int64_t first_n) {
    const int64_t a_row = args.transpose_a ? 1 : args.lda, a_step = args.transpose_a ? args.lda : 1;
    const int64_t b_column = args.transpose_b ? args.ldb : 1;
    const int64_t b_step = args.transpose_b ? 1 : args.ldb;
    // What lies beyond the last row or column is replaced by that, and never written.
    const T* a[kRows];
    const T* b[kColumns];
    for (int i = 0; i < kRows; ++i) a[i] = args.a + min(int64_t{i}, args.m - 1) * a_row;
    for (int j = 0; j < kColumns; ++j) {
        const int64_t n = first_n + split.first_column + j * split.column_step;
        b[j] = args.b + min(n, args.n - 1) * b_column;
    }
    for (int64_t k = split.first_k; k < args.k; k += split.k_step) {
        float weights[kColumns];
        for (int j = 0; j < kColumns; ++j) weights[j] = float(b[j][k * b_step]);
        for (int i = 0; i < kRows; ++i) {
            const float value = float(a[i][k * a_step]);
            for (int j = 0; j < kColumns; ++j) sums[i][j] += value * weights[j];
        }
    }
}

// out[m, n] from partial[first], partial[first + step], ... in this order.
template <typename T, typename Out>
__device__ void write_output(const Matmul<T, Out>& args, int64_t m, int64_t n, const float* partial,
                             int step, int count) {
    if (m >= args.m || n >= args.n) return;
    float sum = partial[0];
    for (int i = 1; i < count; ++i) sum += partial[i * step];
    Out& out = args.out[m * args.ldc + n];
    if (args.accumulate) sum += float(out);
    if (args.bias != nullptr) sum += float(args.bias[n]);
    out = Out(sum);
}

template <int kRows, typename T, typename Out>
__global__ void __launch_bounds__(kThreads) matmul_few_rows_split_depth(Matmul<T, Out> args) {
    constexpr int kSums = kRows * kColumns;
    using ThreadSums = float[kSums + 1];
    FETTLE_DYNAMIC_SHARED(ThreadSums, partial);  // [kThreads]
    const int thread = static_cast<int>(threadIdx.x);
    const bool along_k = args.transpose_b;
    const Split split = split_of(along_k);
    const int64_t first_n = int64_t{blockIdx.x} * split.columns;

    float sums[kRows][kColumns] = {};
    add_products(sums, args, split, first_n);
    for (int i = 0; i < kSums; ++i) partial[thread][i] = sums[i / kColumns][i % kColumns];
    __syncthreads();

    // Threads whose sums belong together: the lanes of a warp, or one lane of every warp.
    const int groups = along_k ? kWarps : kLanes;
    const int count = kThreads / groups, step = along_k ? 1 : kLanes;
    for (int o = thread; o < groups * kSums; o += kThreads) {
        const int group = o / kSums, i = o % kSums, j = i % kColumns;
        const int column = along_k ? group * kColumns + j : group + j * kLanes;
        write_output(args, i / kColumns, first_n + column,
                     &partial[along_k ? group * kLanes : group][i], step * (kSums + 1), count);
    }
}

template <int kRows, typename T, typename Out>
void launch_split_depth(const Matmul<T, Out>& args, unsigned blocks, StreamView stream) {
    launch(matmul_few_rows_split_depth<kRows, T, Out>,
           {.grid = blocks,
            .block = kThreads,
            .shared_bytes = kThreads * (kRows * kColumns + 1) * sizeof(float),
            .stream = stream},
           args);
}

}  // namespace

// True if it has computed the product.
template <typename T, typename Out>
bool matmul_few_rows(const Matmul<T, Out>& args, StreamView stream) {
    const int64_t columns = kColumns * (args.transpose_b ? kWarps : kLanes);
    const int64_t blocks = ceil_div(args.n, columns);
    if (args.m > kMostRows || blocks > 0x7fffffff) return false;
    if (args.m == 1)
        launch_split_depth<1>(args, static_cast<unsigned>(blocks), stream);
    else
        launch_split_depth<kMostRows>(args, static_cast<unsigned>(blocks), stream);
    return true;
}

template bool matmul_few_rows(const Matmul<float, float>&, StreamView);
template bool matmul_few_rows(const Matmul<bf16, bf16>&, StreamView);
template bool matmul_few_rows(const Matmul<bf16, float>&, StreamView);

}  // namespace FETTLE_DEVICE
