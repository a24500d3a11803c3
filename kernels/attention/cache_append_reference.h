// CacheAppend in plain code: what every device's form is compared with.
#pragma once

#include <algorithm>

#include "kernels/attention/cache_append.h"

template <typename T>
void cache_append_reference(const CacheAppend<T>& args) {
    for (int r = 0; r < args.rows; ++r) {
        const int32_t first = args.query_starts[r], count = args.query_starts[r + 1] - first;
        for (int32_t i = 0; i < count; ++i) {
            const int64_t from = (int64_t{first} + i) * args.stride;
            const int64_t to = (args.key_starts[r] + args.key_counts[r] - count + i) * args.width;
            std::copy_n(args.k + from, args.width, args.key_cache + to);
            std::copy_n(args.v + from, args.width, args.value_cache + to);
        }
    }
}
