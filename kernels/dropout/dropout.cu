// Dropout: one block per row, one Philox call per four elements.
//
//   out[n,c] = keep(n,c) ? input[n,c] / (1 - probability) : 0
//   keep(n,c) = uniform(Philox(key, {purpose, row_ids[n], positions[n], c / 4})[c % 4])
//               >= probability
//
// Shapes    out, input [N,C]; row_ids, positions [N].
// Threads   Block b owns row b (and b + gridDim.x, ... beyond 2^31 rows); its thread t the channels
//           nt, ..., nt + n - 1, 4 floats or 8 bf16, and further passes over the row if it is
//           longer than the block.
// Traffic   Reads and writes NC elements, in 128-bit accesses where C is a multiple of n. Ten
//           rounds of two 32 x 32 -> 64 bit products for every four elements: memory-bound in
//           float, near the arithmetic's bound in bf16.
// Numerics  uniform >= probability is decided on the integers: word / 256 >= ceil(p 2^24). Kept
//           elements are multiplied by the rounded 1 / (1 - p): the bits of the cpu form.
// Requires  rows, channels > 0. out may be input: a thread reads its elements before it writes
//           them.

#include "kernels/dropout/dropout.h"

#include <cmath>

#include "kernels/core/launch.h"
#include "kernels/core/pack.cuh"

namespace FETTLE_DEVICE {
namespace {

template <typename T>
__global__ void dropout_block_per_row(Dropout<T> args, uint32_t threshold, float scale) {
    constexpr int n = kPackSize<T>;
    const uint32_t purpose = dropout_purpose(args.site);
    for (int64_t row = blockIdx.x; row < args.rows; row += gridDim.x) {
        const auto row_id = static_cast<uint32_t>(args.row_ids[row]);
        const auto position = static_cast<uint32_t>(args.positions[row]);
        for (int64_t first = threadIdx.x * n; first < args.channels; first += blockDim.x * n) {
            const int64_t left = args.channels - first;
            auto pack = load_pack<n>(args.input + row * args.channels + first, left);
            for (int four = 0; four < n / 4; ++four) {
                const auto counter = static_cast<uint32_t>(first / 4 + four);
                const auto words = philox(args.key, {purpose, row_id, position, counter});
                for (int i = 0; i < 4; ++i) {
                    T& value = pack.values[4 * four + i];
                    value = T((words[i] >> 8) >= threshold ? float(value) * scale : 0.0f);
                }
            }
            store_pack(args.out + row * args.channels + first, pack, left);
        }
    }
}

}  // namespace

template <typename T>
void dropout(const Dropout<T>& args, StreamView stream) {
    const auto threshold = static_cast<uint32_t>(std::ceil(args.probability * 0x1p24));
    const auto scale = static_cast<float>(1.0 / (1.0 - args.probability));
    const auto packs = ceil_div(args.channels, kPackSize<T>);
    launch(dropout_block_per_row<T>, pack_rows_shape(args.rows, packs, stream), args, threshold,
           scale);
}

template void dropout(const Dropout<float>&, StreamView);
template void dropout(const Dropout<bf16>&, StreamView);

}  // namespace FETTLE_DEVICE
