// Quantised products on the cpu.
//
// Threads   pieces of out's columns; with many rows oneDNN's within a product.
// Traffic   the blocks once: 5/8 byte a weight of Q4_1. A few rows: weights become floats in
//           registers, and a Q4_1 weight costs about a quarter of a cycle, so that two cores are
//           bound by their vector units before they are bound by memory. Many rows: a tile of
//           weights becomes floats in cache and goes through the library's product.
// Numerics  fp32 sums, of a few rows in 32 partial sums. The number of threads changes no bit of a
//           few rows' products.

#include <algorithm>

#include "kernels/core/parallel.h"
#include "kernels/matmul/matmul.h"
#include "kernels/quantize/expand.h"
#include "kernels/quantize/quantized_matmul.h"

namespace on_cpu {
namespace {

constexpr int64_t kTileElements = int64_t{1} << 20;  // of weights as floats: 4 MiB
constexpr int kMostRows = 8;                         // of A that are multiplied in registers
constexpr int kGroup = 4;                            // of them at a time
constexpr int64_t kPiece = 1 << 15;                  // weights that are worth a thread's start
constexpr int64_t kAhead = 4096;                     // bytes

// out[0 .. rows, n]
template <int rows, typename Block>
void dot_products(const QuantizedMatmul& args, int64_t n) {
    constexpr int kGroups = kValues<Block> / kGroupWeights;
    const int64_t blocks = args.k / kValues<Block>;
    const std::byte* at = args.b.blocks + n * blocks * static_cast<int64_t>(sizeof(Block));
    const float* a = args.a;
    Vector sums[rows][kGroupParts] = {};
    for (int64_t b = 0; b < blocks; ++b, at += sizeof(Block)) {
        __builtin_prefetch(at + kAhead);
        const Block& block = *reinterpret_cast<const Block*>(at);
        for (int group = 0; group < kGroups; ++group, a += kGroupWeights) {
            const WeightGroup weights = expand(block, group);
            for (int m = 0; m < rows; ++m)
                for (int part = 0; part < kGroupParts; ++part)
                    sums[m][part] +=
                        weights.part[part] * load(a + m * args.k + part * kVectorFloats);
        }
    }
    for (int m = 0; m < rows; ++m) {
        Vector sum = sums[m][0];
        for (int part = 1; part < kGroupParts; ++part) sum += sums[m][part];
        args.out[m * args.ldc + n] = sum_of(sum) + (args.bias ? args.bias[n] : 0.0f);
    }
}

template <int rows, typename Block>
void multiply_few(const QuantizedMatmul& args) {
    parallel_for(args.n, std::max<int64_t>(1, kPiece / args.k), [&](int64_t begin, int64_t end) {
        for (int64_t n = begin; n < end; ++n) dot_products<rows, Block>(args, n);
    });
}

template <typename Block>
void multiply_few(QuantizedMatmul args) {
    for (int64_t left = args.m; left > 0; left -= kGroup) {
        if (left == 1) multiply_few<1, Block>(args);
        if (left == 2) multiply_few<2, Block>(args);
        if (left == 3) multiply_few<3, Block>(args);
        if (left >= kGroup) multiply_few<kGroup, Block>(args);
        args.a += kGroup * args.k;
        args.out += kGroup * args.ldc;
    }
}

void multiply_many(const QuantizedMatmul& args, StreamView stream) {
    const int64_t row_bytes = args.b.row_bytes(args.k);
    const int64_t most = std::max<int64_t>(1, kTileElements / args.k);
    auto* tile = static_cast<float*>(args.scratch);
    for (int64_t first = 0; first < args.n; first += most) {
        const int64_t n = std::min(most, args.n - first);
        parallel_for(n, std::max<int64_t>(1, kPiece / args.k), [&](int64_t begin, int64_t end) {
            dequantize(args.b.type,
                       {args.b.blocks + (first + begin) * row_bytes,
                        static_cast<size_t>((end - begin) * row_bytes)},
                       {tile + begin * args.k, static_cast<size_t>((end - begin) * args.k)});
        });
        matmul(Matmul<float>{.out = args.out + first,
                             .a = args.a,
                             .b = tile,
                             .bias = args.bias ? args.bias + first : nullptr,
                             .m = args.m,
                             .n = n,
                             .k = args.k,
                             .transpose_b = true,
                             .ldc = args.ldc},
               stream);
    }
}

}  // namespace

void quantized_matmul(const QuantizedMatmul& given, StreamView stream) {
    QuantizedMatmul args = given;
    if (!args.ldc) args.ldc = args.n;
    if (args.m > kMostRows) return multiply_many(args, stream);
    with_block(args.b.type, [&]<typename Block>(Block) { multiply_few<Block>(args); });
}

void quantized_rows(const QuantizedRows& args, StreamView) {
    const int64_t row_bytes = args.table.row_bytes(args.channels);
    for (int64_t i = 0; i < args.count; ++i)
        dequantize(args.table.type,
                   {args.table.blocks + args.rows[i] * row_bytes, static_cast<size_t>(row_bytes)},
                   {args.out + i * args.channels, static_cast<size_t>(args.channels)});
}

}  // namespace on_cpu

int64_t quantized_matmul_scratch_bytes() { return on_cpu::kTileElements * int64_t{sizeof(float)}; }
