// What an address is, as reports of the check build say it.
#if defined(FETTLE_CHECK)
#include "kernels/simt/shadow.h"

#include <vector>

#include "tests/support/devices.h"
#include "tests/support/doctest.h"
#include "tests/support/emulated.h"

namespace on_simt {
namespace {

// error_in_order gives a block 256 bytes of dynamic shared memory.
__global__ void read_global(const char* from, int* out) { *out = *from; }
__global__ void read_dynamic(int at, int* out) {
    FETTLE_DYNAMIC_SHARED(char, bytes);
    if (threadIdx.x == 0) bytes[0] = 1;
    __syncthreads();
    *out = bytes[at];
}
__global__ void read_static(int* out) {
    __shared__ int values[64];
    if (threadIdx.x > 0) values[threadIdx.x] = 1;
    __syncthreads();
    *out = values[0];
}

}  // namespace
}  // namespace on_simt

using namespace on_simt;

TEST_CASE("simt shadow: an address of device memory has a buffer's name") {
    const Buffer<char> first(Device::simt, 10, "first"), second(Device::simt, 5000, "second");
    const Buffer<int> out(Device::simt, 1, "out");
    const auto text = [&](const char* at) {
        return error_in_order(0, read_global, at, out.data());
    };
    CHECK(contains(text(first.data() + 10), "0 bytes behind the end of first (10 bytes)"));
    CHECK(contains(text(first.data() + 15), "5 bytes behind the end of first (10 bytes)"));
    CHECK(contains(text(second.data() + 5006), "6 bytes behind the end of second (5000 bytes)"));
    const std::string race = text(second.data() + 7);  // all blocks write out[0]
    CHECK(contains(race, "byte 0 of out (4 bytes)"));
}

TEST_CASE("simt shadow: a use of a freed buffer is not within one") {
    const Buffer<int> out(Device::simt, 1, "out");
    auto freed = std::make_unique<Buffer<char>>(Device::simt, 10, "freed");
    const char* const at = freed->data();
    freed.reset();
    CHECK(!error_in_order(0, read_global, at, out.data()).empty());
}

TEST_CASE("simt shadow: an address of shared memory has its byte, or is static") {
    const Buffer<int> out(Device::simt, 1, "out");
    const auto text = [&](int at) { return error_in_order(0, read_dynamic, at, out.data()); };
    CHECK(contains(text(100), "uninitialised"));
    CHECK(contains(text(100), "byte 100 of dynamic shared memory (256 bytes)"));
    CHECK(contains(text(256), "out of bounds"));
    CHECK(contains(text(256), "byte 256 of dynamic shared memory (256 bytes)"));
    CHECK(contains(text(-3), "byte -3 of dynamic shared memory (256 bytes)"));
    CHECK(contains(error_in_order(0, read_static, out.data()), "static shared memory"));
}
#endif
