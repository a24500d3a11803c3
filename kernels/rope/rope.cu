// RoPE, forward and (inverse) backward, in place: one block per token.
//
//   for d < D/2, with c = cos[position,d], s = sin[position,d], negated by `inverse`:
//   data[d]       <- data[d] * c - data[d + D/2] * s
//   data[d + D/2] <- data[d + D/2] * c + data[d] * s
//
// Shapes    data [N,heads,D], a row `stride` elements; cos, sin [P,D/2]; positions [N].
// Threads   Block b owns row b (and b + gridDim.x, ... beyond 2^31 rows). A head has ceil(D/2/n)
//           packs of n pairs (d, d + D/2), 4 of floats or 8 of bf16; thread t owns the row's packs
//           t, t + blockDim.x, ... counted head by head.
// Traffic   Reads and writes N * heads * D elements, in 128-bit accesses where half a head is a
//           multiple of n. A token's angles, 4D bytes, are read once for each of its heads and
//           should hit L1. Memory-bound.
// Numerics  Float; each element is rounded once.
// Requires  rows, heads > 0, D even. Pairs are apart, and a thread reads its own before it writes
//           them.

#include "kernels/rope/rope.h"

#include "kernels/core/launch.h"
#include "kernels/core/pack.cuh"

namespace FETTLE_DEVICE {
namespace {

template <typename T>
__global__ void rope_block_per_row(Rope<T> args) {
    constexpr int n = kPackSize<T>;
    const int half = args.head_dim / 2;
    const int packs_of_head = (half + n - 1) / n;
    const float sign = args.inverse ? -1.0f : 1.0f;
    for (int64_t row = blockIdx.x; row < args.rows; row += gridDim.x) {
        const int64_t angles = int64_t{args.positions[row]} * half;
        for (int pack = threadIdx.x; pack < args.heads * packs_of_head; pack += blockDim.x) {
            const int d = pack % packs_of_head * n;
            const int left = half - d;
            T* head = args.data + row * args.stride +
                      int64_t{pack / packs_of_head} * args.head_dim;  // [D]
            auto first = load_pack<n>(head + d, left);
            auto second = load_pack<n>(head + half + d, left);
            const auto cos = load_pack<n>(args.cos + angles + d, left);
            const auto sin = load_pack<n>(args.sin + angles + d, left);
            for (int i = 0; i < n; ++i) {
                const float a = float(first.values[i]), b = float(second.values[i]);
                const float c = cos.values[i], s = sign * sin.values[i];
                first.values[i] = T(a * c - b * s);
                second.values[i] = T(b * c + a * s);
            }
            store_pack(head + d, first, left);
            store_pack(head + half + d, second, left);
        }
    }
}

}  // namespace

template <typename T>
void rope(const Rope<T>& args, StreamView stream) {
    const auto packs = int64_t{args.heads} * ceil_div(args.head_dim / 2, kPackSize<T>);
    launch(rope_block_per_row<T>, pack_rows_shape(args.rows, packs, stream), args);
}

template void rope(const Rope<float>&, StreamView);
template void rope(const Rope<bf16>&, StreamView);

}  // namespace FETTLE_DEVICE
