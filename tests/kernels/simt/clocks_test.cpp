// Who knows of a copy's end: those who waited for it, and those whom they tell.

#include "kernels/simt/clocks.h"

#include "tests/support/devices.h"
#include "tests/support/doctest.h"
#include "tests/support/emulated.h"
#include "tests/support/planted_bugs.h"

namespace on_simt {
namespace {

constexpr int kMbarriers = 40, kValues = 16;  // more mbarriers than there is room for at first

struct Copies {
    uint64_t mbarriers[kMbarriers];
    float values[kMbarriers][kValues];
};

// Thread 0 loads each run of values at an mbarrier of its own.
__device__ void load(Copies& copies, const float* in) {
    constexpr uint32_t kBytes = kValues * sizeof(float);
    if (threadIdx.x == 0) {
        for (uint64_t& mbarrier : copies.mbarriers) mbarrier_init(&mbarrier, 1);
        fence_mbarrier_init();
        for (int i = 0; i < kMbarriers; ++i) {
            mbarrier_arrive_expect_bytes(&copies.mbarriers[i], kBytes);
            load_bytes(copies.values[i], in + kValues * i, kBytes,  //
                       &copies.mbarriers[i]);
        }
    }
    __syncthreads();
}

// One thread waits for each copy, and tells its warp, which tells the block.
__global__ void tell(float* out, const float* in) {
    alignas(16) __shared__ Copies copies;
    load(copies, in);
    if (threadIdx.x < kMbarriers) mbarrier_wait(&copies.mbarriers[threadIdx.x], 0);
    __syncwarp();
    if (threadIdx.x == 32) copies.values[39][0] += copies.values[32][0];
    __syncthreads();
    for (int i = int(threadIdx.x); i < kMbarriers * kValues; i += int(blockDim.x))
        if (blockIdx.x == 0) out[i] = copies.values[i / kValues][i % kValues];
}

#if defined(FETTLE_CHECK)
// The other warp does not know of what this one waited for.
__global__ void keep(float* out, const float* in) {
    alignas(16) __shared__ Copies copies;
    load(copies, in);
    if (threadIdx.x < 32) mbarrier_wait(&copies.mbarriers[0], 0);
    for (int i = 1; i < kMbarriers; ++i) mbarrier_wait(&copies.mbarriers[i], 0);
    __syncwarp();
    if (threadIdx.x == 40) out[blockIdx.x] = copies.values[0][3];  // BUG keep
}
#endif

}  // namespace
}  // namespace on_simt

TEST_CASE("simt clocks: what one thread waited for is known to all whom it meets") {
    std::vector<float> values;
    for (int i = 0; i < on_simt::kMbarriers * on_simt::kValues; ++i) values.push_back(float(i));
    const Buffer<float> in(Device::simt, values);
    const Buffer<float> out(Device::simt, values.size());
    values[39 * on_simt::kValues] += float(32 * on_simt::kValues);
    for (const uint32_t seed : {0u, 1u, 2u, 3u}) {
        CHECK(error_in_order(seed, on_simt::tell, out.data(),
                             static_cast<const float*>(in.data())) == "");
        CHECK(out.to_host() == values);
    }
}

#if defined(FETTLE_CHECK)
TEST_CASE("simt clocks: those who met nobody do not know of a copy's end") {
    const Buffer<float> in(Device::simt,
                           std::vector<float>(on_simt::kMbarriers * on_simt::kValues));
    const Buffer<float> out(Device::simt, 3);
    check_reported({.kind = "shared race", .line = "keep"}, on_simt::keep, out.data(),
                   static_cast<const float*>(in.data()));
}
#endif
