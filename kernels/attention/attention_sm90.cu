// Causal attention, forward, with the bulk loads and warpgroup products of sm_90: FlashAttention-3
// without its overlap of softmax and products within a warpgroup (Shah et al., 2024).
//
//   out_i = sum_j exp(scale q_i . k_j - lse_i) v_j, over the j that query i sees;
//   lse_i = log sum_j exp(scale q_i . k_j). attention.cu has the same contract for any shape.
//
//
// Shapes    q, out, out_rest [N,H,D]; k, v [M,Hkv,D], bf16; lse [N,H] float; row strides.
// Threads   Three warpgroups. Two own 64 queries each of a tile of 128, with their scores and sums
//           in registers; of the third one warp loads. Block (r, h, s) owns query tiles s, s+S, ...
//           of row r and head h.
// Traffic   q and out once, k and v once a query tile, out of L2, by bulk loads into a ring of four
//           tiles, keys and values in turn. 4 D flops a visible pair of tokens. While one
//           warpgroup computes exp2 the other one multiplies.
// Numerics  As in attention_sm80.cu, with tiles of 128 keys. No atomics, one order: bitwise
//           repeatable, independent of S.
// Requires  rows > 0; head_dim 64 or 128; scale > 0; q, k, v, out, out_rest and their strides whole
//           multiples of 16 bytes; query_tokens and key_tokens.
// Shared    bf16 in boxes of 64 columns, 128 bytes, swizzled as tensor maps do: queries, later out,
//           [D/64][128][64]; the ring [4][D/64][128][64]; mbarriers. 81 KiB for D = 64, 161 KiB for
//           128.
//
// Deliberately absent: products of the next scores under this tile's softmax within a warpgroup,
// turns between the warpgroups, and a second block for the keys of a lone query.

#include "kernels/attention/attention.h"
#include "kernels/attention/online_softmax.cuh"
#include "kernels/attention/tile.cuh"
#include "kernels/core/launch.h"
#include "kernels/core/mbarrier.cuh"
#include "kernels/core/tensor_map.cuh"
#include "kernels/core/warp.cuh"
#include "kernels/core/warpgroup_matrix.cuh"

namespace FETTLE_DEVICE {  // on_cuda or on_simt: this file is compiled for both
namespace {

constexpr int kWarpgroup = 128;  // threads
constexpr int kConsumers = 2;    // warpgroups
constexpr int kThreads = kWarpgroup * (kConsumers + 1);
constexpr int kConsumerWarps = kConsumers * kWarpgroup / kWarpSize;
constexpr int kWarpgroupQueries = 64;
constexpr int kQueries = kWarpgroupQueries * kConsumers;
constexpr int kKeys = 128;
constexpr int kColumns = 64;  // of a box
constexpr int kBoxChunks = kColumns / kChunk;
constexpr int kSwizzleRows = 8;  // after which its pattern repeats
constexpr int kSlots = 4;        // of the ring
constexpr uintptr_t kSwizzleBytes = 1024;

// Registers a thread: 128 x 40 + 256 x 232 are what 384 threads are launched with.
constexpr int kLoaderRegisters = 40;
constexpr int kConsumerRegisters = 232;

template <int kDim>
struct Shared {
    static constexpr int kQueryElements = kQueries * kDim;
    static constexpr int kTileElements = kKeys * kDim;
    static constexpr int kMbarriers = 2 * kSlots + 3;
    static constexpr size_t kBytes = (kQueryElements + kSlots * kTileElements) * sizeof(bf16) +
                                     kMbarriers * sizeof(uint64_t) + kSwizzleBytes;

    bf16* queries;
    bf16* ring;
    uint64_t* full;   // [kSlots]
    uint64_t* empty;  // [kSlots]
    uint64_t* queries_full;
    uint64_t* queries_empty;
    uint64_t* padded;  // a tile of values that the loader completes with zeros

    __device__ explicit Shared(unsigned char* memory) {
        memory += -reinterpret_cast<uintptr_t>(memory) % kSwizzleBytes;
        queries = reinterpret_cast<bf16*>(memory);
        ring = queries + kQueryElements;
        full = reinterpret_cast<uint64_t*>(ring + kSlots * kTileElements);
        empty = full + kSlots;
        queries_full = empty + kSlots;
        queries_empty = queries_full + 1;
        padded = queries_empty + 1;
    }
    __device__ bf16* slot(uint32_t tile) const { return ring + tile % kSlots * kTileElements; }
};

// Parity of the phase in which an mbarrier of the ring is used for the n-th tile.
__device__ inline uint32_t parity_of(uint32_t tile) { return tile / kSlots % 2; }

struct Maps {
    TensorMap q, k, v;
};

template <int kDim>
__device__ __forceinline__ void init(const Shared<kDim>& shared) {
    for (int slot = 0; slot < kSlots; ++slot) {
        mbarrier_init(shared.full + slot, 1);
        mbarrier_init(shared.empty + slot, kConsumerWarps);
    }
    mbarrier_init(shared.queries_full, 1);
    mbarrier_init(shared.queries_empty, kConsumerWarps);
    mbarrier_init(shared.padded, 1);
    fence_mbarrier_init();
}

// By one thread: kRows rows of a head from `row` on, one box of columns after the other.
template <int kDim, int kRows>
__device__ __forceinline__ void load_rows(bf16* to, const TensorMap& map, int head, int64_t row,
                                          uint64_t* mbarrier) {
    mbarrier_arrive_expect_bytes(mbarrier, kRows * kDim * sizeof(bf16));
#pragma unroll
    for (int column = 0; column < kDim; column += kColumns)
        load_box(to + kRows * column, &map, head * kDim + column, static_cast<int>(row), mbarrier);
}

// Values behind a row's last key are another row's, or were never written: 0 x NaN would be NaN.
template <int kDim>
__device__ __forceinline__ void load_last_values(const Shared<kDim>& shared, const TensorMap& map,
                                                 const RowAndHead& row, int first, uint32_t tile,
                                                 uint32_t parity) {
    const int lane = threadIdx.x % kWarpSize;
    bf16* values = shared.slot(tile);
    if (lane == 0)
        load_rows<kDim, kKeys>(values, map, row.kv_head, row.first_key + first, shared.padded);
    mbarrier_wait(shared.padded, parity);
    const int count = row.keys - first;
#pragma unroll
    for (int column = 0; column < kDim; column += kColumns)
        for (int i = count * kBoxChunks + lane; i < kKeys * kBoxChunks; i += kWarpSize)
            *reinterpret_cast<Pack<bf16, kChunk>*>(values + kKeys * column + i * kChunk) = {};
    fence_async_proxy();
    __syncwarp();
    if (lane == 0) mbarrier_arrive(shared.full + tile % kSlots);
}

// The loading warp.
template <int kDim>
__device__ void load(const Maps& maps, const Shared<kDim>& shared, const RowAndHead& row,
                     int first_tile, int step) {
    const bool leads = threadIdx.x % kWarpSize == 0;
    uint32_t tile = 0, query_tiles = 0, padded_tiles = 0;
    for (int t = first_tile; t >= 0; t -= step) {
        const QueryTile queries = query_tile(row, t * kQueries, kQueries);
        mbarrier_wait(shared.queries_empty, query_tiles++ % 2 ^ 1);
        if (leads)
            load_rows<kDim, kQueries>(shared.queries, maps.q, row.head, queries.first,
                                      shared.queries_full);
        const int end = queries.keys_of_first(kQueries);
        for (int first = 0; first < end; first += kKeys, tile += 2) {
            mbarrier_wait(shared.empty + tile % kSlots, parity_of(tile) ^ 1);
            if (leads)
                load_rows<kDim, kKeys>(shared.slot(tile), maps.k, row.kv_head,
                                       row.first_key + first, shared.full + tile % kSlots);
            const uint32_t values = tile + 1;
            mbarrier_wait(shared.empty + values % kSlots, parity_of(values) ^ 1);
            if (row.keys - first < kKeys)
                load_last_values(shared, maps.v, row, first, values, padded_tiles++ % 2);
            else if (leads)
                load_rows<kDim, kKeys>(shared.slot(values), maps.v, row.kv_head,
                                       row.first_key + first, shared.full + values % kSlots);
        }
    }
}

// By a warp that has done with what the mbarrier guards: a product's end is that of the whole warp.
__device__ __forceinline__ void release(uint64_t* mbarrier) {
    if (threadIdx.x % kWarpSize == 0) mbarrier_arrive(mbarrier);
}

template <int kDim>
__device__ __forceinline__ void multiply_keys(float (&scores)[kKeys / 8][4], const bf16* queries,
                                              const bf16* keys) {
    warpgroup_arrive();
#pragma unroll
    for (int d = 0; d < kDim; d += 16) {
        const int box = d / kColumns * kColumns, column = d % kColumns;
        warpgroup_multiply(scores, matrix_descriptor(queries + kQueries * box + column),
                           matrix_descriptor(keys + kKeys * box + column), d > 0);
    }
    warpgroup_commit();
    warpgroup_wait<0>(scores);
}

template <int kDim>
__device__ __forceinline__ void add_values(SoftmaxRows<kDim>& rows,
                                           const float (&scores)[kKeys / 8][4],
                                           const bf16* values) {
    uint32_t p[kKeys / 16][4];
#pragma unroll
    for (int j = 0; j < kKeys / 16; ++j) left_operand(p[j], scores[2 * j], scores[2 * j + 1]);
    warpgroup_arrive();
#pragma unroll
    for (int j = 0; j < kKeys / 16; ++j)
        warpgroup_multiply_transposed(
            rows.sums, p[j],
            matrix_descriptor(values + 16 * j * kColumns, kKeys * kColumns * sizeof(bf16)), true);
    warpgroup_commit();
    warpgroup_wait<0>(rows.sums);
}

// A warpgroup's queries of a tile, over all tiles of keys that the block loads for it; those that
// these queries do not see are let pass.
template <int kDim>
__device__ __forceinline__ void attend(SoftmaxRows<kDim>& rows, const Shared<kDim>& shared,
                                       const QueryTile& queries, int warpgroup, float factor,
                                       uint32_t& tile) {
    const int end = queries.keys_of_first(kQueries);
    const QueryTile mine = queries.after(kWarpgroupQueries * warpgroup);
    const int my_end = mine.keys_of_first(kWarpgroupQueries);
    const QueryTile warps = mine.after(threadIdx.x % kWarpgroup / kWarpSize * kFragmentRows);
    for (int first = 0; first < end; first += kKeys, tile += 2) {
        uint64_t* const full = shared.full;
        const uint32_t values = tile + 1;
        float scores[kKeys / 8][4];
        mbarrier_wait(full + tile % kSlots, parity_of(tile));
        if (first < my_end)
            multiply_keys<kDim>(scores, shared.queries + kWarpgroupQueries * warpgroup * kColumns,
                                shared.slot(tile));
        release(shared.empty + tile % kSlots);
        if (first < my_end) {
            const int visible = warps.seen - first;
            if (min(visible, warps.keys - first) < kKeys) mask(scores, visible, warps.keys - first);
            softmax(scores, rows, factor);
        }
        mbarrier_wait(full + values % kSlots, parity_of(values));
        if (first < my_end) add_values(rows, scores, shared.slot(values));
        release(shared.empty + values % kSlots);
    }
}

// Barriers by constants: a kernel reserves those that it names.
__device__ __forceinline__ void wait_for_warpgroup(int warpgroup) {
    static_assert(kConsumers == 2);
    if (warpgroup == 0)
        named_barrier_wait(1, kWarpgroup);
    else
        named_barrier_wait(2, kWarpgroup);
}

// A warpgroup of those that compute.
template <int kDim>
__device__ void consume(const AttentionForward<bf16>& args, const Shared<kDim>& shared,
                        const RowAndHead& row, int warpgroup, int first_tile, int step) {
    const int warp = threadIdx.x % kWarpgroup / kWarpSize;
    const int first_row = kWarpgroupQueries * warpgroup + kFragmentRows * warp;
    const auto chunk_at = [&](int r, int chunk) {
        const int at = first_row + r, box = chunk / kBoxChunks * kColumns;
        return shared.queries + kQueries * box + at * kColumns +
               (chunk % kBoxChunks ^ at % kSwizzleRows) * kChunk;
    };
    const float factor = float(args.scale) * kLog2E;
    uint32_t tile = 0, query_tiles = 0;
    for (int t = first_tile; t >= 0; t -= step) {
        const QueryTile queries = query_tile(row, t * kQueries, kQueries);
        mbarrier_wait(shared.queries_full, query_tiles++ % 2);
        SoftmaxRows<kDim> rows;
        attend(rows, shared, queries, warpgroup, factor, tile);
        wait_for_warpgroup(warpgroup);  // its products have read the queries
        const QueryTile mine = queries.after(first_row);
        normalize(rows, args, mine);
        store<false>(args.out, rows, args, mine, chunk_at);
        if (args.out_rest != nullptr) store<true>(args.out_rest, rows, args, mine, chunk_at);
        fence_async_proxy();  // the next queries come after what was stored here
        release(shared.queries_empty);
    }
}

template <int kDim>
__global__ void __launch_bounds__(kThreads, 1)
    attention_forward_sm90_block_per_query_tile(AttentionForward<bf16> args, int blocks_per_head,
                                                const __grid_constant__ Maps maps) {
    const RowAndHead row = row_and_head(args, blocks_per_head);
    const int last = ceil_div(row.queries, kQueries) - 1 - int(blockIdx.x % blocks_per_head);
    if (last < 0) return;  // a block without a tile
    FETTLE_DYNAMIC_SHARED(unsigned char, memory);
    const Shared<kDim> shared(memory);
    if (threadIdx.x == 0) init(shared);
    __syncthreads();
    const int warpgroup = threadIdx.x / kWarpgroup;
    if (warpgroup < kConsumers) {
        set_registers_up<kConsumerRegisters>();
        consume(args, shared, row, warpgroup, last, blocks_per_head);
    } else {
        set_registers_down<kLoaderRegisters>();
        if (threadIdx.x % kWarpgroup < kWarpSize) load(maps, shared, row, last, blocks_per_head);
    }
}

TensorMap map_of(const bf16* matrix, int64_t rows, int64_t columns, int64_t stride, int box_rows) {
    return make_tensor_map({.matrix = matrix,
                            .rows = rows,
                            .columns = columns,
                            .stride = stride,
                            .box_rows = box_rows,
                            .box_columns = kColumns});
}

template <int kDim>
void launch_forward(const AttentionForward<bf16>& args, StreamView stream) {
    const int per_head = blocks_per_head("attention_forward", args.rows, args.heads);
    const int64_t columns = int64_t{args.heads} * kDim, kv_columns = int64_t{args.kv_heads} * kDim;
    const Maps maps{.q = map_of(args.q, args.query_tokens, columns, args.q_stride, kQueries),
                    .k = map_of(args.k, args.key_tokens, kv_columns, args.k_stride, kKeys),
                    .v = map_of(args.v, args.key_tokens, kv_columns, args.v_stride, kKeys)};
    launch(attention_forward_sm90_block_per_query_tile<kDim>,
           {.grid = static_cast<unsigned>(int64_t{args.rows} * args.heads * per_head),
            .block = kThreads,
            .shared_bytes = Shared<kDim>::kBytes,
            .stream = stream},
           args, per_head, maps);
}

}  // namespace

void attention_forward_sm90(const AttentionForward<bf16>& args, StreamView stream) {
    if (args.head_dim == 64)
        launch_forward<64>(args, stream);
    else
        launch_forward<128>(args, stream);
}

}  // namespace FETTLE_DEVICE
