// Token and position embedding, and their gradients: one block per token.
//
//   out[n,c] = token_table[tokens[n], c] + position_table[positions[n], c]
//   grad_table[ids[n], c] += grad_out[n,c], equal ids in the order of n
//
// Shapes    out, grad_out [N,C]; tokens, positions [N]; tables [V,C] and [P,C].
// Threads   Forward: block n owns token n; thread t the packs t, t + blockDim.x, ... of its
//           channels. Backward: block n owns the table's row ids[n] if no token before n has the
//           same id, else it ends; thread t owns channels t, t + 256, ... of that row. To find its
//           tokens the block compares 256 ids at a time, 32 a warp, whose answers the warps share.
// Traffic   Forward reads NC elements a table and writes NC. Backward reads NC elements, and reads
//           and writes 4NC bytes of the table, mostly in the L1 and L2; a block that stays reads
//           all N ids, from the L2: with D different ids 4ND bytes. Memory-bound while D is a few
//           thousand.
// Numerics  Additions in the order of the tokens, by the thread that owns the channel: no atomics,
//           bitwise repeatable, and the cpu form's bits.
// Requires  rows, channels > 0; ids within the tables.
// Shared    Backward: two sets of 8 words, used in turn, so that one barrier a pass is enough.
//
// Deliberately absent: a sort of the ids. It would save the search, and cut the row of a very
// frequent token, which one block adds alone, into parts.

#include "kernels/embedding/embedding.h"

#include "kernels/core/launch.h"
#include "kernels/core/pack.cuh"
#include "kernels/core/warp.cuh"

namespace FETTLE_DEVICE {
namespace {

constexpr int kThreads = 256;
constexpr int kWarps = kThreads / kWarpSize;

template <typename T>
__global__ void embedding_forward_block_per_row(EmbeddingForward<T> args) {
    constexpr int n = kPackSize<T>;
    const int64_t channels = args.channels;
    for (int64_t row = blockIdx.x; row < args.rows; row += gridDim.x) {
        const T* token = args.token_table + args.tokens[row] * channels;  // [C]
        for (int64_t first = threadIdx.x * n; first < channels; first += blockDim.x * n) {
            const int64_t left = channels - first;
            auto pack = load_pack<n>(token + first, left);
            if (args.position_table != nullptr) {
                const T* position = args.position_table + args.positions[row] * channels;  // [C]
                const auto other = load_pack<n>(position + first, left);
                for (int i = 0; i < n; ++i)
                    pack.values[i] = T(float(pack.values[i]) + float(other.values[i]));
            }
            store_pack(args.out + row * channels + first, pack, left);
        }
    }
}

// Which of the 256 tokens from `first` on have the id: bit l of word w for token first + 32w + l.
__device__ const unsigned* find_equal(const int32_t* ids, int64_t rows, int64_t first, int32_t id,
                                      unsigned* words) {
    const int64_t n = first + threadIdx.x;
    const unsigned equal = __ballot_sync(kAllLanes, n < rows && ids[n] == id);
    if (threadIdx.x % kWarpSize == 0) words[threadIdx.x / kWarpSize] = equal;
    __syncthreads();
    return words;
}

template <typename T>
__global__ void embedding_backward_block_per_id(float* table, const int32_t* ids, const T* grad_out,
                                                int64_t rows, int channels) {
    __shared__ unsigned words[2][kWarps];
    const int64_t own = blockIdx.x;
    const int32_t id = ids[own];
    float* to = table + int64_t{id} * channels;  // [C]
    int set = 0;
    for (int64_t first = 0; first < rows; first += kThreads, set ^= 1) {
        const unsigned* equal = find_equal(ids, rows, first, id, words[set]);
        for (int w = 0; w < kWarps; ++w) {
            for (unsigned left = equal[w]; left != 0; left &= left - 1) {
                const int64_t n = first + w * kWarpSize + __ffs(static_cast<int>(left)) - 1;
                if (n < own) return;  // the block of that token does it; all threads see the same
                for (int c = threadIdx.x; c < channels; c += kThreads)
                    to[c] += float(grad_out[n * channels + c]);
            }
        }
    }
}

}  // namespace

template <typename T>
void embedding_forward(const EmbeddingForward<T>& args, StreamView stream) {
    const auto packs = ceil_div(args.channels, kPackSize<T>);
    launch(embedding_forward_block_per_row<T>, pack_rows_shape(args.rows, packs, stream), args);
}

template <typename T>
void embedding_backward(const EmbeddingBackward<T>& args, StreamView stream) {
    const auto add = [&](float* table, const int32_t* ids) {
        if (table == nullptr) return;
        launch(embedding_backward_block_per_id<T>,
               {.grid = static_cast<unsigned>(args.rows), .block = kThreads, .stream = stream},
               table, ids, args.grad_out, args.rows, args.channels);
    };
    add(args.grad_token_table, args.tokens);
    add(args.grad_position_table, args.positions);
}

template void embedding_forward(const EmbeddingForward<float>&, StreamView);
template void embedding_forward(const EmbeddingForward<bf16>&, StreamView);
template void embedding_backward(const EmbeddingBackward<float>&, StreamView);
template void embedding_backward(const EmbeddingBackward<bf16>&, StreamView);

}  // namespace FETTLE_DEVICE
