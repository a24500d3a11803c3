// Kernels with planted bugs: each must end in an Error that says which thread did what and where,
// and leave the device fit for the next launch.

#include "tests/support/devices.h"
#include "tests/support/doctest.h"
#include "tests/support/emulated.h"

namespace on_simt {
namespace {

constexpr uint32_t kAll = 0xffffffffu;

__global__ void write_at(float* out, int64_t offset) {
    if (blockIdx.x == 1 && threadIdx.x == 40) out[offset] = 1.0f;
}
__global__ void write_shared_at(int64_t offset, float* out) {
    FETTLE_DYNAMIC_SHARED(float, values);
    values[offset] = 1.0f;
    out[threadIdx.x] = values[offset];
}
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
    if (threadIdx.x < 16) out[threadIdx.x] = __shfl_xor_sync(kAll, 1, 1);
}
__global__ void shuffle_outside_its_mask(int* out) {
    out[threadIdx.x] = __shfl_sync(0x0000ffffu, 1, 0);
}
__global__ void shuffle_from_outside_the_mask(int* out) {
    if (threadIdx.x < 16) out[threadIdx.x] = __shfl_sync(0x0000ffffu, 1, 20);
}
__global__ void shuffle_meets_vote(int* out) {
    if (threadIdx.x % 2 == 0) {
        out[threadIdx.x] = __shfl_sync(kAll, 1, 0);
    } else {
        out[threadIdx.x] = __any_sync(kAll, 1);
    }
}
__global__ void overlapping_masks(int* out) {
    const uint32_t mask = threadIdx.x < 16 ? 0x0000ffffu : 0xffff8000u;
    out[threadIdx.x] = __shfl_sync(mask, 1, 15);
}
__global__ void warp_waits_for_barrier(int* out) {
    if (threadIdx.x % 32 < 16) {
        __syncthreads();
    } else {
        __syncwarp();
    }
    out[threadIdx.x] = 1;
}
__device__ int descend(int depth) {
    volatile int frame[128];
    frame[0] = depth;
    if (depth > 0) frame[depth % 128] = descend(depth - 1);  // not a tail call: volatile
    return frame[0];
}
__global__ void overflow_stack(int* out) { out[threadIdx.x] = descend(1000); }
__global__ void fine(int* out) {
    __syncthreads();
    out[threadIdx.x] = __shfl_xor_sync(kAll, 7, 1);
}

void check_fine() {
    const Buffer<int> out(Device::simt, 64);
    launch(fine, {.grid = 1, .block = 64}, out.data());
    CHECK(out.to_host() == std::vector<int>(64, 7));
}

template <typename... Arguments>
std::string error_in_order(uint32_t seed, void (*kernel)(Arguments...), Arguments... arguments) {
    std::string text;
    with_schedule(seed, [&] {
        try {
            launch(kernel, {.grid = 3, .block = 64, .shared_bytes = 256}, arguments...);
        } catch (const Error& error) {
            text = error.what();
        }
    });
    check_fine();
    return text;
}

// The Error's text with threads in order; empty if the launch went well. Other orders may say it in
// other words, but must say it too.
template <typename... Arguments>
std::string error_of(void (*kernel)(Arguments...), Arguments... arguments) {
    const std::string text = error_in_order(0, kernel, arguments...);
    for (const uint32_t seed : {1u, 2u, 3u})
        CHECK(error_in_order(seed, kernel, arguments...).empty() == text.empty());
    return text;
}

bool contains(const std::string& text, const std::string& part) {
    return text.find(part) != std::string::npos;
}

}  // namespace
}  // namespace on_simt

using on_simt::contains;
using on_simt::error_of;

TEST_CASE("simt: an access past either end of a buffer names the thread") {
    const Buffer<float> out(Device::simt, 1024);
    for (const int64_t offset : {int64_t{1024}, int64_t{1024 + 1000}, int64_t{-1 - 1024}}) {
        CAPTURE(offset);
        const auto text = error_of(on_simt::write_at, out.data(), offset);
        CHECK(contains(text, "block (1,0,0) thread (40,0,0) accesses 0x"));
    }
    CHECK(error_of(on_simt::write_at, out.data(), int64_t{1023}).empty());
}

TEST_CASE("simt: an access to a freed buffer is an error") {
    float* freed = Buffer<float>(Device::simt, 1024).data();
    CHECK(contains(error_of(on_simt::write_at, freed, int64_t{0}), "accesses 0x"));
}

TEST_CASE("simt: an access past the end of dynamic shared memory is an error") {
    const Buffer<float> out(Device::simt, 64);
    CHECK(contains(error_of(on_simt::write_shared_at, int64_t{64}, out.data()), "accesses 0x"));
    CHECK(error_of(on_simt::write_shared_at, int64_t{63}, out.data()).empty());
}

TEST_CASE("simt: divergent barriers are errors that name the line") {
    const Buffer<int> out(Device::simt, 64);
    const auto branch = error_of(on_simt::barrier_in_a_branch, out.data());
    CHECK(contains(branch, "__syncthreads at "));
    CHECK(contains(branch, "misuse_test.cpp:"));
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

TEST_CASE("simt: a block that cannot go on says who waits for what") {
    const Buffer<int> out(Device::simt, 64);
    const auto text = error_of(on_simt::warp_waits_for_barrier, out.data());
    CHECK(contains(text, "cannot go on"));
    CHECK(contains(text, "thread(s) wait for its warp at "));
    CHECK(contains(text, "thread(s) wait for __syncthreads at "));
}

TEST_CASE("simt: a stack that overflows is an error") {
    const Buffer<int> out(Device::simt, 64);
    CHECK(contains(error_of(on_simt::overflow_stack, out.data()), "bytes of stack"));
}
