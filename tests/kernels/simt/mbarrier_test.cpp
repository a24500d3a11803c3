// mbarriers against sequences of phases written out from the PTX ISA, and misuse of them.

#include "kernels/simt/mbarrier.h"

#include "tests/support/devices.h"
#include "tests/support/doctest.h"
#include "tests/support/emulated.h"
#include "tests/support/planted_bugs.h"

namespace on_simt {
namespace {

// Whether each parity's phase is over, after each step: 2 * parity 1 + parity 0.
__device__ void note(int*& out, uint64_t* mbarrier) {
    *out++ = 2 * int(mbarrier_test_wait(mbarrier, 1)) + int(mbarrier_test_wait(mbarrier, 0));
}
__global__ void count_arrivals(int* out) {  // [7]
    __shared__ uint64_t mbarrier;
    if (threadIdx.x != 0) return;
    mbarrier_init(&mbarrier, 2);
    note(out, &mbarrier);
    for (int i = 0; i < 6; ++i) {
        mbarrier_arrive(&mbarrier);
        note(out, &mbarrier);
    }
}

// Even threads fill one half of the ring while odd threads empty the other, for many rounds.
__global__ void hand_over(int* out, int rounds) {
    __shared__ uint64_t full[2], empty[2];
    __shared__ int values[2][32];
    const int pair = int(threadIdx.x) / 2;
    if (threadIdx.x == 0)
        for (int i = 0; i < 2; ++i) mbarrier_init(&full[i], 32), mbarrier_init(&empty[i], 32);
    __syncthreads();
    int sum = 0;
    for (int round = 0; round < rounds; ++round) {
        const int stage = round % 2;
        const auto parity = uint32_t(round / 2 % 2);
        if (threadIdx.x % 2 == 0) {
            mbarrier_wait(&empty[stage], parity ^ 1);
            values[stage][pair] = 100 * round + pair;
            mbarrier_arrive(&full[stage]);
        } else {
            mbarrier_wait(&full[stage], parity);
            sum += values[stage][31 - pair];
            mbarrier_arrive(&empty[stage]);
        }
    }
    if (threadIdx.x % 2 == 1 && blockIdx.x == 0) out[pair] = sum;
}

// The same memory: an mbarrier, a number, an mbarrier again.
__global__ void use_again(int* out) {
    __shared__ uint64_t mbarrier;
    if (threadIdx.x == 0) mbarrier_init(&mbarrier, 64);
    __syncthreads();
    mbarrier_arrive(&mbarrier);
    mbarrier_wait(&mbarrier, 0);
    __syncthreads();
    if (threadIdx.x == 0) {
        mbarrier_invalidate(&mbarrier);
        mbarrier = 7;
    }
    __syncthreads();
    if (threadIdx.x == 5 && blockIdx.x == 0) *out = int(mbarrier);
    __syncthreads();
    if (threadIdx.x == 0) mbarrier_init(&mbarrier, 64);
    __syncthreads();
    mbarrier_arrive(&mbarrier);
    mbarrier_wait(&mbarrier, 0);
}

// Wrong.
__global__ void used_after_its_end(int*) {
    __shared__ uint64_t mbarrier;
    if (threadIdx.x != 0) return;
    mbarrier_init(&mbarrier, 1);
    mbarrier_invalidate(&mbarrier);
    mbarrier_arrive(&mbarrier);
}
__global__ void ended_with_bytes_expected(int*) {
    __shared__ uint64_t mbarrier;
    if (threadIdx.x != 0) return;
    mbarrier_init(&mbarrier, 1);
    mbarrier_expect_bytes(&mbarrier, 16);
    mbarrier_invalidate(&mbarrier);
}
__global__ void not_initialised(int*) {
    __shared__ uint64_t mbarrier;
    mbarrier_arrive(&mbarrier);
}
__global__ void initialised_twice(int*) {
    __shared__ uint64_t mbarrier;
    mbarrier_init(&mbarrier, 1);
}
__global__ void no_arrivals(int*) {
    __shared__ uint64_t mbarrier;
    if (threadIdx.x == 0) mbarrier_init(&mbarrier, 0);
}
__global__ void overwritten(int*) {
    __shared__ uint64_t mbarrier;
    if (threadIdx.x != 0) return;
    mbarrier_init(&mbarrier, 1);
    mbarrier = 7;
    mbarrier_arrive(&mbarrier);
}
__global__ void wrong_phase(int*) {
    __shared__ uint64_t mbarrier;
    if (threadIdx.x == 0) mbarrier_init(&mbarrier, 64);
    __syncthreads();
    mbarrier_arrive(&mbarrier);
    mbarrier_wait(&mbarrier, 1);
    if (threadIdx.x != 0) return;
    mbarrier_wait(&mbarrier, 0);
    mbarrier_wait(&mbarrier, 1);
}
__global__ void bytes_never_come(int*) {
    __shared__ uint64_t mbarrier;
    if (threadIdx.x != 0) return;
    mbarrier_init(&mbarrier, 1);
    mbarrier_arrive_expect_bytes(&mbarrier, 128);
    mbarrier_wait(&mbarrier, 0);
}
__global__ void too_many_bytes(int*) {
    __shared__ uint64_t mbarrier;
    if (threadIdx.x != 0) return;
    mbarrier_init(&mbarrier, 1);
    mbarrier_expect_bytes(&mbarrier, 1 << 19);
    mbarrier_expect_bytes(&mbarrier, 1 << 19);
}
__global__ void arrival_too_many(int*) {
    __shared__ uint64_t mbarrier;
    if (threadIdx.x != 0) return;
    mbarrier_init(&mbarrier, 1);
    mbarrier_arrive_expect_bytes(&mbarrier, 16);
    mbarrier_arrive(&mbarrier);
}
__global__ void parity_of_a_phase(int*) {
    __shared__ uint64_t mbarrier;
    if (threadIdx.x != 0) return;
    mbarrier_init(&mbarrier, 1);
    for (uint32_t phase = 0; phase < 3; ++phase) {
        mbarrier_arrive(&mbarrier);
        mbarrier_test_wait(&mbarrier, phase);  // BUG parity_of_a_phase
    }
}
// Both warps free the slot, and it is initialised for one of them: the first round of a ring goes
// by without a wait.
__global__ void too_few_arrivals(int*) {
    __shared__ uint64_t empty;
    if (threadIdx.x == 0) mbarrier_init(&empty, 1);  // BUG too_few_arrivals
    __syncthreads();
    if (threadIdx.x % 32 == 0) mbarrier_arrive(&empty);
}
__global__ void every_lane_arrives(int*) {
    __shared__ uint64_t empty;
    if (threadIdx.x == 0) mbarrier_init(&empty, 2);  // BUG every_lane_arrives
    __syncthreads();
    mbarrier_arrive(&empty);
}
// One warp does not free the slot, in the last round.
__global__ void arrival_left_out(int*) {
    __shared__ uint64_t empty;
    if (threadIdx.x == 0) mbarrier_init(&empty, 2);  // BUG arrival_left_out
    __syncthreads();
    if (threadIdx.x == 0) mbarrier_arrive(&empty);
}

#if defined(FETTLE_CHECK)
__global__ void no_wait(int* out) {
    __shared__ uint64_t mbarrier;
    __shared__ int values[64];
    if (threadIdx.x == 0) mbarrier_init(&mbarrier, 64);
    values[threadIdx.x] = 0;
    __syncthreads();
    values[threadIdx.x] = 1;
    mbarrier_arrive(&mbarrier);
    if (blockIdx.x == 0) out[threadIdx.x] = values[63 - threadIdx.x];
}
__global__ void stale_phase(int* out) {  // the phase before the first counts as over
    __shared__ uint64_t mbarrier;
    __shared__ int values[64];
    if (threadIdx.x == 0) mbarrier_init(&mbarrier, 64);
    values[threadIdx.x] = 0;
    __syncthreads();
    values[threadIdx.x] = 1;
    mbarrier_arrive(&mbarrier);
    if (threadIdx.x < 32) return;
    if (!mbarrier_test_wait(&mbarrier, 1) && blockIdx.x > 3) return;
    if (blockIdx.x == 0) out[threadIdx.x] = values[63 - threadIdx.x];
}
__global__ void not_synchronised(int*) {
    __shared__ uint64_t mbarrier;
    if (threadIdx.x == 0) mbarrier_init(&mbarrier, 64);
    __syncwarp();
    if (threadIdx.x < 32) return;
    mbarrier_arrive(&mbarrier);
}
#endif

}  // namespace
}  // namespace on_simt

namespace {

std::vector<std::string> reports(void (*kernel)(int*)) {
    const Buffer<int> out(Device::simt, 64);
    std::vector<std::string> texts;
    for (const uint32_t seed : {0u, 1u, 2u, 3u, 77u})
        texts.push_back(error_in_order(seed, kernel, out.data()));
    return texts;
}

void check_reported(const std::string& what, void (*kernel)(int*), const std::string& line = "") {
    for (const std::string& text : reports(kernel)) {
        CAPTURE(text);
        CHECK(contains(text, what));
        CHECK(contains(text, line.empty() ? "mbarrier_test.cpp:" : line_of(line, __FILE__)));
    }
}

}  // namespace

TEST_CASE("simt mbarrier: a phase of two arrivals is over after the second; parities alternate") {
    const Buffer<int> out(Device::simt, 7);
    on_simt::launch(on_simt::count_arrivals, {.grid = 1, .block = 32}, out.data());
    // In phases 0, 0, 1, 1, 2, 2, 3 the phase before has parity 1, 1, 0, 0, 1, 1, 0.
    CHECK(out.to_host() == std::vector<int>{2, 2, 1, 1, 2, 2, 1});
}

TEST_CASE("simt mbarrier: a ring of two stages hands every value over, in any order of threads") {
    const Buffer<int> out(Device::simt, 32);
    for (const uint32_t seed : {0u, 1u, 2u, 3u, 4u, 5u}) {
        with_schedule(seed, [&] {
            on_simt::launch(on_simt::hand_over, {.grid = 3, .block = 64}, out.data(), 7);
        });
        const auto got = out.to_host();
        // 100 (0 + 1 + ... + 6) + 7 (31 - pair)
        for (int pair = 0; pair < 32; ++pair) CHECK(got[pair] == 2100 + 7 * (31 - pair));
    }
}

TEST_CASE("simt mbarrier: after its end the memory is for anything") {
    const Buffer<int> out(Device::simt, 1);
    for (const uint32_t seed : {0u, 1u, 2u, 3u}) {
        CHECK(error_in_order(seed, on_simt::use_again, out.data()) == "");
        CHECK(out.to_host()[0] == 7);
    }
}

TEST_CASE("simt mbarrier: misuse is an error that names the line") {
    check_reported("an mbarrier that no thread initialised", on_simt::not_initialised);
    check_reported("an mbarrier a second time", on_simt::initialised_twice);
    check_reported("an mbarrier that no thread initialised", on_simt::used_after_its_end);
    check_reported("invalidates an mbarrier that threads wait for, or for whose copies none waited",
                   on_simt::ended_with_bytes_expected);
    check_reported("for 0 arrivals, expected 1 to 1048575", on_simt::no_arrivals);
    check_reported("that a store overwrote", on_simt::overwritten);
    check_reported("then expects 1048576 bytes, at most 1048575", on_simt::too_many_bytes);
    check_reported("whose arrivals have all come", on_simt::arrival_too_many);
    check_reported("the parity 2, expected 0 or 1", on_simt::parity_of_a_phase,
                   "parity_of_a_phase");
}

TEST_CASE("simt mbarrier: too many arrivals, or too few, are errors even if nobody waits") {
    check_reported("no thread waited for the phase before", on_simt::too_few_arrivals,
                   "too_few_arrivals");
    check_reported("no thread waited for the phase before", on_simt::every_lane_arrives,
                   "every_lane_arrives");
    check_reported("only some of the arrivals of a phase came", on_simt::arrival_left_out,
                   "arrival_left_out");
}

TEST_CASE("simt mbarrier: a wait for a phase that does not end says what is pending") {
    check_reported("phase 1, 64 of 64 arrivals pending, 0 bytes pending", on_simt::wrong_phase);
    check_reported("phase 0, 0 of 1 arrivals pending, 128 bytes pending",
                   on_simt::bytes_never_come);
}

#if defined(FETTLE_CHECK)
TEST_CASE("simt mbarrier: what no wait orders is a race") {
    check_reported("shared race", on_simt::no_wait);
    check_reported("shared race", on_simt::stale_phase);
    // With some orders of threads the mbarrier is not there yet.
    for (const std::string& text : reports(on_simt::not_synchronised)) {
        const bool is_named =
            contains(text, "shared race") || contains(text, "uninitialised mbarrier");
        CAPTURE(text);
        CHECK(is_named);
    }
}
#endif
