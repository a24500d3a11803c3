// Blocks that take turns on an OS thread have shared memory of their own.

#include "kernels/simt/static_shared.h"

#include "tests/support/devices.h"
#include "tests/support/doctest.h"
#include "tests/support/emulated.h"

namespace on_simt {
namespace {

constexpr int kThreads = 64;
constexpr int kRounds = 40;
constexpr unsigned kBlocks = 12;

// Passes values around in static and dynamic shared memory; each block's are its own.
__global__ void pass_around_own(int* out) {
    __shared__ int fixed[2][kThreads];
    FETTLE_DYNAMIC_SHARED(int, sized);  // [2, kThreads]
    const int thread = static_cast<int>(threadIdx.x);
    const int first = static_cast<int>(blockIdx.x) * 1000;
    fixed[0][thread] = first + thread;
    sized[thread] = first - thread;
    for (int round = 0; round < kRounds; ++round) {
        __syncthreads();
        const int now = round % 2, next = 1 - now;
        const int neighbour = (thread + 1) % kThreads;
        fixed[next][thread] = fixed[now][neighbour];
        sized[next * kThreads + thread] = sized[now * kThreads + neighbour];
    }
    __syncthreads();
    out[blockIdx.x * kThreads + threadIdx.x] =
        fixed[kRounds % 2][thread] + 10000 * sized[kRounds % 2 * kThreads + thread];
}

// Copies by way of shared memory, in pieces that are under way while other blocks run.
__global__ void copy_slowly(int* out, const int* in) {
    __shared__ int4 pieces[2][kThreads];
    const int thread = static_cast<int>(threadIdx.x);
    const int* from = in + blockIdx.x * kThreads * 4 * 8;
    for (int piece = 0; piece < 8; ++piece) {
        int* to = reinterpret_cast<int*>(pieces[piece % 2]);
        copy_async_16(to + thread * 4, from + (piece * kThreads + thread) * 4);
        commit_copies();
        wait_for_copies<0>();
        __syncthreads();
        const int other = kThreads * 4 - 1 - thread;
        for (int i = 0; i < 4; ++i)
            out[(blockIdx.x * 8 + piece) * kThreads * 4 + i * kThreads + thread] =
                to[other - i * kThreads];
    }
}

}  // namespace
}  // namespace on_simt

using namespace on_simt;

TEST_CASE("simt: an image of static shared memory brings every byte back") {
    const simt::StaticShared memory;
    static thread_local char bytes[100];
    std::vector<char> image;
    bytes[0] = 1, bytes[99] = 2;
    memory.save(image);
    bytes[0] = 3, bytes[99] = 4;
    memory.restore(image);
    CHECK(bytes[0] == 1);
    CHECK(bytes[99] == 2);
}

TEST_CASE("simt: blocks that take turns keep their shared memory") {
    constexpr int kCount = kBlocks * kThreads;
    for (const uint32_t seed : {0u, 1u, 2u, 3u, 77u}) {
        const Buffer<int> out(Device::simt, kCount);
        with_schedule(seed, [&] {
            launch(pass_around_own,
                   {.grid = kBlocks, .block = kThreads, .shared_bytes = 2 * kThreads * sizeof(int)},
                   out.data());
        });
        const auto values = out.to_host();
        for (int i = 0; i < kCount; ++i) {
            const int first = i / kThreads * 1000, from = (i % kThreads + kRounds) % kThreads;
            CHECK(values[i] == first + from + 10000 * (first - from));
        }
    }
}

TEST_CASE("simt: copies under way land in the block that began them") {
    std::vector<int> values(kBlocks * kThreads * 4 * 8), expected;
    for (size_t i = 0; i < values.size(); ++i) values[i] = static_cast<int>(i);
    for (size_t i = 0; i < values.size(); ++i) {
        const size_t in_piece = i % (kThreads * 4);
        expected.push_back(static_cast<int>(i - in_piece + (kThreads * 4 - 1 - in_piece)));
    }
    const Buffer<int> in(Device::simt, values);
    for (const uint32_t seed : {0u, 1u, 2u, 3u}) {
        const Buffer<int> out(Device::simt, in.size());
        with_schedule(seed, [&] {
            launch(copy_slowly, {.grid = kBlocks, .block = kThreads}, out.data(), in.data());
        });
        CHECK(out.to_host() == expected);
    }
}
