// What a block of attention's forward kernels works on: a row of the batch under one head, and some
// of its queries.
#pragma once

#include "kernels/attention/attention.h"
#include "kernels/core/launch.h"

namespace FETTLE_DEVICE {

// A row of the batch under one head.
struct RowAndHead {
    int head;
    int kv_head;
    int queries;
    int keys;
    int64_t first_query;  // token
    int64_t first_key;
};

// Blocks come by row, then head, then `blocks_per_head`.
template <typename T>
__device__ RowAndHead row_and_head(const AttentionForward<T>& args, int blocks_per_head) {
    const int head = blockIdx.x / blocks_per_head % args.heads;
    const int row = blockIdx.x / blocks_per_head / args.heads;
    const int first = args.query_starts[row];
    const int queries = args.query_starts[row + 1] - first;
    return {.head = head,
            .kv_head = head / (args.heads / args.kv_heads),
            .queries = queries,
            .keys = args.key_counts != nullptr ? args.key_counts[row] : queries,
            .first_query = first,
            .first_key = args.key_starts != nullptr ? args.key_starts[row] : first};
}

// Queries that a block or warp works on together.
struct QueryTile {
    int64_t first;  // token
    int count;
    int keys;  // of the row
    int seen;  // keys that query 0 sees; query i sees i more. May be negative.
    int head;

    // Keys that the first `rows` of the tile's queries see.
    __device__ int keys_of_first(int rows) const {
        const int some = min(rows, count);
        return some > 0 ? min(keys, seen + some - 1) : 0;
    }
    // The tile without its first queries: none may be left.
    __device__ QueryTile after(int queries) const {
        QueryTile rest = *this;
        rest.first += queries;
        rest.count -= queries;
        rest.seen += queries;
        return rest;
    }
};

__device__ inline QueryTile query_tile(const RowAndHead& row, int first, int capacity) {
    return {.first = row.first_query + first,
            .count = min(row.queries - first, capacity),
            .keys = row.keys,
            .seen = row.keys - row.queries + first + 1,
            .head = row.head};
}

}  // namespace FETTLE_DEVICE
