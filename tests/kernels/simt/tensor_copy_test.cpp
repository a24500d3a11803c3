// Bulk copies into shared memory against tables written out from the PTX ISA and the CUDA
// programming guide, and misuse of them.

#include "kernels/simt/tensor_copy.h"

#include <numeric>

#include "tests/support/devices.h"
#include "tests/support/doctest.h"
#include "tests/support/emulated.h"
#include "tests/support/fragment_tables.h"
#include "tests/support/planted_bugs.h"

namespace on_simt {
namespace {

constexpr int kBoxRows = 16, kBoxColumns = 64;
constexpr int kBoxBytes = kBoxRows * kBoxColumns * 2;

struct Tile {
    uint64_t* mbarrier;
    uint16_t* values;  // [16, 64], 1,024-byte aligned: dynamic shared memory has just this size
};
__device__ Tile prepare(bool is_fenced = true) {
    __shared__ uint64_t mbarrier;
    FETTLE_DYNAMIC_SHARED(uint16_t, values);
    if (threadIdx.x == 0) {
        mbarrier_init(&mbarrier, 1);
        if (is_fenced) fence_mbarrier_init();
    }
    __syncthreads();
    return {&mbarrier, values};
}
__device__ void copy_out(uint16_t* out, const uint16_t* values) {
    if (blockIdx.x != 0) return;
    for (int i = int(threadIdx.x); i < kBoxRows * kBoxColumns; i += int(blockDim.x))
        out[i] = values[i];
}

__global__ void load(uint16_t* out, TensorMap map, int row, int column) {
    const Tile tile = prepare();
    if (threadIdx.x == 0) {
        mbarrier_arrive_expect_bytes(tile.mbarrier, kBoxBytes);
        load_box(tile.values, &map, column, row, tile.mbarrier);
    }
    mbarrier_wait(tile.mbarrier, 0);
    copy_out(out, tile.values);
}
__global__ void load_run(uint16_t* out, const uint16_t* in) {
    const Tile tile = prepare();
    if (threadIdx.x == 0) {
        mbarrier_arrive_expect_bytes(tile.mbarrier, kBoxBytes);
        // In two parts, which come in any order.
        load_bytes(tile.values, in, 32, tile.mbarrier);
        load_bytes(tile.values + 16, in + 16, kBoxBytes - 32, tile.mbarrier);
    }
    mbarrier_wait(tile.mbarrier, 0);
    copy_out(out, tile.values);
}

// Wrong.
__global__ void not_fenced(uint16_t*, TensorMap map) {
    const Tile tile = prepare(/*is_fenced=*/false);
    if (threadIdx.x == 0) load_box(tile.values, &map, 0, 0, tile.mbarrier);
}
__global__ void bytes_wrong(uint16_t* out, TensorMap map) {
    const Tile tile = prepare();
    if (threadIdx.x == 0) {
        mbarrier_arrive_expect_bytes(tile.mbarrier, kBoxBytes + 16);
        load_box(tile.values, &map, 0, 0, tile.mbarrier);
    }
    mbarrier_wait(tile.mbarrier, 0);
    copy_out(out, tile.values);
}
__global__ void misaligned(uint16_t*, TensorMap map) {
    const Tile tile = prepare();
    if (threadIdx.x == 0) load_box(tile.values + 64, &map, 0, 0, tile.mbarrier);
}
__global__ void no_bytes_expected(uint16_t*, TensorMap map) {
    const Tile tile = prepare();
    if (threadIdx.x == 0) load_box(tile.values, &map, 0, 0, tile.mbarrier);
}
__global__ void not_awaited(uint16_t*, TensorMap map) {
    const Tile tile = prepare();
    if (threadIdx.x != 0) return;
    mbarrier_arrive_expect_bytes(tile.mbarrier, kBoxBytes);
    load_box(tile.values, &map, 0, 0, tile.mbarrier);
}
__global__ void too_few_expected(uint16_t*, TensorMap map) {
    const Tile tile = prepare();
    if (threadIdx.x == 0) {
        mbarrier_arrive_expect_bytes(tile.mbarrier, kBoxBytes - 16);
        load_box(tile.values, &map, 0, 0, tile.mbarrier);  // BUG too_few_expected
    }
    mbarrier_wait(tile.mbarrier, 0);
}
__global__ void arrival_expects_nothing(uint16_t*, TensorMap map) {
    const Tile tile = prepare();
    if (threadIdx.x == 0) {
        load_box(tile.values, &map, 0, 0, tile.mbarrier);
        mbarrier_arrive(tile.mbarrier);  // BUG arrival_expects_nothing
    }
    mbarrier_wait(tile.mbarrier, 0);
}
__global__ void fenced_by_another(uint16_t*, TensorMap map) {
    const Tile tile = prepare(/*is_fenced=*/false);
    if (threadIdx.x == 33) fence_mbarrier_init();
    __syncthreads();
    if (threadIdx.x == 0)
        load_box(tile.values, &map, 0, 0, tile.mbarrier);  // BUG fenced_by_another
}
__global__ void fenced_first(uint16_t*, TensorMap map) {
    if (threadIdx.x == 0) fence_mbarrier_init();
    const Tile tile = prepare(/*is_fenced=*/false);
    if (threadIdx.x == 0) load_box(tile.values, &map, 0, 0, tile.mbarrier);  // BUG fenced_first
}
__global__ void behind_shared_memory(uint16_t*, TensorMap map) {
    const Tile tile = prepare();
    if (threadIdx.x == 0)
        load_box(tile.values + kBoxColumns * 8, &map, 0, 0,  // BUG behind_shared_memory
                 tile.mbarrier);
}
__global__ void read_early(uint16_t* out, TensorMap map) {
    const Tile tile = prepare();
    if (threadIdx.x == 0) {
        mbarrier_arrive_expect_bytes(tile.mbarrier, kBoxBytes);
        load_box(tile.values, &map, 0, 0, tile.mbarrier);  // BUG read_early_load
    }
    __syncthreads();
    copy_out(out, tile.values);
    mbarrier_wait(tile.mbarrier, 0);
}
[[maybe_unused]] __global__ void overwritten_late(uint16_t* out, TensorMap map) {
    const Tile tile = prepare();
    if (threadIdx.x == 0) {
        mbarrier_arrive_expect_bytes(tile.mbarrier, kBoxBytes);
        load_box(tile.values, &map, 0, 0, tile.mbarrier);
        tile.values[5] = 1;
    }
    mbarrier_wait(tile.mbarrier, 0);
    copy_out(out, tile.values);
}

#if defined(FETTLE_CHECK)
// The load that the kernels below begin with; all wait for its phase of this parity.
__device__ Tile loaded(const TensorMap& map, uint32_t parity) {
    const Tile tile = prepare();
    if (threadIdx.x == 0) {
        mbarrier_arrive_expect_bytes(tile.mbarrier, kBoxBytes);
        load_box(tile.values, &map, 0, 0, tile.mbarrier);  // BUG load
    }
    mbarrier_wait(tile.mbarrier, parity);  // BUG wait
    return tile;
}
__global__ void wrong_parity(uint16_t* out, TensorMap map) {
    const Tile tile = loaded(map, 1);
    if (threadIdx.x == 40 && blockIdx.x == 0) out[0] = tile.values[9];  // BUG wrong_parity
}
__global__ void waited_by_another(uint16_t* out, TensorMap map) {
    const Tile tile = prepare();
    if (threadIdx.x == 0) {
        mbarrier_arrive_expect_bytes(tile.mbarrier, kBoxBytes);
        load_box(tile.values, &map, 0, 0, tile.mbarrier);  // BUG awaited_load
    }
    __syncthreads();
    if (threadIdx.x < 32) mbarrier_wait(tile.mbarrier, 0);
    if (threadIdx.x == 40 && blockIdx.x == 0) out[0] = tile.values[9];  // BUG read_alone
}
__global__ void still_read(uint16_t* out, TensorMap map) {
    const Tile tile = loaded(map, 0);
    __syncthreads();
    if (threadIdx.x == 40 && blockIdx.x == 0) out[0] = tile.values[9];  // BUG still_reading
    if (threadIdx.x == 0) {
        mbarrier_arrive_expect_bytes(tile.mbarrier, kBoxBytes);
        load_box(tile.values, &map, 0, 0, tile.mbarrier);  // BUG still_read
        mbarrier_wait(tile.mbarrier, 1);
    }
}
__global__ void loaded_twice(uint16_t*, TensorMap map) {
    const Tile tile = prepare();
    if (threadIdx.x != 0) return;
    mbarrier_arrive_expect_bytes(tile.mbarrier, kBoxBytes + 64);
    load_box(tile.values, &map, 0, 0, tile.mbarrier);             // BUG first_load
    load_bytes(tile.values + 512, map.start, 64, tile.mbarrier);  // BUG second_load
    mbarrier_wait(tile.mbarrier, 0);
}
__global__ void source_written(uint16_t* in, TensorMap map) {
    const Tile tile = prepare();
    if (threadIdx.x == 0 && blockIdx.x == 0) {
        mbarrier_arrive_expect_bytes(tile.mbarrier, kBoxBytes);
        load_box(tile.values, &map, 0, 0, tile.mbarrier);  // BUG source_load
    }
    __syncthreads();
    if (threadIdx.x == 33 && blockIdx.x == 0) in[5] = 1;  // BUG source_written
    if (blockIdx.x == 0) mbarrier_wait(tile.mbarrier, 0);
}
// What threads stored is overwritten through another proxy.
__global__ void stored_over(uint16_t*, TensorMap map) {
    const Tile tile = prepare();
    tile.values[threadIdx.x] = 1;  // BUG stored_before
    __syncthreads();
    if (threadIdx.x == 0) {
        mbarrier_arrive_expect_bytes(tile.mbarrier, kBoxBytes);
        load_box(tile.values, &map, 0, 0, tile.mbarrier);  // BUG stored_over
    }
    mbarrier_wait(tile.mbarrier, 0);
}
// Right: what a thread waited for is known to those it meets.
__global__ void waited_for_all(uint16_t* out, TensorMap map) {
    const Tile tile = prepare();
    if (threadIdx.x == 0) {
        mbarrier_arrive_expect_bytes(tile.mbarrier, kBoxBytes);
        load_box(tile.values, &map, 0, 0, tile.mbarrier);
        mbarrier_wait(tile.mbarrier, 0);
    }
    __syncthreads();
    copy_out(out, tile.values);
    fence_async_proxy();
    __syncthreads();
    if (threadIdx.x == 0) {
        mbarrier_arrive_expect_bytes(tile.mbarrier, kBoxBytes);
        load_box(tile.values, &map, 0, 0, tile.mbarrier);
    }
    mbarrier_wait(tile.mbarrier, 1);
}
#endif

}  // namespace
}  // namespace on_simt

namespace {

constexpr int kRows = 20, kColumns = 72;  // of the matrix: element (r, c) holds 100 r + c + 1

std::vector<uint16_t> matrix() {
    std::vector<uint16_t> values;
    for (int r = 0; r < kRows; ++r)
        for (int c = 0; c < kColumns; ++c) values.push_back(uint16_t(100 * r + c + 1));
    return values;
}
uint16_t at(int row, int column) {
    const bool is_inside = row >= 0 && row < kRows && column >= 0 && column < kColumns;
    return is_inside ? uint16_t(100 * row + column + 1) : uint16_t{0};
}
simt::TensorMap map_of(const Buffer<uint16_t>& in, bool is_swizzled) {
    return {.start = reinterpret_cast<const unsigned char*>(in.data()),
            .rows = kRows,
            .columns = kColumns,
            .row_bytes = kColumns * 2,
            .element_bytes = 2,
            .box_rows = on_simt::kBoxRows,
            .box_columns = on_simt::kBoxColumns,
            .is_swizzled = is_swizzled};
}

template <typename... Arguments>
std::vector<uint16_t> loaded(uint32_t seed, void (*kernel)(uint16_t*, Arguments...),
                             Arguments... arguments) {
    const Buffer<uint16_t> out(Device::simt, on_simt::kBoxRows * on_simt::kBoxColumns);
    with_schedule(seed, [&] {
        on_simt::launch(kernel, {.grid = 3, .block = 64, .shared_bytes = on_simt::kBoxBytes},
                        out.data(), arguments...);
    });
    return out.to_host();
}

// Of a kernel that may write to what it loads.
std::string report(uint32_t seed, void (*kernel)(uint16_t*, simt::TensorMap), bool gets_source) {
    const Buffer<uint16_t> in(Device::simt, matrix());
    const Buffer<uint16_t> out(Device::simt, on_simt::kBoxRows * on_simt::kBoxColumns);
    std::string text;
    with_schedule(seed, [&] {
        try {
            on_simt::launch(kernel, {.grid = 1, .block = 64, .shared_bytes = on_simt::kBoxBytes},
                            gets_source ? in.data() : out.data(), map_of(in, true));
        } catch (const Error& error) {
            text = error.what();
        }
    });
    return text;
}

void check_reported(const std::string& what, void (*kernel)(uint16_t*, simt::TensorMap),
                    const std::string& line = "", const std::string& other_line = "",
                    bool gets_source = false) {
    for (const uint32_t seed : {0u, 1u, 2u, 3u, 77u}) {
        const std::string text = report(seed, kernel, gets_source);
        CAPTURE(text);
        CAPTURE(line);
        CHECK(contains(text, what));
        CHECK(contains(text, "tensor_copy_test.cpp:"));
        if (!line.empty()) CHECK(contains(text, line_of(line, __FILE__)));
        if (!other_line.empty()) CHECK(contains(text, line_of(other_line, __FILE__)));
    }
}

}  // namespace

TEST_CASE("simt tensor copy: a box arrives row by row, with zeros outside the matrix") {
    const Buffer<uint16_t> in(Device::simt, matrix());
    for (const uint32_t seed : {0u, 1u, 2u, 3u})
        for (const auto& [row, column] :
             {std::pair{0, 0}, {2, 8}, {10, 16}, {-3, -8}, {2, -3}, {3, 13}, {40, 0}}) {
            const auto got = loaded(seed, on_simt::load, map_of(in, false), row, column);
            for (int r = 0; r < on_simt::kBoxRows; ++r)
                for (int c = 0; c < on_simt::kBoxColumns; ++c)
                    REQUIRE(got[r * on_simt::kBoxColumns + c] == at(row + r, column + c));
        }
}

TEST_CASE("simt tensor copy: the 128-byte swizzle moves chunks as its table says") {
    const Buffer<uint16_t> in(Device::simt, matrix());
    for (const uint32_t seed : {0u, 1u, 2u, 3u}) {
        const auto got = loaded(seed, on_simt::load, map_of(in, true), 0, 0);
        for (int r = 0; r < on_simt::kBoxRows; ++r)
            for (int c = 0; c < on_simt::kBoxColumns; ++c)
                REQUIRE(got[r * on_simt::kBoxColumns + c] ==
                        at(r, fragment_tables::kSwizzle[r % 8][c / 8] * 8 + c % 8));
    }
}

TEST_CASE("simt tensor copy: runs of bytes that complete at one mbarrier, in any order") {
    std::vector<uint16_t> values(on_simt::kBoxRows * on_simt::kBoxColumns);
    std::iota(values.begin(), values.end(), uint16_t{1});
    const Buffer<uint16_t> in(Device::simt, values);
    for (const uint32_t seed : {0u, 1u, 2u, 3u})
        CHECK(loaded(seed, on_simt::load_run, static_cast<const uint16_t*>(in.data())) == values);
}

TEST_CASE("simt tensor copy: with threads in order, what is read too early is NaNs") {
    if constexpr (simt::check::kOn) return;  // an error there
    const Buffer<uint16_t> in(Device::simt, matrix());
    const auto got = loaded(0, on_simt::read_early, map_of(in, false));
    CHECK(got == std::vector<uint16_t>(got.size(), 0xffff));
}

TEST_CASE("simt tensor copy: misuse is an error that names the line") {
    check_reported("with no fence.mbarrier_init since", on_simt::not_fenced);
    check_reported("0 of 1 arrivals pending, 16 bytes pending", on_simt::bytes_wrong);
    check_reported("expected 1024-byte alignment", on_simt::misaligned);
    check_reported("whose phase may end before its copies: they are 2048 bytes, 2032 are expected",
                   on_simt::too_few_expected, "too_few_expected");
    check_reported("whose phase may end before its copies: they are 2048 bytes, 0 are expected",
                   on_simt::arrival_expects_nothing, "arrival_expects_nothing");
    check_reported("missing fence", on_simt::fenced_by_another, "fenced_by_another");
    check_reported("missing fence", on_simt::fenced_first, "fenced_first");
    check_reported("shared memory", on_simt::behind_shared_memory, "behind_shared_memory");
    check_reported("returns as the last of its block", on_simt::no_bytes_expected);
    check_reported("returns as the last of its block", on_simt::not_awaited);
}

TEST_CASE("simt tensor copy: a swizzled box is 128 bytes wide") {
    const Buffer<uint16_t> in(Device::simt, matrix());
    simt::TensorMap map = map_of(in, true);
    map.box_columns = 32;
    CHECK_THROWS(loaded(0, on_simt::load, map, 0, 0));
    map.is_swizzled = false;
    CHECK_THROWS(loaded(0, on_simt::load, map, 0, 0));  // half the bytes never come
}

#if defined(FETTLE_CHECK)
TEST_CASE("simt tensor copy: touching what a copy under way writes is a race in every order") {
    check_reported("shared race", on_simt::read_early, "read_early_load");
    check_reported("shared race", on_simt::overwritten_late);
    check_reported("shared race", on_simt::waited_by_another, "read_alone", "awaited_load");
    check_reported("shared race", on_simt::loaded_twice, "second_load", "first_load");
}

TEST_CASE("simt tensor copy: a wait for the wrong parity passes too early, or never") {
    for (const uint32_t seed : {0u, 1u, 2u, 3u, 77u}) {
        const std::string text = report(seed, on_simt::wrong_parity, false);
        CAPTURE(text);
        const bool is_early = contains(text, line_of("wrong_parity", __FILE__)) &&
                              (contains(text, "shared race") || contains(text, "uninitialised"));
        const bool is_never =
            contains(text, line_of("wait", __FILE__)) && contains(text, "phase 1, 1 of 1 arrivals");
        CHECK((is_early || is_never));
    }
}

TEST_CASE("simt tensor copy: a copy over what is still read, or stored, is reported") {
    check_reported("shared race", on_simt::still_read, "still_read", "still_reading");
    check_reported("missing proxy fence", on_simt::stored_over, "stored_over", "stored_before");
    check_reported("global race", on_simt::source_written, "source_written", "source_load", true);
    for (const uint32_t seed : {0u, 1u, 2u, 3u, 77u})
        CHECK(report(seed, on_simt::waited_for_all, false) == "");
}
#endif
