// Planted bugs: a check build (make CONFIG=check) reports each with its kind and line, whatever the
// order of threads, and says nothing of the right kernels beside them.

#include "kernels/simt/check.h"

#include "tests/support/devices.h"
#include "tests/support/doctest.h"
#include "tests/support/planted_bugs.h"

#if defined(FETTLE_CHECK)

namespace on_simt {
namespace {

constexpr int kThreads = 64;

// ---- right ----
__global__ void reverse(float* out, const float* in) {
    __shared__ float values[kThreads];
    values[threadIdx.x] = in[threadIdx.x];
    __syncthreads();
    if (blockIdx.x == 0) out[threadIdx.x] = values[kThreads - 1 - threadIdx.x];
}
__global__ void exchange_in_warp(float* out) {
    __shared__ float values[kThreads];
    values[threadIdx.x] = 1.0f;
    __syncwarp();
    if (blockIdx.x == 0) out[threadIdx.x] = values[threadIdx.x ^ 1];
}
__global__ void add_atomically(float* sum) { atomicAdd(sum, 1.0f); }

// ---- wrong ----
__global__ void no_barrier(float* out) {
    __shared__ float values[kThreads];
    values[threadIdx.x] = 0.0f;
    __syncthreads();
    values[threadIdx.x] = 1.0f;
    if (blockIdx.x == 0) out[threadIdx.x] = values[kThreads - 1 - threadIdx.x];  // BUG no_barrier
}
__global__ void second_barrier_missing(float* out) {
    __shared__ float values[kThreads];
    for (int round = 0; round < 2; ++round) {
        values[threadIdx.x] = float(round);  // BUG second_barrier_missing
        __syncthreads();
        if (blockIdx.x == 0) out[threadIdx.x] += values[kThreads - 1 - threadIdx.x];
    }
}
__global__ void shuffle_as_fence(float* out) {
    __shared__ float values[kThreads];
    values[threadIdx.x] = 0.0f;
    __syncthreads();
    values[threadIdx.x] = 1.0f;
    const float other = __shfl_xor_sync(0xffffffffu, 1.0f, 1);
    if (blockIdx.x == 0)
        out[threadIdx.x] = values[threadIdx.x ^ 1] + other;  // BUG shuffle_as_fence
}
__global__ void warp_barrier_for_block(float* out) {
    __shared__ float values[kThreads];
    values[threadIdx.x] = 0.0f;
    __syncthreads();
    values[threadIdx.x] = 1.0f;
    __syncwarp();
    if (blockIdx.x == 0) out[threadIdx.x] = values[threadIdx.x ^ 32];  // BUG warp_barrier_for_block
}
__global__ void uninitialised(float* out) {
    __shared__ float values[kThreads];
    if (threadIdx.x > 0) values[threadIdx.x] = 1.0f;
    __syncthreads();
    if (blockIdx.x == 0) out[threadIdx.x] = values[threadIdx.x];  // BUG uninitialised
}
__global__ void behind_buffer(float* out) {
    if (blockIdx.x == 0) out[threadIdx.x + 1] = 1.0f;  // BUG behind_buffer
}
__global__ void behind_shared(float* out) {
    FETTLE_DYNAMIC_SHARED(float, values);
    values[threadIdx.x + 1] = 1.0f;  // BUG behind_shared
    if (blockIdx.x == 0) out[threadIdx.x] = 1.0f;
}
__global__ void behind_array(float* out, int shift) {
    __shared__ float values[kThreads], others[kThreads];
    values[threadIdx.x] = others[threadIdx.x] = 1.0f;
    __syncthreads();
    const float value = values[threadIdx.x + shift];  // BUG behind_array
    if (blockIdx.x == 0) out[threadIdx.x] = value + others[0];
}
__global__ void misaligned(float* out) {
    const auto* wide = reinterpret_cast<const double*>(out + 1);
    if (blockIdx.x == 0 && threadIdx.x == 0) out[0] = float(*wide);  // BUG misaligned
}
__global__ void blocks_write_one(float* out) {
    if (threadIdx.x == 0) *out = float(blockIdx.x);  // BUG blocks_write_one
}
__global__ void block_reads_another(float* out) {
    if (blockIdx.x == 0) out[threadIdx.x] = 1.0f;
    if (blockIdx.x == 1 && out[threadIdx.x] > 2.0f) out[threadIdx.x + 64] = 1.0f;
}
__global__ void in_place_without_barrier(float* out) {
    if (blockIdx.x != 0) return;
    const float next = out[(threadIdx.x + 1) % kThreads];
    out[threadIdx.x] = next;  // BUG in_place_without_barrier
}
__global__ void atomic_beside_plain(float* sum) {
    if (threadIdx.x == 0 && blockIdx.x == 0) *sum = 0.0f;
    atomicAdd(sum, 1.0f);
}
__global__ void host_pointer(float* out, const float* in) {
    if (blockIdx.x == 0) out[threadIdx.x] = in[threadIdx.x];  // BUG host_pointer
}

}  // namespace
}  // namespace on_simt

using namespace on_simt;

TEST_CASE("simt check: planted bugs are reported with kind and line in every order") {
    const Buffer<float> buffer(Device::simt, kThreads, "the buffer");
    float* out = buffer.data();
    check_reported({"shared race", "no_barrier"}, no_barrier, out);
    check_reported({"shared race", ""}, second_barrier_missing, out);
    check_reported({"shared race", "shuffle_as_fence"}, shuffle_as_fence, out);
    check_reported({"shared race", "warp_barrier_for_block"}, warp_barrier_for_block, out);
    check_reported({"uninitialised", "uninitialised"}, on_simt::uninitialised, out);
    check_reported({"out of bounds", "behind_buffer"}, behind_buffer, out);
    check_reported({"out of bounds", "behind_shared"}, behind_shared, out);
    check_reported({"out of bounds", "behind_array"}, behind_array, out, 1);
    check_reported({"misaligned", "misaligned"}, misaligned, out);
    check_reported({"race between blocks", "blocks_write_one"}, blocks_write_one, out);
    check_reported({"race between blocks", ""}, block_reads_another, out);
    check_reported({"global race", ""}, in_place_without_barrier, out);
    check_reported({"race", ""}, atomic_beside_plain, out);
    std::vector<float> host(kThreads);
    check_reported({"host memory", "host_pointer"}, host_pointer, out, host.data());
}

TEST_CASE("simt check: a report names the buffer, both threads and both lines") {
    const Buffer<float> buffer(Device::simt, kThreads, "the buffer");
    const std::string text = error_in_order(0, behind_buffer, buffer.data());
    CAPTURE(text);
    CHECK(contains(text, "block (0,0,0) thread (63,0,0)"));
    CHECK(contains(text, "0 bytes behind the end of the buffer (256 bytes)"));
}

TEST_CASE("simt check: nothing is said of right kernels") {
    const Buffer<float> out(Device::simt, kThreads), in(Device::simt, kThreads);
    check_silent(reverse, out.data(), in.data());
    check_silent(exchange_in_warp, out.data());
    check_silent(add_atomically, out.data());
}

#endif
