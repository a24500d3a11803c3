// Bulk stores: what is written where and when, and misuse of them.

#include "kernels/simt/tensor_store.h"

#include <algorithm>

#include "tests/support/devices.h"
#include "tests/support/doctest.h"
#include "tests/support/emulated.h"
#include "tests/support/fragment_tables.h"
#include "tests/support/planted_bugs.h"
// After emulated.h, which says for which device.
#include "kernels/core/bulk_store.cuh"

namespace on_simt {
namespace {

constexpr int kBoxRows = 16, kBoxColumns = 64, kElements = kBoxRows * kBoxColumns;
constexpr int kBoxBytes = kElements * 2;

struct Target {
    TensorMap map;
    uint16_t* values;
    int row, column;
};

// 2 boxes, the first 1,024-byte aligned: dynamic shared memory has just this size.
__device__ uint16_t* boxes() {
    FETTLE_DYNAMIC_SHARED(uint16_t, values);
    return values;
}
// The tile's element i holds first + i.
__device__ uint16_t* fill(uint16_t* tile, int first) {
    for (int i = int(threadIdx.x); i < kElements; i += int(blockDim.x))
        tile[i] = uint16_t(first + i);
    return tile;
}
__device__ uint16_t* filled() {
    uint16_t* tile = fill(boxes(), 1);
    fill(tile + kElements, 5001);
    fence_async_proxy();
    __syncthreads();
    return tile;
}
__device__ bool stores() { return threadIdx.x == 0 && blockIdx.x == 0; }

__global__ void store(const __grid_constant__ Target target) {
    const uint16_t* tile = filled();
    if (!stores()) return;
    prefetch_tensor_map(&target.map);
    store_box(&target.map, target.column, target.row, tile);
    commit_stores();
    wait_stores_read<0>();
}
__global__ void store_run(const __grid_constant__ Target target) {
    const uint16_t* tile = filled();
    if (!stores()) return;
    store_bytes(target.values + 8, tile + 16, 64);
    commit_stores();
    wait_stores_read<0>();
}
// A box is stored, replaced, stored elsewhere; the first is read back by all.
__global__ void store_twice(const __grid_constant__ Target target) {
    uint16_t* tile = filled();
    if (stores()) {
        store_box(&target.map, 0, 0, tile);
        commit_stores();
        wait_stores_read<0>();
    }
    __syncthreads();
    fill(tile, 2001);
    fence_async_proxy();
    __syncthreads();
    if (stores()) {
        store_box(&target.map, 0, 16, tile);
        commit_stores();
        wait_stores<1>();
    }
    __syncthreads();
    uint16_t sum = 0;
    if (blockIdx.x == 0)
        for (int i = 0; i < 8; ++i) sum = uint16_t(sum + target.values[i]);
    if (stores()) wait_stores<0>();
    __syncthreads();
    if (stores()) target.values[0] = sum;
}

// Wrong.
__global__ void misaligned(const __grid_constant__ Target target) {
    const uint16_t* tile = filled();
    if (stores()) store_box(&target.map, 0, 0, tile + 64);  // BUG misaligned
}
__global__ void half_a_chunk(const __grid_constant__ Target target) {
    const uint16_t* tile = filled();
    if (stores()) store_bytes(target.values, tile, 24);  // BUG half_a_chunk
}
__global__ void outside(const __grid_constant__ Target target) {
    const uint16_t* tile = filled();
    if (stores()) store_box(&target.map, 0, 0, tile + 512 * 3);  // BUG outside
}
__global__ void not_committed(const __grid_constant__ Target target) {
    const uint16_t* tile = filled();
    if (!stores()) return;
    store_box(&target.map, 0, 0, tile);  // BUG not_committed
    wait_stores<0>();
}
__global__ void not_awaited(const __grid_constant__ Target target) {
    const uint16_t* tile = filled();
    if (!stores()) return;
    store_box(&target.map, 0, 0, tile);
    commit_stores();
    store_box(&target.map, 0, 16, tile);  // BUG not_awaited
    commit_stores();
    wait_stores_read<1>();
}

#if defined(FETTLE_CHECK)
__global__ void no_fence(const __grid_constant__ Target target) {
    uint16_t* tile = fill(boxes(), 1);
    __syncthreads();
    if (!stores()) return;
    store_box(&target.map, 0, 0, tile);  // BUG no_fence
    commit_stores();
    wait_stores_read<0>();
}
__global__ void fence_behind_the_barrier(const __grid_constant__ Target target) {
    uint16_t* tile = fill(boxes(), 1);
    __syncthreads();
    if (!stores()) return fence_async_proxy();
    store_box(&target.map, 0, 0, tile);  // BUG fence_behind_the_barrier
    commit_stores();
    wait_stores_read<0>();
}
__global__ void fence_before_the_stores(const __grid_constant__ Target target) {
    fence_async_proxy();
    uint16_t* tile = fill(boxes(), 1);
    __syncthreads();
    if (!stores()) return;
    store_bytes(target.values, tile, 64);  // BUG fence_before_the_stores
    commit_stores();
    wait_stores_read<0>();
}
__global__ void no_barrier(const __grid_constant__ Target target) {
    uint16_t* tile = fill(boxes(), 1);
    fence_async_proxy();
    if (!stores()) return;
    store_box(&target.map, 0, 0, tile);
    commit_stores();
    wait_stores_read<0>();
}
__global__ void reused_early(const __grid_constant__ Target target) {
    uint16_t* tile = filled();
    if (stores()) {
        store_box(&target.map, 0, 0, tile);  // BUG reused_store
        commit_stores();
        store_box(&target.map, 0, 16, tile + kElements / 2);
        commit_stores();
        wait_stores_read<2>();
    }
    __syncthreads();
    if (threadIdx.x == 33 && blockIdx.x == 0) tile[5] = 7;  // BUG reused_early
    if (stores()) wait_stores_read<0>();
}
__global__ void reused_by_itself(const __grid_constant__ Target target) {
    uint16_t* tile = filled();
    if (!stores()) return;
    store_bytes(target.values, tile, 64);  // BUG reused_run
    commit_stores();
    tile[3] = 1;  // BUG reused_by_itself
    wait_stores_read<0>();
}
__global__ void reused_by_those_who_do_not_know(const __grid_constant__ Target target) {
    uint16_t* tile = filled();
    if (stores()) {
        store_box(&target.map, 0, 0, tile);  // BUG unknown_store
        commit_stores();
        wait_stores_read<0>();
    }
    if (threadIdx.x == 33 && blockIdx.x == 0) tile[5] = 7;  // BUG reused_unknowing
    __syncthreads();
}
__global__ void loaded_over(const __grid_constant__ Target target) {
    __shared__ uint64_t mbarrier;
    uint16_t* tile = filled();
    if (!stores()) return;
    mbarrier_init(&mbarrier, 1);
    fence_mbarrier_init();
    store_box(&target.map, 0, 0, tile);  // BUG stored_before
    commit_stores();
    mbarrier_arrive_expect_bytes(&mbarrier, kBoxBytes);
    load_box(tile, &target.map, 0, 16, &mbarrier);  // BUG loaded_over
    mbarrier_wait(&mbarrier, 0);
    wait_stores_read<0>();
}
__global__ void read_back_early(const __grid_constant__ Target target) {
    const uint16_t* tile = filled();
    if (stores()) {
        store_box(&target.map, 0, 0, tile);  // BUG read_back_store
        commit_stores();
        wait_stores_read<0>();
    }
    __syncthreads();
    if (threadIdx.x == 40 && blockIdx.x == 0)
        boxes()[1500] = target.values[3];  // BUG read_back_early
    if (stores()) wait_stores<0>();
}
__global__ void overwritten(const __grid_constant__ Target target) {
    const uint16_t* tile = filled();
    if (!stores()) return;
    store_box(&target.map, 0, 0, tile);  // BUG overwritten_store
    commit_stores();
    wait_stores_read<0>();
    target.values[72] = 1;  // BUG overwritten
}
__global__ void stored_twice(const __grid_constant__ Target target) {
    const uint16_t* tile = filled();
    if (!stores()) return;
    store_box(&target.map, 0, 0, tile);  // BUG first_of_two
    commit_stores();
    wait_stores_read<0>();
    store_box(&target.map, 8, 0, tile + kElements);  // BUG second_of_two
    commit_stores();
    wait_stores_read<0>();
}
__global__ void by_all_blocks(const __grid_constant__ Target target) {
    const uint16_t* tile = filled();
    if (threadIdx.x != 0) return;
    store_box(&target.map, 0, 0, tile);  // BUG by_all_blocks
    commit_stores();
    wait_stores_read<0>();
}
#endif

}  // namespace
}  // namespace on_simt

namespace {

constexpr int kRows = 40, kColumns = 72;  // of the matrix
constexpr uint16_t kOld = 9999;

struct Stored {
    Buffer<uint16_t> matrix{Device::simt, std::vector<uint16_t>(kRows* kColumns, kOld)};

    void run(uint32_t seed, void (*kernel)(on_simt::Target), bool is_swizzled, int row = 0,
             int column = 0) {
        const simt::TensorMap map{.start = reinterpret_cast<const unsigned char*>(matrix.data()),
                                  .rows = kRows,
                                  .columns = kColumns,
                                  .row_bytes = kColumns * 2,
                                  .element_bytes = 2,
                                  .box_rows = on_simt::kBoxRows,
                                  .box_columns = on_simt::kBoxColumns,
                                  .is_swizzled = is_swizzled};
        with_schedule(seed, [&] {
            on_simt::launch(kernel,
                            {.grid = 3, .block = 64, .shared_bytes = 2 * on_simt::kBoxBytes},
                            on_simt::Target{map, matrix.data(), row, column});
        });
    }
};

void check_reported(const std::string& kind, void (*kernel)(on_simt::Target),
                    const std::string& line, const std::string& other_line = "") {
    for (const uint32_t seed : {0u, 1u, 2u, 3u, 77u}) {
        std::string text;
        try {
            Stored().run(seed, kernel, true);
        } catch (const Error& error) {
            text = error.what();
        }
        CAPTURE(text);
        CAPTURE(line);
        CHECK(contains(text, kind));
        CHECK(contains(text, line_of(line, __FILE__)));
        if (!other_line.empty()) CHECK(contains(text, line_of(other_line, __FILE__)));
    }
}

}  // namespace

TEST_CASE("simt tensor store: of a box, what lies inside the matrix is written, and no more") {
    for (const uint32_t seed : {0u, 1u, 2u, 3u})
        for (const auto& [row, column] :
             {std::pair{0, 0}, {3, 5}, {30, 16}, {-3, -8}, {2, -3}, {33, 69}, {40, 0}, {0, 72}}) {
            Stored stored;
            stored.run(seed, on_simt::store, false, row, column);
            const auto got = stored.matrix.to_host();
            for (int r = 0; r < kRows; ++r)
                for (int c = 0; c < kColumns; ++c) {
                    const int at_row = r - row, at_column = c - column;
                    const bool is_inside =
                        at_row >= 0 && at_row < 16 && at_column >= 0 && at_column < 64;
                    REQUIRE(got[r * kColumns + c] ==
                            (is_inside ? 64 * at_row + at_column + 1 : kOld));
                }
        }
}

TEST_CASE("simt tensor store: the 128-byte swizzle takes chunks from where its table says") {
    for (const uint32_t seed : {0u, 1u, 2u, 3u}) {
        Stored stored;
        stored.run(seed, on_simt::store, true);
        const auto got = stored.matrix.to_host();
        for (int r = 0; r < 16; ++r)
            for (int place = 0; place < 8; ++place)
                for (int i = 0; i < 8; ++i)
                    REQUIRE(got[r * kColumns + fragment_tables::kSwizzle[r % 8][place] * 8 + i] ==
                            64 * r + 8 * place + i + 1);
    }
}

TEST_CASE("simt tensor store: a run of bytes") {
    for (const uint32_t seed : {0u, 1u, 2u, 3u}) {
        Stored stored;
        stored.run(seed, on_simt::store_run, false);
        const auto got = stored.matrix.to_host();
        for (int i = 0; i < kRows * kColumns; ++i)
            REQUIRE(got[i] == (i >= 8 && i < 40 ? i + 9 : kOld));
    }
}

TEST_CASE("simt tensor store: waited for, shared memory is written and device memory read again") {
    for (const uint32_t seed : {0u, 1u, 2u, 3u, 4u, 5u}) {
        Stored stored;
        stored.run(seed, on_simt::store_twice, false);
        const auto got = stored.matrix.to_host();
        CHECK(got[0] == 1 + 2 + 3 + 4 + 5 + 6 + 7 + 8);
        for (int r = 0; r < 32; ++r)
            for (int c = r == 0; c < 64; ++c)
                REQUIRE(got[r * kColumns + c] == (r < 16 ? 1 : 2001) + r % 16 * 64 + c);
    }
}

TEST_CASE("simt tensor store: misuse is an error that names the line") {
    check_reported("expected 1024-byte alignment", on_simt::misaligned, "misaligned");
    check_reported("stores 24 bytes", on_simt::half_a_chunk, "half_a_chunk");
    check_reported("shared memory", on_simt::outside, "outside");
    check_reported("returns without a commit", on_simt::not_committed, "not_committed");
    check_reported("returns without a wait", on_simt::not_awaited, "not_awaited");
}

#if defined(FETTLE_CHECK)
TEST_CASE("simt tensor store: what was stored to shared memory needs a fence, before a barrier") {
    check_reported("missing proxy fence", on_simt::no_fence, "no_fence");
    check_reported("missing proxy fence", on_simt::fence_behind_the_barrier,
                   "fence_behind_the_barrier");
    check_reported("missing proxy fence", on_simt::fence_before_the_stores,
                   "fence_before_the_stores");
    for (const uint32_t seed : {0u, 1u, 2u, 3u, 77u}) {
        Stored stored;  // in some orders nobody has written yet
        CHECK_THROWS(stored.run(seed, on_simt::no_barrier, true));
    }
}

TEST_CASE("simt tensor store: shared memory is written again only after a wait") {
    check_reported("shared race", on_simt::reused_early, "reused_early", "reused_store");
    check_reported("shared race", on_simt::reused_by_itself, "reused_by_itself", "reused_run");
    check_reported("shared race", on_simt::loaded_over, "loaded_over", "stored_before");
    for (const uint32_t seed : {0u, 1u, 2u, 3u, 77u}) {
        Stored stored;  // either of the two comes first
        CHECK_THROWS(stored.run(seed, on_simt::reused_by_those_who_do_not_know, true));
    }
}

TEST_CASE("simt tensor store: device memory is used again only after a wait") {
    check_reported("global race", on_simt::read_back_early, "read_back_early", "read_back_store");
    check_reported("global race", on_simt::overwritten, "overwritten", "overwritten_store");
    check_reported("global race", on_simt::stored_twice, "second_of_two", "first_of_two");
    check_reported("race between blocks", on_simt::by_all_blocks, "by_all_blocks");
}
#endif
