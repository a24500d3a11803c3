// Stray accesses: each is an Error that names the thread, and leaves the device fit for more.

#include "tests/support/devices.h"
#include "tests/support/doctest.h"
#include "tests/support/emulated.h"

namespace on_simt {
namespace {

__global__ void write_at(float* out, int64_t offset) {
    if (blockIdx.x == 1 && threadIdx.x == 40) out[offset] = 1.0f;
}
__global__ void write_shared_at(int64_t offset, float* out) {
    FETTLE_DYNAMIC_SHARED(float, values);
    values[offset] = 1.0f;
    out[threadIdx.x] = values[offset];
}
__device__ int descend(int depth) {
    volatile int frame[128];
    frame[0] = depth;
    if (depth > 0) frame[depth % 128] = descend(depth - 1);  // not a tail call: volatile
    return frame[0];
}
__global__ void overflow_stack(int* out) { out[threadIdx.x] = descend(1000); }

}  // namespace
}  // namespace on_simt

TEST_CASE("simt: an access past either end of a buffer names the thread") {
    const Buffer<float> out(Device::simt, 1024);
    for (const int64_t offset : {int64_t{1024}, int64_t{1024 + 1000}, int64_t{-1}}) {
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

TEST_CASE("simt: a stack that overflows is an error") {
    const Buffer<int> out(Device::simt, 64);
    CHECK(contains(error_of(on_simt::overflow_stack, out.data()), "bytes of stack"));
}
