// Matrix product with bias: a tile of the output per block, 8 x 8 sums per thread.
//
//   out[m,n] = (accumulate ? out[m,n] : 0) + sum_k A[m,k] B[k,n] + bias[n]
//
// Shapes    A [M,K] or [K,M], B [K,N] or [N,K], out [M,N], all row-major with rows lda, ldb, ldc
//           elements apart; bias [N].
// Threads   Block b owns tile (b % tiles_m, b / tiles_m) of kTile x kTile outputs, 128 or 64. With
//           S = kTile / 8, thread t of its S * S owns rows 8 (t / S) + {0..7} of the tile and
//           columns 8 (t % S) + {0..7}.
// Traffic   A is read N/kTile times, B M/kTile times, mostly from the L2: a multiply-add takes
//           s (1/kTile + 1/kTile) bytes of it for elements of s bytes. Bound by the multiply-adds:
//           a warp issues 64 of them for every 4 shared loads of 128 bits.
// Numerics  One float sum per output over k = 0, 1, ..., whatever the tile; then bias or out is
//           added, then rounded to Out. No atomics: bitwise repeatable.
// Requires  m, n, k > 0; strides given; bias and accumulate not both. out overlaps nothing.
// Shared    Two stages of a kTile x kDepth tile of A and one of B, as floats, k slowest, with 4
//           free floats after every 32: then 8 lanes' loads of 128 bits, 8 floats apart, hit all
//           banks, and so do a warp's stores, whether of 32 rows at one k or of 4 rows x 8 k. Two
//           stages want one barrier a step: who writes a stage has passed the barrier after
//           everybody's last read of it.

#include "kernels/matmul/matmul.h"

#include "kernels/core/check.h"
#include "kernels/core/launch.h"

namespace FETTLE_DEVICE {

// matmul_few_rows.cu: true if it has computed the product.
template <typename T, typename Out>
bool matmul_few_rows(const Matmul<T, Out>& args, StreamView stream);

namespace {

// Fixed trip counts: nvcc unrolls; for the emulator's compiler the loop is one vector.
#if defined(__CUDACC__)
#define FETTLE_SIMD_LOOP _Pragma("unroll")
#else
#define FETTLE_SIMD_LOOP _Pragma("omp simd")
#endif

constexpr int kDepth = 16;  // of a step along k
constexpr int kSums = 8;    // a thread's rows and columns
constexpr int kLargeTile = 128, kSmallTile = 64;
// Large tiles read less, small ones keep more of the GPU busy: two large blocks fit an SM, and
// chips of 108 to 148 SMs want about so many.
constexpr int64_t kEnoughLargeTiles = 256;

template <int kTile>
constexpr int kThreads = (kTile / kSums) * (kTile / kSums);

// Where row or column r of a tile lies: 4 floats are left free after every 32.
__host__ __device__ constexpr int position(int r) { return r + r / 32 * 4; }

template <int kTile>
using Tile = float[kDepth][position(kTile - 1) + 1];

template <int kTile>
struct Stage {
    alignas(16) Tile<kTile> a;
    alignas(16) Tile<kTile> b;
};

// A matrix [rows, depth] whose elements along k are 1 apart, or along the rows.
template <typename T>
struct Operand {
    const T* data;
    int64_t stride;
    bool along_k;
    int64_t rows, depth;
};

// tile[k][r] = operand[first_row + r, first_k + k], or 0 beyond the operand's end.
template <int kTile, typename T>
__device__ void load_tile(Tile<kTile>& tile, const Operand<T>& from, int64_t first_row,
                          int64_t first_k) {
    const int thread = static_cast<int>(threadIdx.x);
    const bool whole = first_row + kTile <= from.rows && first_k + kDepth <= from.depth;
    if (from.along_k) {
        for (int r = thread / 8; r < kTile; r += kThreads<kTile> / 8) {
            const T* row = from.data + (first_row + r) * from.stride + first_k;
            for (int k = thread % 8; k < kDepth; k += 8) {
                const bool inside =
                    whole || (first_row + r < from.rows && first_k + k < from.depth);
                tile[k][position(r)] = inside ? float(row[k]) : 0.0f;
            }
        }
    } else {
        const int r = thread % kTile;
        const T* column = from.data + first_k * from.stride + first_row + r;
        for (int k = thread / kTile; k < kDepth; k += kThreads<kTile> / kTile) {
            const bool inside = whole || (first_row + r < from.rows && first_k + k < from.depth);
            tile[k][position(r)] = inside ? float(column[k * from.stride]) : 0.0f;
        }
    }
}

// A thread's rows or columns of a tile, at one k: two loads of 128 bits.
__device__ inline const float* owned(const float* row, int part) {
    return static_cast<const float*>(__builtin_assume_aligned(row + position(part * kSums), 16));
}

template <int kTile>
__device__ void multiply_stage(float (&sums)[kSums][kSums], const Stage<kTile>& stage, int part_m,
                               int part_n) {
#pragma unroll
    for (int k = 0; k < kDepth; ++k) {
        const float* a = owned(stage.a[k], part_m);
        const float* b = owned(stage.b[k], part_n);
#pragma unroll
        for (int i = 0; i < kSums; ++i) FETTLE_SIMD_LOOP
        for (int j = 0; j < kSums; ++j) sums[i][j] += a[i] * b[j];
    }
}

template <typename Out>
struct alignas(16) Row {
    Out elements[kSums];
};

// out[m, first_n + {0..7}] from their sums: in 128 bits at a time where the address allows.
template <typename T, typename Out>
__device__ void write_row(const Matmul<T, Out>& args, int64_t m, int64_t first_n,
                          const float (&sums)[kSums]) {
    Out* out = args.out + m * args.ldc + first_n;
    Row<Out> values;
#pragma unroll
    for (int j = 0; j < kSums; ++j) {
        if (first_n + j >= args.n) continue;
        float sum = sums[j];
        if (args.accumulate) sum += float(out[j]);
        if (args.bias != nullptr) sum += float(args.bias[first_n + j]);
        values.elements[j] = Out(sum);
    }
    if (first_n + kSums <= args.n && reinterpret_cast<uintptr_t>(out) % 16 == 0) {
        *reinterpret_cast<Row<Out>*>(out) = values;
    } else {
#pragma unroll
        for (int j = 0; j < kSums; ++j)
            if (first_n + j < args.n) out[j] = values.elements[j];
    }
}

template <int kTile, typename T, typename Out>
__global__ void __launch_bounds__(kThreads<kTile>, 512 / kThreads<kTile>)
    matmul_tile_per_block(Matmul<T, Out> args, int64_t tiles_m) {
    FETTLE_DYNAMIC_SHARED(Stage<kTile>, stages);  // [2]
    const Operand<T> a{args.a, args.lda, !args.transpose_a, args.m, args.k};
    const Operand<T> b{args.b, args.ldb, args.transpose_b, args.n, args.k};
    const int64_t first_m = blockIdx.x % tiles_m * kTile;
    const int64_t first_n = blockIdx.x / tiles_m * kTile;
    const int part_m = static_cast<int>(threadIdx.x) / (kTile / kSums);
    const int part_n = static_cast<int>(threadIdx.x) % (kTile / kSums);

    float sums[kSums][kSums] = {};
    int stage = 0;
    for (int64_t k = 0; k < args.k; k += kDepth, stage ^= 1) {
        load_tile<kTile>(stages[stage].a, a, first_m, k);
        load_tile<kTile>(stages[stage].b, b, first_n, k);
        __syncthreads();
        multiply_stage<kTile>(sums, stages[stage], part_m, part_n);
    }

#pragma unroll
    for (int i = 0; i < kSums; ++i) {
        const int64_t m = first_m + part_m * kSums + i;
        if (m < args.m) write_row(args, m, first_n + part_n * kSums, sums[i]);
    }
}

template <int kTile, typename T, typename Out>
void launch_tiles(const Matmul<T, Out>& args, StreamView stream) {
    const int64_t tiles_m = ceil_div<int64_t>(args.m, kTile);
    const int64_t tiles_n = ceil_div<int64_t>(args.n, kTile);
    ENSURE(tiles_n <= 0x7fffffff / tiles_m,
           "matmul: {} x {} outputs are {} x {} tiles, expected at most 2^31 - 1 in all", args.m,
           args.n, tiles_m, tiles_n);
    launch(matmul_tile_per_block<kTile, T, Out>,
           {.grid = static_cast<unsigned>(tiles_m * tiles_n),
            .block = kThreads<kTile>,
            .shared_bytes = 2 * sizeof(Stage<kTile>),
            .stream = stream},
           args, tiles_m);
}

}  // namespace

template <typename T, typename Out>
void matmul(const Matmul<T, Out>& given, StreamView stream) {
    const Matmul<T, Out> args = with_strides(given);
    if (matmul_few_rows(args, stream)) return;
    const int64_t large_tiles =
        ceil_div<int64_t>(args.m, kLargeTile) * ceil_div<int64_t>(args.n, kLargeTile);
    if (large_tiles >= kEnoughLargeTiles)
        launch_tiles<kLargeTile>(args, stream);
    else
        launch_tiles<kSmallTile>(args, stream);
}

template void matmul(const Matmul<float, float>&, StreamView);
template void matmul(const Matmul<bf16, bf16>&, StreamView);
template void matmul(const Matmul<bf16, float>&, StreamView);

}  // namespace FETTLE_DEVICE
