// Sectors and wavefronts of requests whose cost is known from the CUDA C++ Programming Guide.

#include "kernels/simt/profile.h"

#include "tests/support/devices.h"
#include "tests/support/doctest.h"
#include "tests/support/emulated.h"

#if defined(FETTLE_CHECK)

namespace on_simt {
namespace {

struct alignas(16) Four {
    float values[4];
};

// A warp reads `in` at lane * stride.
__global__ void read_global(const float* in, int stride, float* out) {
    const float value = in[threadIdx.x * stride];
    if (value == 7.0f) *out = value;
}
__global__ void copy_fours(const Four* in, Four* out) { out[threadIdx.x] = in[threadIdx.x]; }
__global__ void read_by_half(const float* in, float* out) {
    if (threadIdx.x < 16 && in[threadIdx.x] == 7.0f) *out = 1.0f;
}
// A warp reads what it wrote to shared memory at lane * stride, modulo 1,024.
__global__ void read_shared(int stride, float* out) {
    FETTLE_DYNAMIC_SHARED(float, values);
    for (int i = 0; i < 32; ++i) values[threadIdx.x + 32 * i] = 1.0f;
    __syncthreads();
    const float value = values[threadIdx.x * stride % 1024];
    if (value == 7.0f) *out = value;
}
__global__ void read_shared_fours(Four* out) {
    FETTLE_DYNAMIC_SHARED(float, values);
    for (int i = 0; i < 32; ++i) values[threadIdx.x + 32 * i] = 1.0f;
    __syncthreads();
    out[threadIdx.x] = reinterpret_cast<const Four*>(values)[threadIdx.x];
}
__global__ void read_matrix(int row_bytes, float* out) {
    FETTLE_DYNAMIC_SHARED(float, values);
    for (int i = 0; i < 64; ++i) values[threadIdx.x + 32 * i] = 1.0f;
    __syncthreads();
    uint32_t registers[1];
    load_matrix(registers, reinterpret_cast<char*>(values) + threadIdx.x % 8 * row_bytes);
    if (registers[0] == 7) *out = 1.0f;
}

}  // namespace
}  // namespace on_simt

namespace {

// The lines of `what` that one warp of `kernel` makes, the costliest first.
template <typename... Arguments>
simt::profile::Line costliest(const std::string& what, void (*kernel)(Arguments...),
                              std::type_identity_t<Arguments>... arguments) {
    simt::profile::start();
    on_simt::launch(kernel, {.grid = 1, .block = 32, .shared_bytes = 8192}, arguments...);
    for (const simt::profile::Line& line : simt::profile::stop())
        if (line.what == what) return line;
    FAIL("no " << what);
    return {};
}

}  // namespace

TEST_CASE("simt profile: 32 neighbours are 4 sectors, every other float 8, far apart 32") {
    const Buffer<float> floats(Device::simt, 4096);
    float* const data = floats.data();
    for (const auto& [stride, sectors] : {std::pair(1, 4), {2, 8}, {8, 32}, {64, 32}, {0, 1}}) {
        CAPTURE(stride);
        const auto line = costliest("global load", on_simt::read_global, data, stride, data + 4000);
        CHECK(line.requests == 1);
        CHECK(line.lanes == 32);
        CHECK(line.bytes == 4);
        CHECK(line.cost == sectors);
        CHECK(line.least == (stride == 0 ? 1 : 4));
        CHECK(contains(line.place, "profile_test.cpp:"));
    }
}

TEST_CASE("simt profile: 16 bytes a lane are 16 sectors; lanes that are elsewhere do not count") {
    const Buffer<float> floats(Device::simt, 4096);
    float* const data = floats.data();
    auto* const fours = reinterpret_cast<on_simt::Four*>(data);
    const auto wide = costliest("global load", on_simt::copy_fours, fours, fours + 500);
    CHECK(wide.bytes == 16);
    CHECK(wide.cost == 16);
    CHECK(wide.least == 16);
    const auto half = costliest("global load", on_simt::read_by_half, data, data + 4000);
    CHECK(half.lanes == 16);
    CHECK(half.cost == 2);
}

TEST_CASE("simt profile: lanes that read different words of a bank take turns") {
    const Buffer<float> floats(Device::simt, 4096);
    float* const data = floats.data();
    for (const auto& [stride, turns] :
         {std::pair(0, 1), {1, 1}, {2, 2}, {3, 1}, {4, 4}, {32, 32}, {33, 1}}) {
        CAPTURE(stride);
        const auto line = costliest("shared load", on_simt::read_shared, stride, data);
        CHECK(line.cost == turns);
        CHECK(line.least == 1);
    }
}

TEST_CASE("simt profile: 16 bytes a lane take four turns, and no more if neighbours") {
    const Buffer<float> floats(Device::simt, 4096);
    const auto line = costliest("shared load", on_simt::read_shared_fours,
                                reinterpret_cast<on_simt::Four*>(floats.data()));
    CHECK(line.bytes == 16);
    CHECK(line.cost == 4);
    CHECK(line.least == 4);
}

TEST_CASE("simt profile: rows of a matrix 128 bytes apart share their banks; 16 more do not") {
    const Buffer<float> floats(Device::simt, 4096);
    float* const data = floats.data();
    for (const auto& [row_bytes, turns] : {std::pair(128, 8), {64, 4}, {144, 1}, {16, 1}}) {
        CAPTURE(row_bytes);
        const auto line = costliest("matrix load", on_simt::read_matrix, row_bytes, data);
        CHECK(line.cost == turns * (line.requests == 1 ? 1 : 0));
        CHECK(line.least == 1);
    }
}

#else

TEST_CASE("simt profile: counts are of check builds only") { CHECK(!simt::check::kOn); }

#endif
