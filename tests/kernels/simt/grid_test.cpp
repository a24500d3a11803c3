// The emulated device: grids, shared memory, barriers, atomics.

#include "kernels/simt/grid.h"

#include "tests/support/devices.h"
#include "tests/support/doctest.h"
#include "tests/support/emulated.h"

namespace on_simt {
namespace {

constexpr uint32_t kSeeds[] = {0, 1, 2, 3, 12345};

// Adds 1 to the count of the thread's own number in the grid, and notes its position there.
__global__ void count_threads(int* counts, uint3* positions) {
    const unsigned in_block = threadIdx.x + blockDim.x * (threadIdx.y + blockDim.y * threadIdx.z);
    const unsigned block = blockIdx.x + gridDim.x * (blockIdx.y + gridDim.y * blockIdx.z);
    const unsigned i = block * blockDim.x * blockDim.y * blockDim.z + in_block;
    atomicAdd(&counts[i], 1);
    positions[i] = {threadIdx.x, threadIdx.y, threadIdx.z};
}

// Reverses each block's values through shared memory: wrong unless the barrier holds everyone back.
__global__ void reverse_static(const int* in, int* out) {
    __shared__ int values[1024];
    const unsigned first = blockIdx.x * blockDim.x;
    values[threadIdx.x] = in[first + threadIdx.x];
    __syncthreads();
    out[first + threadIdx.x] = values[blockDim.x - 1 - threadIdx.x];
}
__global__ void reverse_dynamic(const int* in, int* out) {
    FETTLE_DYNAMIC_SHARED(int, values);
    const unsigned first = blockIdx.x * blockDim.x;
    values[threadIdx.x] = in[first + threadIdx.x];
    __syncthreads();
    out[first + threadIdx.x] = values[blockDim.x - 1 - threadIdx.x];
}

__global__ void read_fresh_shared(float* out) {
    FETTLE_DYNAMIC_SHARED(float, values);
    out[blockIdx.x * blockDim.x + threadIdx.x] = values[threadIdx.x];
    values[threadIdx.x] = 1.0f;
}

__global__ void add_and_compare(int* sum, float* float_sum, unsigned* largest, int* smallest,
                                int* exchanged) {
    const int i = static_cast<int>(blockIdx.x * blockDim.x + threadIdx.x);
    atomicAdd(sum, i);
    atomicAdd(float_sum, 1.0f);
    atomicMax(largest, static_cast<unsigned>(i));
    atomicMin(smallest, -i);
    atomicCAS(exchanged, 0, 1 + i);  // only the first one finds the 0
}

// Hundreds of rounds in which every thread reads what its neighbour wrote in the last one.
__global__ void pass_around(int rounds, int* out) {
    __shared__ int values[2][256];
    values[0][threadIdx.x] = static_cast<int>(threadIdx.x);
    for (int round = 0; round < rounds; ++round) {
        __syncthreads();
        values[(round + 1) % 2][threadIdx.x] = values[round % 2][(threadIdx.x + 1) % blockDim.x];
    }
    out[threadIdx.x] = values[rounds % 2][threadIdx.x];
}

}  // namespace
}  // namespace on_simt

using on_simt::dim3;

TEST_CASE("simt: every thread of a three-dimensional grid runs once, in its place") {
    for (const uint32_t seed : on_simt::kSeeds) {
        with_schedule(seed, [] {
            const dim3 grid(3, 2, 2), threads(5, 3, 4);
            Buffer<int> counts(Device::simt, 720);
            Buffer<on_simt::uint3> positions(Device::simt, 720);
            on_simt::launch(on_simt::count_threads, {.grid = grid, .block = threads}, counts.data(),
                            positions.data());
            CHECK(counts.to_host() == std::vector<int>(720, 1));
            const auto where = positions.to_host();
            for (unsigned i = 0; i < 720; ++i) {
                CHECK(where[i].x == i % 60 % 5);
                CHECK(where[i].y == i % 60 / 5 % 3);
                CHECK(where[i].z == i % 60 / 15);
            }
        });
    }
}

TEST_CASE("simt: a barrier holds every thread, whatever the order and the size of the block") {
    for (const uint32_t seed : on_simt::kSeeds) {
        for (const unsigned threads : {1u, 31u, 32u, 33u, 256u, 1024u}) {
            CAPTURE(seed);
            CAPTURE(threads);
            constexpr unsigned kBlocks = 7;
            std::vector<int> values, expected;
            for (unsigned i = 0; i < kBlocks * threads; ++i) {
                const unsigned first = i / threads * threads;
                values.push_back(static_cast<int>(i));
                expected.push_back(static_cast<int>(first + threads - 1 - (i - first)));
            }
            const Buffer<int> in(Device::simt, values);
            const Buffer<int> out(Device::simt, in.size());
            with_schedule(seed, [&] {
                on_simt::launch(on_simt::reverse_static, {.grid = kBlocks, .block = threads},
                                in.data(), out.data());
                CHECK(out.to_host() == expected);
                on_simt::launch(
                    on_simt::reverse_dynamic,
                    {.grid = kBlocks, .block = threads, .shared_bytes = threads * sizeof(int)},
                    in.data(), out.data());
                CHECK(out.to_host() == expected);
            });
        }
    }
}

TEST_CASE("simt: hundreds of barriers in a row keep their order") {
    const Buffer<int> out(Device::simt, 256);
    for (const uint32_t seed : on_simt::kSeeds) {
        with_schedule(seed, [&] {
            on_simt::launch(on_simt::pass_around, {.grid = 1, .block = 256}, 300, out.data());
        });
        const auto values = out.to_host();
        for (int i = 0; i < 256; ++i) CHECK(values[i] == (i + 300) % 256);
    }
}

TEST_CASE("simt: dynamic shared memory begins as NaNs in every block") {
    const Buffer<float> out(Device::simt, 5 * 64);
    on_simt::launch(on_simt::read_fresh_shared,
                    {.grid = 5, .block = 64, .shared_bytes = 64 * sizeof(float)}, out.data());
    for (const float value : out.to_host()) CHECK(std::isnan(value));
}

TEST_CASE("simt: atomics of many blocks lose nothing") {
    const Buffer<int> sum(Device::simt, 1), smallest(Device::simt, 1), exchanged(Device::simt, 1);
    const Buffer<float> float_sum(Device::simt, 1);
    const Buffer<unsigned> largest(Device::simt, 1);
    on_simt::launch(on_simt::add_and_compare, {.grid = 40, .block = 100}, sum.data(),
                    float_sum.data(), largest.data(), smallest.data(), exchanged.data());
    CHECK(sum.to_host()[0] == 4000 * 3999 / 2);
    CHECK(float_sum.to_host()[0] == 4000.0f);
    CHECK(largest.to_host()[0] == 3999);
    CHECK(smallest.to_host()[0] == -3999);
    CHECK(exchanged.to_host()[0] >= 1);
    CHECK(exchanged.to_host()[0] <= 4000);
}

TEST_CASE("simt: a launch that a GPU would refuse is an error") {
    const Buffer<int> out(Device::simt, 256);
    const auto launch = [&](on_simt::LaunchShape shape) {
        on_simt::launch(on_simt::pass_around, shape, 1, out.data());
    };
    CHECK_THROWS_AS(launch({.grid = 0, .block = 32}), Error);
    CHECK_THROWS_AS(launch({.grid = 1, .block = 0}), Error);
    CHECK_THROWS_AS(launch({.grid = 1, .block = 1025}), Error);
    CHECK_THROWS_AS(launch({.grid = dim3(1, 65536), .block = 32}), Error);
    CHECK_THROWS_AS(launch({.grid = 1, .block = 32, .shared_bytes = 228 * 1024}), Error);
}
