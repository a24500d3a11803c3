// Named barriers: right use in any order of threads, and planted bugs.

#include "kernels/simt/named_barrier.h"

#include <string>
#include <vector>

#include "tests/support/devices.h"
#include "tests/support/doctest.h"
#include "tests/support/emulated.h"
#include "tests/support/planted_bugs.h"

namespace on_simt {
namespace {

constexpr int kThreads = 256;  // of a block: 8 warps
constexpr int kHalf = kThreads / 2;

// Each half turns its own numbers around, at its own barrier, again and again; the first half does
// so more often.
__global__ void halves(int* out) {
    FETTLE_DYNAMIC_SHARED(int, values);
    const int thread = threadIdx.x, half = thread / kHalf, i = thread % kHalf;
    int* own = values + half * kHalf;
    own[i] = thread;
    for (int round = 0; round < (half == 0 ? 5 : 3); ++round) {
        named_barrier_wait(1 + 14 * half, kHalf);  // barriers 1 and 15
        const int value = own[kHalf - 1 - i];
        named_barrier_wait(1 + 14 * half, kHalf);
        own[i] = value + 1;
    }
    if (blockIdx.x == 0) out[thread] = own[i];
}

// The first half fills one of two slots and goes on to the other while the second half reads:
// barriers 1 and 2 say that a slot is full, 3 and 4 that it is empty.
__global__ void ring(int* out) {
    FETTLE_DYNAMIC_SHARED(int, slots);
    constexpr int kRounds = 7;
    const bool is_producer = threadIdx.x < kHalf;
    const int i = threadIdx.x % kHalf;
    int sum = 0;
    for (int round = 0; round < kRounds; ++round) {
        const int slot = round % 2;
        if (is_producer) {
            if (round >= 2) named_barrier_wait(3 + slot, kThreads);
            slots[slot * kHalf + i] = 100 * round + i;
            named_barrier_arrive(1 + slot, kThreads);
        } else {
            named_barrier_wait(1 + slot, kThreads);
            sum += slots[slot * kHalf + (i + 1) % kHalf];
            if (round + 2 < kRounds) named_barrier_arrive(3 + slot, kThreads);
        }
    }
    if (blockIdx.x == 0) out[threadIdx.x] = sum;
}

// A barrier of three warps, beside those of the whole block.
__global__ void three_warps(int* out) {
    FETTLE_DYNAMIC_SHARED(int, values);
    values[threadIdx.x] = 0;
    __syncthreads();
    if (threadIdx.x < 32) values[threadIdx.x] = int(threadIdx.x);
    if (threadIdx.x < 96) named_barrier_wait(7, 96);
    const int value = threadIdx.x < 96 ? values[threadIdx.x % 32] : -1;
    __syncthreads();
    if (blockIdx.x == 0) out[threadIdx.x] = value;
}

// ---- wrong ----
__global__ void unequal_counts(int*) {
    if (threadIdx.x < kHalf)
        named_barrier_wait(3, kThreads);  // BUG count_of_all
    else
        named_barrier_wait(3, kHalf);  // BUG count_of_half
}
__global__ void too_few(int*) {
    if (threadIdx.x < 96) named_barrier_wait(5, kHalf);  // BUG too_few
}
__global__ void never_arrives(int*) {
    if (threadIdx.x < kHalf)
        named_barrier_arrive(1, kThreads);
    else
        named_barrier_wait(2, kThreads);  // BUG other_barrier
}
__global__ void no_such_barrier(int*) {
    named_barrier_wait(16, kThreads);  // BUG no_such_barrier
}
__global__ void barrier_of_the_block(int*) {
    named_barrier_wait(0, kThreads);  // BUG barrier_of_the_block
}
__global__ void part_of_a_warp(int*) {
    named_barrier_wait(1, 48);  // BUG part_of_a_warp
}
__global__ void more_than_the_block(int*) {
    named_barrier_wait(1, 2 * kThreads);  // BUG more_than_the_block
}
__global__ void none(int*) {
    named_barrier_arrive(1, 0);  // BUG none
}
__global__ void half_a_warp(int*) {
    if (threadIdx.x % 32 < 16) named_barrier_wait(1, kHalf);  // BUG half_a_warp
}
__global__ void two_lines(int*) {
    if (threadIdx.x % 32 < 16)
        named_barrier_wait(1, kThreads);  // BUG first_line
    else
        named_barrier_wait(1, kThreads);  // BUG second_line
}
__global__ void two_barriers(int*) {
    named_barrier_wait(1 + int(threadIdx.x % 2), kThreads);  // BUG two_barriers
}
// The waiters went to another barrier, and what they wait for never comes to this one.
__global__ void nobody_waits(int*) {
    named_barrier_arrive(4, kThreads);  // BUG nobody_waits
}
__global__ void incomplete(int*) {
    if (threadIdx.x < 64) named_barrier_arrive(6, 96);  // BUG incomplete
}
// A consumer that frees a slot twice a round stands for one that has not freed it.
__global__ void arrives_twice(int*) {
    if (threadIdx.x < 32) {
        named_barrier_arrive(3, 96);
        named_barrier_arrive(3, 96);  // BUG arrives_twice
    } else if (threadIdx.x < 64) {
        named_barrier_wait(3, 96);
    }
}
__global__ void unequal_arrivals(int*) {
    if (threadIdx.x < 32)
        named_barrier_arrive(3, 96);  // BUG arrival_of_96
    else if (threadIdx.x < 128)
        named_barrier_arrive(3, 128);  // BUG arrival_of_128
}

#if defined(FETTLE_CHECK)
__global__ void not_at_the_barrier(int* out) {
    FETTLE_DYNAMIC_SHARED(int, values);
    values[threadIdx.x] = 0;
    __syncthreads();
    values[threadIdx.x] = 1;  // BUG stored
    if (threadIdx.x < kHalf) named_barrier_wait(1, kHalf);
    const int value = values[threadIdx.x ^ kHalf];  // BUG of_the_other_half
    if (blockIdx.x == 0) out[threadIdx.x] = value;
}
__global__ void arrived_before_the_store(int* out) {
    FETTLE_DYNAMIC_SHARED(int, values);
    values[threadIdx.x] = 0;
    __syncthreads();
    if (threadIdx.x < kHalf) {
        named_barrier_arrive(1, kThreads);
        values[threadIdx.x] = 1;  // BUG behind_the_arrival
    } else {
        named_barrier_wait(1, kThreads);
        const int value = values[threadIdx.x - kHalf];  // BUG before_the_store
        if (blockIdx.x == 0) out[threadIdx.x] = value;
    }
}
// An arrival says what its thread did, and lets it know of nothing.
__global__ void learns_nothing(int* out) {
    FETTLE_DYNAMIC_SHARED(int, values);
    values[threadIdx.x] = 1;
    __syncthreads();
    if (threadIdx.x < kHalf) {
        named_barrier_arrive(1, kThreads);
        const int value = values[threadIdx.x + kHalf];  // BUG learns_nothing
        if (blockIdx.x == 0) out[threadIdx.x] = value;
    } else {
        values[threadIdx.x] = 2;  // BUG stored_before
        named_barrier_wait(1, kThreads);
    }
}
#endif

}  // namespace
}  // namespace on_simt

namespace {

using Kernel = void (*)(int*);
using on_simt::kHalf, on_simt::kThreads;

std::vector<int> run(Kernel kernel, uint32_t seed) {
    const Buffer<int> out(Device::simt, kThreads);
    with_schedule(seed, [&] {
        on_simt::launch(kernel,
                        {.grid = 2, .block = kThreads, .shared_bytes = kThreads * sizeof(int)},
                        out.data());
    });
    return out.to_host();
}

std::string report_of(Kernel kernel, uint32_t seed) {
    try {
        run(kernel, seed);
    } catch (const Error& error) {
        return error.what();
    }
    return "";
}

constexpr uint32_t kSeeds[] = {0, 1, 2, 3, 77};

// Every order of threads must name `kind` and one of the lines.
void check_reported(Kernel kernel, const std::string& kind, const std::string& line,
                    const std::string& or_line = "") {
    for (const uint32_t seed : kSeeds) {
        const std::string text = report_of(kernel, seed);
        CAPTURE(text);
        CAPTURE(line);
        CHECK(contains(text, kind));
        CHECK((contains(text, line_of(line, __FILE__)) ||
               (!or_line.empty() && contains(text, line_of(or_line, __FILE__)))));
    }
}

}  // namespace

TEST_CASE("simt named barrier: halves of a block wait for themselves alone") {
    for (const uint32_t seed : kSeeds) {
        const auto out = run(on_simt::halves, seed);
        for (int i = 0; i < kHalf; ++i) {  // turned around an odd number of times
            CHECK(out[i] == kHalf - 1 - i + 5);
            CHECK(out[kHalf + i] == kThreads - 1 - i + 3);
        }
    }
}

TEST_CASE("simt named barrier: who arrives goes on, who waits sees what was stored before") {
    for (const uint32_t seed : kSeeds) {
        const auto out = run(on_simt::ring, seed);
        for (int i = 0; i < kHalf; ++i) {
            CHECK(out[i] == 0);
            CHECK(out[kHalf + i] == 2100 + 7 * ((i + 1) % kHalf));  // 100 (0 + ... + 6)
        }
    }
}

TEST_CASE("simt named barrier: some warps of a block wait beside __syncthreads") {
    for (const uint32_t seed : kSeeds) {
        const auto out = run(on_simt::three_warps, seed);
        for (int i = 0; i < kThreads; ++i) CHECK(out[i] == (i < 96 ? i % 32 : -1));
    }
}

TEST_CASE("simt named barrier: misuse is an error that names the line") {
    check_reported(on_simt::unequal_counts, "unequal barrier", "count_of_half", "count_of_all");
    check_reported(on_simt::no_such_barrier, "barrier 16 ", "no_such_barrier");
    check_reported(on_simt::barrier_of_the_block, "barrier 0 ", "barrier_of_the_block");
    check_reported(on_simt::part_of_a_warp, "for 48 threads", "part_of_a_warp");
    check_reported(on_simt::more_than_the_block, "for 512 threads", "more_than_the_block");
    check_reported(on_simt::none, "for 0 threads", "none");
    check_reported(on_simt::half_a_warp, "waits", "half_a_warp");
    check_reported(on_simt::two_lines, "divergent warp", "first_line", "second_line");
    check_reported(on_simt::two_barriers, "divergent warp", "two_barriers");
}

TEST_CASE("simt named barrier: arrivals that nobody waits for, or that are left, are errors") {
    check_reported(on_simt::nobody_waits, "nobody waits", "nobody_waits");
    check_reported(on_simt::incomplete, "of the 96 threads that barrier 6 is for", "incomplete");
    check_reported(on_simt::arrives_twice, "for the second time", "arrives_twice");
    check_reported(on_simt::unequal_arrivals, "unequal barrier", "arrival_of_96", "arrival_of_128");
}

TEST_CASE("simt named barrier: a wait without end names the barrier and who is there") {
    check_reported(on_simt::too_few,
                   "96 thread(s) wait for barrier 5 (where 96 of 128 threads are)", "too_few");
    check_reported(on_simt::never_arrives,
                   "128 thread(s) wait for barrier 2 (where 128 of 256 threads are)",
                   "other_barrier");
}

#if defined(FETTLE_CHECK)
TEST_CASE("simt named barrier: orders those who wait behind those who came, and nobody else") {
    check_reported(on_simt::not_at_the_barrier, "shared race", "of_the_other_half", "stored");
    check_reported(on_simt::arrived_before_the_store, "shared race", "before_the_store",
                   "behind_the_arrival");
    check_reported(on_simt::learns_nothing, "shared race", "learns_nothing", "stored_before");
}
#endif
