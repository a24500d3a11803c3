// Packs: whatever the addresses and lengths of runs and rows, each element is moved once and
// nothing else is touched. On the simt device.

#include "tests/support/emulated.h"
// after what it needs: the device that it is compiled for
#include "kernels/core/pack.cuh"

namespace {

template <int n, typename T>
__global__ void copy_run(T* to, const T* from, int64_t count) {
    const int64_t first = on_simt::pack_of_thread() * n;
    const int64_t left = count - first;
    on_simt::store_pack(to + first, on_simt::load_pack<n>(from + first, left), left);
}

// How often each place of [rows, packs] is visited.
__global__ void count_visits(int* visits, int64_t rows, int64_t packs) {
    for (int64_t row = on_simt::blockIdx.x; row < rows; row += on_simt::gridDim.x)
        for (int64_t pack = on_simt::threadIdx.x; pack < packs; pack += on_simt::blockDim.x)
            ++visits[row * packs + pack];
}

// The ends of both buffers are ends of memory: a stray access ends the kernel in an Error.
template <int n, typename T>
void check_copy(int64_t from_offset, int64_t to_offset, int64_t count) {
    CAPTURE(from_offset);
    CAPTURE(to_offset);
    CAPTURE(count);
    const auto values = normal<T>(from_offset + count, 0.0, 1.0, /*seed=*/1);
    const auto before = normal<T>(to_offset + count + 3, 0.0, 1.0, /*seed=*/2);
    Buffer<T> from(Device::simt, values), to(Device::simt, before);
    on_simt::launch(copy_run<n, T>, on_simt::pack_run_shape((count + n - 1) / n, {}),
                    to.data() + to_offset, from.data() + from_offset, count);
    std::vector<T> expected = before;
    std::copy(values.begin() + from_offset, values.end(), expected.begin() + to_offset);
    CHECK(same_bits(to.to_host(), expected));
}

}  // namespace

TEST_CASE_TEMPLATE("packs: a run is moved whole, wherever it begins and ends", T, float, bf16,
                   double) {
    for (const int64_t from_offset : {0, 1, 4, 8})
        for (const int64_t to_offset : {0, 3, 8})
            for (const int64_t count : {1, 7, 8, 31, 33, 257, 2100}) {
                check_copy<on_simt::kPackSize<T>, T>(from_offset, to_offset, count);
                check_copy<2 * on_simt::kPackSize<T>, T>(from_offset, to_offset, count);
            }
}

// A GPU faults where an address is not a multiple of the access; the CPU that emulates it does not.
TEST_CASE("packs: one access only where the address is a multiple of it and all elements exist") {
    alignas(16) const float floats[16] = {};
    alignas(16) const bf16 halves[16] = {};
    for (int i = 0; i < 16; ++i) {
        CAPTURE(i);
        CHECK(on_simt::is_whole_pack<4>(floats + i, 4) == (i % 4 == 0));
        CHECK(on_simt::is_whole_pack<8>(floats + i, 8) == (i % 4 == 0));  // two accesses
        CHECK(on_simt::is_whole_pack<2>(floats + i, 2) == (i % 2 == 0));
        CHECK(on_simt::is_whole_pack<8>(halves + i, 8) == (i % 8 == 0));
        CHECK(on_simt::is_whole_pack<4>(halves + i, 9) == (i % 4 == 0));
        CHECK_FALSE(on_simt::is_whole_pack<4>(floats + i, 3));
    }
}

TEST_CASE("packs: beyond the end there are zeros") {
    const float one = 1.0f;
    const auto pack = on_simt::load_pack<4>(&one, 1);
    CHECK(std::vector<float>(pack.values, pack.values + 4) == std::vector<float>{1, 0, 0, 0});
}

TEST_CASE("packs: rows of any width are covered once, in equal passes of whole warps") {
    for (const int64_t packs : {1, 31, 33, 256, 257, 384, 1000}) {
        CAPTURE(packs);
        const auto shape = on_simt::pack_rows_shape(3, packs, {});
        CHECK(shape.grid.x == 3);
        CHECK(shape.block.x % 32 == 0);
        CHECK(shape.block.x <= 256);
        Buffer<int> visits(Device::simt, std::vector<int>(3 * packs));
        on_simt::launch(count_visits, shape, visits.data(), int64_t{3}, packs);
        CHECK(visits.to_host() == std::vector<int>(3 * packs, 1));
    }
    CHECK(on_simt::pack_rows_shape(3, 384, {}).block.x == 192);
    CHECK(on_simt::pack_rows_shape(int64_t{1} << 40, 1, {}).grid.x == 0x7fffffff);
    CHECK(on_simt::pack_run_shape(int64_t{1} << 38, {}).grid.x == 1u << 30);
}
