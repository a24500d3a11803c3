// The order of threads, and blocks that cannot go on.

#include "tests/support/devices.h"
#include "tests/support/doctest.h"
#include "tests/support/emulated.h"

namespace on_simt {
namespace {

// The number of threads before this one, in the order in which they ran.
__global__ void take_numbers(int* counter, int* numbers) {
    numbers[threadIdx.x] = atomicAdd(counter, 1);
}
__global__ void warp_waits_for_barrier(int* out) {
    if (threadIdx.x % 32 < 16) {
        __syncthreads();
    } else {
        __syncwarp();
    }
    out[threadIdx.x] = 1;
}
__global__ void fine(int* out) {
    __syncthreads();
    out[threadIdx.x] = __shfl_xor_sync(kAllLanes, 7, 1);
}

std::vector<int> numbers_taken(uint32_t seed) {
    const Buffer<int> counter(Device::simt, 1), numbers(Device::simt, 64);
    with_schedule(seed, [&] {
        launch(take_numbers, {.grid = 1, .block = 64}, counter.data(), numbers.data());
    });
    return numbers.to_host();
}

}  // namespace
}  // namespace on_simt

TEST_CASE(
    "simt: without a seed threads run in order; with one in an order of its own, repeatably") {
    const auto in_order = on_simt::numbers_taken(0);
    for (int i = 0; i < 64; ++i) CHECK(in_order[i] == i);
    CHECK(on_simt::numbers_taken(1) == on_simt::numbers_taken(1));
    CHECK(on_simt::numbers_taken(1) != in_order);
    CHECK(on_simt::numbers_taken(1) != on_simt::numbers_taken(2));
    auto sorted = on_simt::numbers_taken(1);
    std::sort(sorted.begin(), sorted.end());
    CHECK(sorted == in_order);
}

TEST_CASE("simt: a block that cannot go on says who waits for what") {
    const Buffer<int> out(Device::simt, 64);
    const auto text = error_of(on_simt::warp_waits_for_barrier, out.data());
    CHECK(contains(text, "cannot go on"));
    CHECK(contains(text, "thread(s) wait for its warp at "));
    CHECK(contains(text, "thread(s) wait for __syncthreads at "));
}

TEST_CASE("simt: a failed launch leaves the device fit for the next one") {
    const Buffer<int> out(Device::simt, 64);
    for (int round = 0; round < 20; ++round) {
        CHECK(error_in_order(round, on_simt::warp_waits_for_barrier, out.data()) != "");
        CHECK(error_in_order(round, on_simt::fine, out.data()) == "");
        CHECK(out.to_host() == std::vector<int>(64, 7));
    }
}
