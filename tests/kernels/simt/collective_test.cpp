// Shuffles and votes against tables written from their definition in the CUDA programming guide;
// what a warp or a block may not do is an Error that names thread and line.

#include "kernels/simt/warp_functions.h"
#include "tests/support/devices.h"
#include "tests/support/doctest.h"
#include "tests/support/emulated.h"

namespace on_simt {
namespace {

enum Row {
    from_5,
    up_3,
    down_3,
    xor_6,
    up_2_of_8,
    down_2_of_8,
    from_11_of_8,
    xor_9_of_8,
    up_37,
    kRows
};

__global__ void shuffle_lanes(int* out) {  // [kRows, 32]
    const int lane = static_cast<int>(threadIdx.x);
    out[from_5 * 32 + lane] = __shfl_sync(kAllLanes, lane, 5);
    out[up_3 * 32 + lane] = __shfl_up_sync(kAllLanes, lane, 3);
    out[down_3 * 32 + lane] = __shfl_down_sync(kAllLanes, lane, 3);
    out[xor_6 * 32 + lane] = __shfl_xor_sync(kAllLanes, lane, 6);
    out[up_2_of_8 * 32 + lane] = __shfl_up_sync(kAllLanes, lane, 2, 8);
    out[down_2_of_8 * 32 + lane] = __shfl_down_sync(kAllLanes, lane, 2, 8);
    out[from_11_of_8 * 32 + lane] = __shfl_sync(kAllLanes, lane, 11, 8);
    out[xor_9_of_8 * 32 + lane] = __shfl_xor_sync(kAllLanes, lane, 9, 8);
    out[up_37 * 32 + lane] = __shfl_up_sync(kAllLanes, lane, 37);
}

__global__ void vote(uint32_t* out) {  // [3, 32]
    const uint32_t lane = threadIdx.x;
    out[lane] = __ballot_sync(kAllLanes, lane % 3 == 0);
    out[32 + lane] = static_cast<uint32_t>(__any_sync(kAllLanes, lane == 31));
    out[64 + lane] = static_cast<uint32_t>(__all_sync(kAllLanes, lane != 31));
}

// The even and the odd lanes go apart, each among themselves, and meet again.
__global__ void split(int* out) {
    const int lane = static_cast<int>(threadIdx.x % 32);
    int sum = 0;
    if (lane % 2 == 0) {
        for (int from = 0; from < 32; from += 2) sum += __shfl_sync(0x55555555u, lane, from);
    } else {
        for (int from = 1; from < 32; from += 2) sum += __shfl_sync(0xaaaaaaaau, 10 * lane, from);
    }
    __syncwarp();
    out[threadIdx.x] = sum + __shfl_xor_sync(kAllLanes, sum, 1);
}

__global__ void reduce(const float* in, float* sums, float* largest) {
    sums[threadIdx.x] = warp_sum(in[threadIdx.x]);
    largest[threadIdx.x] = warp_max(in[threadIdx.x]);
}

__global__ void shuffle_double(double* out) {
    out[threadIdx.x] = __shfl_xor_sync(kAllLanes, 1.0 / (1 + threadIdx.x), 1);
}

// Planted bugs.
__global__ void barrier_in_a_branch(int* out) {
    if (threadIdx.x < 40) {
        __syncthreads();
        out[threadIdx.x] = 1;
    }
}
__global__ void two_barriers(int* out) {
    if (threadIdx.x < 40) {
        __syncthreads();
        out[threadIdx.x] = 1;
    } else {
        __syncthreads();
    }
}
__global__ void shuffle_in_a_branch(int* out) {
    if (threadIdx.x < 16) out[threadIdx.x] = __shfl_xor_sync(kAllLanes, 1, 1);
}
__global__ void shuffle_outside_its_mask(int* out) {
    out[threadIdx.x] = __shfl_sync(0x0000ffffu, 1, 0);
}
__global__ void shuffle_from_outside_the_mask(int* out) {
    if (threadIdx.x < 16) out[threadIdx.x] = __shfl_sync(0x0000ffffu, 1, 20);
}
__global__ void shuffle_meets_vote(int* out) {
    if (threadIdx.x % 2 == 0) {
        out[threadIdx.x] = __shfl_sync(kAllLanes, 1, 0);
    } else {
        out[threadIdx.x] = __any_sync(kAllLanes, 1);
    }
}
__global__ void overlapping_masks(int* out) {
    const uint32_t mask = threadIdx.x < 16 ? 0x0000ffffu : 0xffff8000u;
    out[threadIdx.x] = __shfl_sync(mask, 1, 15);
}

}  // namespace
}  // namespace on_simt

TEST_CASE("simt: shuffles read the lanes that CUDA defines") {
    const Buffer<int> out(Device::simt, on_simt::kRows * 32);
    on_simt::launch(on_simt::shuffle_lanes, {.grid = 1, .block = 32}, out.data());
    const auto got = out.to_host();
    for (int lane = 0; lane < 32; ++lane) {
        CAPTURE(lane);
        const auto row = [&](on_simt::Row r) { return got[r * 32 + lane]; };
        CHECK(row(on_simt::from_5) == 5);
        CHECK(row(on_simt::up_3) == (lane < 3 ? lane : lane - 3));
        CHECK(row(on_simt::down_3) == (lane > 28 ? lane : lane + 3));
        CHECK(row(on_simt::xor_6) == (lane ^ 6));
        CHECK(row(on_simt::up_2_of_8) == (lane % 8 < 2 ? lane : lane - 2));
        CHECK(row(on_simt::down_2_of_8) == (lane % 8 > 5 ? lane : lane + 2));
        CHECK(row(on_simt::from_11_of_8) == lane / 8 * 8 + 3);
        CHECK(row(on_simt::xor_9_of_8) == (lane / 8 % 2 == 0 ? lane : lane ^ 9));
        CHECK(row(on_simt::up_37) == (lane < 5 ? lane : lane - 5));
    }
}

TEST_CASE("simt: a shuffle moves eight bytes whole") {
    const Buffer<double> out(Device::simt, 32);
    on_simt::launch(on_simt::shuffle_double, {.grid = 1, .block = 32}, out.data());
    const auto got = out.to_host();
    for (int lane = 0; lane < 32; ++lane) CHECK(got[lane] == 1.0 / (1 + (lane ^ 1)));
}

TEST_CASE("simt: votes count the lanes that CUDA defines") {
    const Buffer<uint32_t> out(Device::simt, 96);
    on_simt::launch(on_simt::vote, {.grid = 1, .block = 32}, out.data());
    const auto got = out.to_host();
    for (int lane = 0; lane < 32; ++lane) {
        CHECK(got[lane] == 0x49249249u);
        CHECK(got[32 + lane] == 1);
        CHECK(got[64 + lane] == 0);
    }
}

TEST_CASE("simt: disjoint halves of a warp shuffle at the same time, in any order") {
    const Buffer<int> out(Device::simt, 96);
    for (const uint32_t seed : {0u, 1u, 2u, 3u, 4u, 5u}) {
        with_schedule(
            seed, [&] { on_simt::launch(on_simt::split, {.grid = 1, .block = 96}, out.data()); });
        // 0 + 2 + ... + 30 = 240 and 10 * (1 + 3 + ... + 31) = 2560
        CHECK(out.to_host() == std::vector<int>(96, 2800));
    }
}

TEST_CASE("simt: warp_sum and warp_max give every lane the same bits") {
    const auto values = normal<float>(64, 0.0, 1.0, /*seed=*/1);
    const Buffer<float> in(Device::simt, values), sums(Device::simt, 64), largest(Device::simt, 64);
    on_simt::launch(on_simt::reduce, {.grid = 1, .block = 64}, in.data(), sums.data(),
                    largest.data());
    for (int warp = 0; warp < 2; ++warp) {
        const auto first = values.begin() + warp * 32;
        double sum = 0.0;
        for (int lane = 0; lane < 32; ++lane) sum += double(first[lane]);
        for (int lane = 0; lane < 32; ++lane) {
            CHECK(sums.to_host()[warp * 32 + lane] == sums.to_host()[warp * 32]);
            CHECK(sums.to_host()[warp * 32 + lane] == doctest::Approx(sum).epsilon(1e-6));
            CHECK(largest.to_host()[warp * 32 + lane] == *std::max_element(first, first + 32));
        }
    }
}

TEST_CASE("simt: divergent barriers are errors that name the line") {
    const Buffer<int> out(Device::simt, 64);
    const auto branch = error_of(on_simt::barrier_in_a_branch, out.data());
    CHECK(contains(branch, "__syncthreads at "));
    CHECK(contains(branch, "collective_test.cpp:"));
    CHECK(contains(branch, "return"));
    CHECK(contains(error_of(on_simt::two_barriers, out.data()), "while others wait at "));
}

TEST_CASE("simt: warp functions that not all named lanes call are errors") {
    const Buffer<int> out(Device::simt, 64);
    CHECK(contains(error_of(on_simt::shuffle_in_a_branch, out.data()), "return"));
    CHECK(contains(error_of(on_simt::shuffle_outside_its_mask, out.data()),
                   "is not among the lanes 0000ffff"));
    CHECK(contains(error_of(on_simt::shuffle_from_outside_the_mask, out.data()),
                   "reads lane 20, which is not among 0000ffff"));
    CHECK(
        contains(error_of(on_simt::shuffle_meets_vote, out.data()), "meets another warp function"));
    CHECK(contains(error_of(on_simt::overlapping_masks, out.data()), "return"));
}
