// The last block of a grid, locks, and bytes: right kernels that a check build says nothing of, and
// the same with a planted bug.

#include "kernels/simt/grid_order.h"

#include "tests/support/devices.h"
#include "tests/support/doctest.h"
#include "tests/support/planted_bugs.h"

#if defined(FETTLE_CHECK)

namespace on_simt {
namespace {

constexpr int kThreads = 64, kBlocks = 3;

enum class Fence { none, before_barrier, by_counter, after_count };

// Each thread leaves a number; the block that counts last adds them up.
template <Fence kFence>
__global__ void last_block(float* out, float* parts, unsigned* count) {
    __shared__ bool is_last;
    parts[blockIdx.x * kThreads + threadIdx.x] = float(threadIdx.x);
    if (kFence == Fence::before_barrier) __threadfence();
    __syncthreads();
    if (threadIdx.x == 0) {
        if (kFence == Fence::by_counter) __threadfence();
        is_last = atomicAdd(count, 1) == gridDim.x - 1;
        if (kFence == Fence::after_count) __threadfence();
    }
    __syncthreads();
    if (!is_last) return;
    float sum = 0.0f;
    for (unsigned b = 0; b < gridDim.x; ++b) sum += parts[b * kThreads + threadIdx.x];
    out[threadIdx.x] = sum;
    if (threadIdx.x == 0) *count = 0;
}
// The counting thread fences, but knows only what its own warp left.
__global__ void counted_before_barrier(float* out, float* parts, unsigned* count) {
    __shared__ bool is_last;
    parts[blockIdx.x * kThreads + threadIdx.x] = float(threadIdx.x);
    __threadfence();
    if (threadIdx.x == 0) is_last = atomicAdd(count, 1) == gridDim.x - 1;
    __syncthreads();
    if (is_last) out[threadIdx.x] = parts[(blockIdx.x + 1) % kBlocks * kThreads + threadIdx.x];
}
__global__ void under_lock(int* value, int* lock, bool fences) {
    if (threadIdx.x % 32 != 0) return;
    while (atomicCAS(lock, 0, 1) != 0) {
    }
    *value += 1;
    if (fences) __threadfence();
    atomicExch(lock, 0);
}
__global__ void neighbouring_bytes(unsigned char* out) {
    __shared__ unsigned char bytes[kThreads];
    bytes[threadIdx.x] = static_cast<unsigned char>(threadIdx.x);
    bytes[threadIdx.x] = static_cast<unsigned char>(bytes[threadIdx.x] + 1);
    __syncthreads();
    if (threadIdx.x < 33) out[blockIdx.x * 33 + threadIdx.x] = bytes[kThreads - 1 - threadIdx.x];
}
__global__ void one_byte(unsigned char* out) {
    if (blockIdx.x == 0) out[threadIdx.x / 2] = 1;  // BUG one_byte
}
__global__ void byte_and_neighbour(unsigned char* out) {
    __shared__ unsigned char bytes[kThreads];
    bytes[threadIdx.x] = 0;
    __syncthreads();
    bytes[threadIdx.x] = 1;
    __syncwarp();
    if (blockIdx.x == 0) out[threadIdx.x] = bytes[threadIdx.x ^ 32];  // BUG byte_and_neighbour
}
__global__ void odd_vector(float* out, const float* in, int shift) {
    const float4 four = *reinterpret_cast<const float4*>(in + shift);  // BUG odd_vector
    if (blockIdx.x == 0) out[threadIdx.x] = four.x + four.w;
}

}  // namespace
}  // namespace on_simt

using namespace on_simt;

TEST_CASE("simt grid order: the last block knows what fenced blocks left") {
    const Buffer<float> out(Device::simt, kThreads), parts(Device::simt, kThreads * kBlocks);
    const Buffer<unsigned> count(Device::simt, 1);
    check_silent(last_block<Fence::before_barrier>, out.data(), parts.data(), count.data());
    CHECK(out.to_host()[5] == 15.0f);
    check_silent(last_block<Fence::by_counter>, out.data(), parts.data(), count.data());
}

TEST_CASE("simt grid order: no fence, a late one, or one that knows too little is a race") {
    const Buffer<float> out(Device::simt, kThreads), parts(Device::simt, kThreads * kBlocks);
    const auto check_race = [&](auto kernel) {
        for (const uint32_t seed : {0u, 1u, 2u, 3u, 77u}) {
            const Buffer<unsigned> count(Device::simt, 1);
            const std::string text =
                error_in_order(seed, kernel, out.data(), parts.data(), count.data());
            CAPTURE(text);
            CHECK(contains(text, "race between blocks"));
        }
    };
    check_race(last_block<Fence::none>);
    check_race(last_block<Fence::after_count>);
    check_race(counted_before_barrier);
}

TEST_CASE("simt grid order: a lock hands on what was done under it, if a fence precedes its end") {
    const Buffer<int> value(Device::simt, 1), lock(Device::simt, 1);
    check_silent(under_lock, value.data(), lock.data(), true);
    CHECK(value.to_host()[0] == 5 * 2 * kBlocks);
    for (const uint32_t seed : {0u, 1u, 2u, 3u, 77u}) {
        const Buffer<int> left_locked(Device::simt, 1);
        const std::string text =
            error_in_order(seed, under_lock, value.data(), left_locked.data(), false);
        CAPTURE(text);
        CHECK(contains(text, "race"));
    }
}

TEST_CASE("simt check: neighbouring bytes are different bytes") {
    const Buffer<unsigned char> out(Device::simt, 33 * kBlocks);
    check_silent(neighbouring_bytes, out.data());
    check_reported({"global race", "one_byte"}, one_byte, out.data());
    check_reported({"shared race", "byte_and_neighbour"}, byte_and_neighbour, out.data());
}

TEST_CASE("simt check: a vector is misaligned even where the compiler loads its parts") {
    const Buffer<float> out(Device::simt, kThreads), in(Device::simt, 8);
    check_silent(odd_vector, out.data(), in.data(), 4);
    check_reported({"misaligned", "odd_vector"}, odd_vector, out.data(), in.data(), 1);
}

#endif
