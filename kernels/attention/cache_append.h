// Keys and values of new tokens, copied to where their rows end in the cache.
//
//   key_cache[key_starts[r] + key_counts[r] - n_r + i] = k[query_starts[r] + i],  0 <= i < n_r,
//
// and values likewise; n_r = query_starts[r + 1] - query_starts[r] of the key_counts[r] keys that
// row r has from now on are new. The arguments are those of attention_forward.
#pragma once

#include <cstdint>

#include "kernels/core/dtype.h"
#include "kernels/core/stream.h"

template <typename T>
struct CacheAppend {
    T* key_cache = nullptr;                 // [M, width]
    T* value_cache = nullptr;               // [M, width]
    const T* k = nullptr;                   // [N, width], rows `stride` elements apart
    const T* v = nullptr;                   // [N, width], rows `stride` elements apart
    const int32_t* query_starts = nullptr;  // [R + 1]
    const int64_t* key_starts = nullptr;    // [R]
    const int32_t* key_counts = nullptr;    // [R]  with the new ones
    int64_t tokens = 0;                     // N = query_starts[R]
    int rows = 0;                           // R
    int width = 0;                          // Hkv D
    int64_t stride = 0;
};

// Runs on the stream's device; allocates nothing.
template <typename T>
void cache_append(const CacheAppend<T>& args, StreamView stream);
