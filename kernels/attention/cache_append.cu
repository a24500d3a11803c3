// New keys and values into the cache: one block per token.
//
//   key_cache[key_starts[r] + key_counts[r] - n_r + i] = k[query_starts[r] + i], values likewise
//
// Shapes    key_cache, value_cache [M, W]; k, v [N, W] with rows `stride` apart; query_starts
//           [R + 1]; key_starts, key_counts [R]; N tokens of R rows.
// Threads   Block n owns token n; all its threads find the token's row by bisection; thread t
//           copies elements t, t + 128, ...
// Traffic   4NW elements, and log2(R) reads a block that hit L2: memory-bound.
// Numerics  Copies.
// Requires  tokens > 0, and query_starts to ascend from 0 to N.

#include "kernels/attention/cache_append.h"

#include "kernels/core/launch.h"

namespace FETTLE_DEVICE {
namespace {

constexpr int kThreads = 128;

// The row r with starts[r] <= token < starts[r + 1].
__device__ int row_of(int64_t token, const int32_t* starts, int rows) {
    int first = 0, end = rows;  // starts[first] <= token < starts[end]
    while (end - first > 1) {
        const int middle = first + (end - first) / 2;
        if (starts[middle] <= token)
            first = middle;
        else
            end = middle;
    }
    return first;
}

template <typename T>
__global__ void cache_append_block_per_token(CacheAppend<T> args) {
    const int64_t token = blockIdx.x;
    const int row = row_of(token, args.query_starts, args.rows);
    const int64_t after = args.query_starts[row + 1] - token;  // it and those behind it in its row
    const int64_t to = (args.key_starts[row] + args.key_counts[row] - after) * args.width;
    const int64_t from = token * args.stride;
    for (int i = threadIdx.x; i < args.width; i += blockDim.x) {
        args.key_cache[to + i] = args.k[from + i];
        args.value_cache[to + i] = args.v[from + i];
    }
}

}  // namespace

template <typename T>
void cache_append(const CacheAppend<T>& args, StreamView stream) {
    launch(cache_append_block_per_token<T>,
           {.grid = static_cast<unsigned>(args.tokens), .block = kThreads, .stream = stream}, args);
}

template void cache_append(const CacheAppend<float>&, StreamView);
template void cache_append(const CacheAppend<bf16>&, StreamView);

}  // namespace FETTLE_DEVICE
