// Packs: consecutive elements that a thread moves at once, by one access where their address
// allows it. Operands may begin anywhere in a buffer and runs may have any length, so this is
// decided access by access; it costs a test of the address.
//
//   const int64_t first = pack_of_thread() * n;
//   auto pack = load_pack<n>(input + first, count - first);
//   for (T& value : pack.values) value = f(value);
//   store_pack(out + first, pack, count - first);
#pragma once

#include <algorithm>

#include "kernels/core/launch.h"

namespace FETTLE_DEVICE {

template <typename T, int n>
struct alignas(sizeof(T) * n < 16 ? sizeof(T) * n : 16) Pack {
    T values[n];
};

// Elements of 128 bits, the widest access of sm_80 and sm_90. Wider packs take several.
template <typename T>
constexpr int kPackSize = 16 / sizeof(T);

template <int n, typename T>
__device__ inline bool is_whole_pack(const T* address, int64_t left) {
    return left >= n && reinterpret_cast<uintptr_t>(address) % alignof(Pack<T, n>) == 0;
}

// The n elements at `from`, of which only `left` (if any) exist: those beyond are zeros, not read.
template <int n, typename T>
__device__ inline Pack<T, n> load_pack(const T* from, int64_t left) {
    if (is_whole_pack<n>(from, left)) return *reinterpret_cast<const Pack<T, n>*>(from);
    Pack<T, n> pack;
    for (int i = 0; i < n; ++i) pack.values[i] = i < left ? from[i] : T{};
    return pack;
}

// Writes the first `left` of the pack's elements, if any.
template <int n, typename T>
__device__ inline void store_pack(T* to, const Pack<T, n>& pack, int64_t left) {
    if (is_whole_pack<n>(to, left)) {
        *reinterpret_cast<Pack<T, n>*>(to) = pack;
        return;
    }
    for (int i = 0; i < n; ++i)
        if (i < left) to[i] = pack.values[i];
}

constexpr int kPackThreads = 256;  // of a block

// A thread a pack, over a run of `packs`. 2^39 threads fit a grid, more than any memory has packs.
inline LaunchShape pack_run_shape(int64_t packs, StreamView stream) {
    return {.grid = static_cast<unsigned>(ceil_div<int64_t>(packs, kPackThreads)),
            .block = kPackThreads,
            .stream = stream};
}
__device__ inline int64_t pack_of_thread() {
    return int64_t{blockIdx.x} * blockDim.x + threadIdx.x;
}

// A block a row of `packs`, its threads in whole warps, so many that their passes over the row are
// equal: 384 packs are two passes of 192 threads. A grid may have fewer blocks than rows, so
// kernels go on to row + gridDim.x.
inline LaunchShape pack_rows_shape(int64_t rows, int64_t packs, StreamView stream) {
    constexpr int64_t kMaxBlocks = 0x7fffffff, kWarp = 32;
    const int64_t passes = ceil_div<int64_t>(packs, kPackThreads);
    return {.grid = static_cast<unsigned>(std::min(rows, kMaxBlocks)),
            .block = static_cast<unsigned>(ceil_div(packs, passes * kWarp) * kWarp),
            .stream = stream};
}

}  // namespace FETTLE_DEVICE
