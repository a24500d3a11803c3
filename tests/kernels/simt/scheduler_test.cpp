// The order of threads and of blocks, and blocks that cannot go on.

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
    const int seven = __shfl_xor_sync(kAllLanes, 7, 1);
    if (blockIdx.x == 0) out[threadIdx.x] = seven;
}

// ---- several blocks ----
constexpr int kThreads = 64;

// How many blocks had begun and were not over, at most.
__global__ void count_living(int* living, int* most) {
    if (threadIdx.x == 0) atomicMax(most, atomicAdd(living, 1) + 1);
    for (int round = 0; round < 40; ++round) __syncthreads();
    if (threadIdx.x == 0) atomicAdd(living, -1);
}

// Wrong: as if no other block ran between the load and the store.
__global__ void count_unprotected(int* count) {
    int before = 0;
    if (threadIdx.x == 0) before = *count;
    __syncthreads();
    if (threadIdx.x == 0) *count = before + 1;
}
// Wrong: as if every block before this one were over.
__global__ void add_to_block_before(int* sums) {
    if (threadIdx.x > 0) return;
    const int before = blockIdx.x == 0 ? 0 : atomicAdd(&sums[blockIdx.x - 1], 0);
    atomicAdd(&sums[blockIdx.x], before + 1);
}
// Wrong: the thread that takes the last number reads what other blocks have yet to write.
__global__ void number_before_sum(int* sum, int* taken, int* out) {
    __shared__ bool is_last;
    if (threadIdx.x == 0) is_last = atomicAdd(taken, 1) == static_cast<int>(gridDim.x) - 1;
    __syncthreads();
    atomicAdd(sum, 1);
    __syncthreads();
    if (is_last && threadIdx.x == 0) *out = atomicAdd(sum, 0);
}
// Right: it takes its number when its part of the sum is there.
__global__ void sum_before_number(int* sum, int* taken, int* out) {
    atomicAdd(sum, 1);
    __syncthreads();
    if (threadIdx.x > 0) return;
    __threadfence();
    if (atomicAdd(taken, 1) == static_cast<int>(gridDim.x) - 1) *out = atomicAdd(sum, 0);
}

constexpr unsigned kBlocks = 12;

int most_living(uint32_t seed, unsigned blocks) {
    const Buffer<int> living(Device::simt, 1), most(Device::simt, 1);
    with_schedule(seed, [&] {
        launch(count_living, {.grid = blocks, .block = kThreads}, living.data(), most.data());
    });
    CHECK(living.to_host()[0] == 0);
    return most.to_host()[0];
}

int last_sum(uint32_t seed, void (*kernel)(int*, int*, int*)) {
    const Buffer<int> sum(Device::simt, 1), taken(Device::simt, 1), out(Device::simt, 1);
    with_schedule(seed, [&] {
        launch(kernel, {.grid = kBlocks, .block = kThreads}, sum.data(), taken.data(), out.data());
    });
    return out.to_host()[0];
}

// In how many of ten random orders `is_right` is false. On one OS thread: on several, what runs
// beside what is also the machine's choice.
template <typename Body>
int wrong_orders(const Body& is_right) {
    return with_threads(1, [&] {
        int count = 0;
        for (uint32_t seed = 1; seed <= 10; ++seed) count += is_right(seed) ? 0 : 1;
        return count;
    });
}

// Right: a thread of another warp raises the flag.
__global__ void waits_for_flag(int* out) {
    __shared__ int flag;
    if (threadIdx.x == 0) flag = 0;
    __syncthreads();
    if (threadIdx.x == kThreads - 1) atomicExch(&flag, 1);
    while (atomicAdd(&flag, 0) == 0) {
    }
    atomicAdd(out, 1);
}
// Wrong: the first block waits for one that may not have begun.
__global__ void waits_for_later_block(int* flags) {
    if (threadIdx.x > 0) return;
    atomicExch(&flags[blockIdx.x], 1);
    while (atomicAdd(&flags[gridDim.x - 1], 0) == 0) {
    }
}

// Its own copy is all that a thread waits for: nobody else is there to run. out[0] counts starts.
__global__ void waits_alone(int* out, const int* in) {
    alignas(16) __shared__ int values[4];
    __shared__ uint64_t mbarrier;
    atomicAdd(out, 1);
    mbarrier_init(&mbarrier, 1);
    fence_mbarrier_init();
    for (uint32_t round = 0; round < 4; ++round) {
        mbarrier_arrive_expect_bytes(&mbarrier, 16);
        load_bytes(values, in + 4 * round, 16, &mbarrier);
        mbarrier_wait(&mbarrier, round % 2);
        for (int i = 0; i < 4; ++i) out[1 + i] += values[i];
    }
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

TEST_CASE("simt: a thread that waits alone goes on where it was when its copy has come") {
    const Buffer<int> in(Device::simt,
                         std::vector<int>{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15});
    for (uint32_t seed = 0; seed < 10; ++seed) {
        const Buffer<int> out(Device::simt, 5);
        with_schedule(seed, [&] {
            on_simt::launch(on_simt::waits_alone, {.grid = 1, .block = 1}, out.data(),
                            static_cast<const int*>(in.data()));
        });
        CHECK(out.to_host() == std::vector<int>{1, 24, 28, 32, 36});
    }
}

TEST_CASE("simt: a failed launch leaves the device fit for the next one") {
    const Buffer<int> out(Device::simt, 64);
    for (int round = 0; round < 20; ++round) {
        CHECK(error_in_order(round, on_simt::warp_waits_for_barrier, out.data()) != "");
        CHECK(error_in_order(round, on_simt::fine, out.data()) == "");
        CHECK(out.to_host() == std::vector<int>(64, 7));
    }
}

using namespace on_simt;

TEST_CASE("simt: with a seed two to four blocks an OS thread are alive, without one a block is") {
    const bool on_one = num_threads() == 1 || simt::check::kOn;
    if (on_one) CHECK(most_living(0, 12) == 1);
    CHECK(most_living(1, 1) == 1);
    for (const uint32_t seed : {1u, 2u, 3u}) {
        const int most = with_threads(1, [&] { return most_living(seed, 12); });
        CHECK(most >= 2);
        CHECK(most <= 4);
    }
}

TEST_CASE("simt: a kernel that relies on the order of blocks shows it") {
    CHECK(wrong_orders([](uint32_t seed) {
              return last_sum(seed, sum_before_number) == kBlocks * kThreads;
          }) == 0);
    CHECK(wrong_orders([](uint32_t seed) {
              return last_sum(seed, number_before_sum) == kBlocks * kThreads;
          }) >= 5);
    CHECK(wrong_orders([](uint32_t seed) {
              const Buffer<int> sums(Device::simt, kBlocks);
              with_schedule(seed, [&] {
                  launch(add_to_block_before, {.grid = kBlocks, .block = 32}, sums.data());
              });
              return sums.to_host()[kBlocks - 1] == kBlocks;
          }) >= 9);
}

TEST_CASE("simt: a block that takes itself for the only one loses what others wrote, or is named") {
    CHECK(wrong_orders([](uint32_t seed) {
              const Buffer<int> count(Device::simt, 1);
              try {
                  with_schedule(seed, [&] {
                      launch(count_unprotected, {.grid = kBlocks, .block = kThreads}, count.data());
                  });
              } catch (const Error& error) {
                  CHECK(contains(error.what(), "race between blocks"));
                  return false;
              }
              return count.to_host()[0] == kBlocks;
          }) >= 9);
}

TEST_CASE("simt scheduler: threads may spin on atomics for others of their block") {
    const Buffer<int> out(Device::simt, 1);
    for (const uint32_t seed : {0u, 1u, 2u, 3u})
        with_schedule(seed,
                      [&] { launch(waits_for_flag, {.grid = 2, .block = kThreads}, out.data()); });
    CHECK(out.to_host()[0] == 4 * 2 * kThreads);
}

TEST_CASE("simt scheduler: a block that spins for one that has not begun is an Error") {
    const Buffer<int> flags(Device::simt, 1000);
    const auto spin = [&] {
        launch(waits_for_later_block, {.grid = 1000, .block = 1}, flags.data());
    };
    CHECK_THROWS_WITH_AS(spin(), doctest::Contains("thread (0,0,0) spins"), Error);
}
