// Planted bugs in the use of registers by warpgroup products: sums and left operands touched behind
// the last warpgroup_arrive, or while a product is under way, and sums that nobody wrote.

#include "kernels/simt/product_registers.h"

#include "tests/support/devices.h"
#include "tests/support/doctest.h"
#include "tests/support/emulated.h"
#include "tests/support/planted_bugs.h"
#include "tests/support/swizzled_box.h"

namespace on_simt {
namespace {

// A box of ones, twice.
__device__ bf16* operands() {
    bf16* left = memory();
    for (int i = int(threadIdx.x); i < 2 * kBox; i += kThreads) left[i] = bf16(1.0f);
    fence_async_proxy();
    __syncthreads();
    return left;
}
__device__ uint64_t right_of(const bf16* left) { return matrix_descriptor(left + kBox); }
__device__ uint64_t transposed(const bf16* left) { return matrix_descriptor(left, kBox * 2); }

template <int kFragments>
__device__ void show(float* out, const float (&sums)[kFragments][4]) {
    if (blockIdx.x == 0) out[threadIdx.x] = sums[1][2];
}

// Right: a fence before every product whose registers were touched, and none between those that
// follow each other.
__global__ void fenced(float* out) {
    const bf16* left = operands();
    float sums[8][4] = {}, others[8][4] = {};
    uint32_t fragments[4] = {};
    warpgroup_arrive();
    warpgroup_multiply(sums, matrix_descriptor(left), right_of(left), true);
    warpgroup_multiply(sums, matrix_descriptor(left + 16), right_of(left), true);
    warpgroup_commit();
    others[1][2] = float(threadIdx.x);
    fragments[0] = 0x3f803f80;  // ones in rows l / 4 and columns of 2
    warpgroup_arrive();
    warpgroup_multiply_transposed(others, fragments, transposed(left), true);
    warpgroup_commit();
    warpgroup_wait<0>(sums);
    fragments[0] = 0;
    sums[1][2] += 1.0f;
    warpgroup_arrive();
    warpgroup_multiply(sums, matrix_descriptor(left), right_of(left), true);
    warpgroup_commit();
    warpgroup_wait<0>(sums);
    others[1][2] += sums[1][2];
    show(out, others);
}

#if defined(FETTLE_CHECK)
__global__ void sums_written(float* out) {
    const bf16* left = operands();
    float sums[8][4] = {};
    warpgroup_arrive();
    sums[3][1] = 1.0f;  // BUG sums_written
    const uint64_t x = matrix_descriptor(left), y = right_of(left);
    warpgroup_multiply(sums, x, y, true);  // BUG product_of_written
    warpgroup_commit();
    warpgroup_wait<0>();
    show(out, sums);
}
__global__ void sums_read(float* out) {
    const bf16* left = operands();
    float sums[8][4] = {};
    warpgroup_arrive();
    if (threadIdx.x == 70 && blockIdx.x == 0) out[0] = sums[7][3];  // BUG sums_read
    const uint64_t x = matrix_descriptor(left), y = right_of(left);
    warpgroup_multiply(sums, x, y, true);  // BUG product_of_read
    warpgroup_commit();
    warpgroup_wait<0>();
}
// The fence is that of the product under way.
__global__ void second_sums_zeroed(float* out) {
    const bf16* left = operands();
    float first[8][4] = {}, second[8][4];
    const uint64_t x = matrix_descriptor(left), y = right_of(left);
    warpgroup_arrive();
    warpgroup_multiply(first, x, y, true);
    warpgroup_commit();
    for (auto& fragment : second)
        for (float& sum : fragment) sum = 0.0f;  // BUG second_sums_zeroed
    warpgroup_multiply(second, x, y, true);      // BUG product_of_second
    warpgroup_commit();
    warpgroup_wait<0>();
    show(out, second);
}
__global__ void left_written_late(float* out) {
    const bf16* left = operands();
    float sums[8][4] = {};
    uint32_t fragments[4] = {1, 2, 3, 4};
    warpgroup_arrive();
    if (threadIdx.x == 100) fragments[2] = 7;  // BUG left_written_late
    const uint64_t y = transposed(left);
    warpgroup_multiply_transposed(sums, fragments, y, true);  // BUG product_of_late
    warpgroup_commit();
    warpgroup_wait<0>();
    show(out, sums);
}
// Each step's probabilities in the registers of the step before.
__global__ void left_used_again(float* out) {
    const bf16* left = operands();
    float sums[8][4] = {};
    uint32_t fragments[4] = {};
    const uint64_t y = transposed(left);
    for (int step = 0; step < 2; ++step) {
        for (uint32_t& fragment : fragments) fragment = uint32_t(step);  // BUG left_used_again
        warpgroup_arrive();
        warpgroup_multiply_transposed(sums, fragments, y, true);  // BUG product_of_step
    }
    warpgroup_commit();
    warpgroup_wait<0>();
    show(out, sums);
}
__global__ void left_written_in_flight(float* out) {
    const bf16* left = operands();
    float sums[8][4] = {};
    uint32_t fragments[4] = {};
    const uint64_t y = transposed(left);
    warpgroup_arrive();
    warpgroup_multiply_transposed(sums, fragments, y, true);  // BUG product_of_left
    warpgroup_commit();
    if (threadIdx.x == 33) fragments[3] = 5;  // BUG left_written_in_flight
    warpgroup_wait<0>();
    show(out, sums);
}
__global__ void left_read_in_flight(float* out) {
    const bf16* left = operands();
    float sums[8][4] = {};
    uint32_t fragments[4] = {};
    const uint64_t y = transposed(left);
    warpgroup_arrive();
    warpgroup_multiply_transposed(sums, fragments, y, true);  // BUG product_of_left_read
    warpgroup_commit();
    if (blockIdx.x == 0) out[threadIdx.x] = float(fragments[1]);  // BUG left_read_in_flight
    warpgroup_wait<0>();
}
// The second group still has its operand.
__global__ void left_of_the_last_group(float* out) {
    const bf16* left = operands();
    float sums[8][4] = {};
    uint32_t first[4] = {}, second[4] = {};
    const uint64_t y = transposed(left);
    warpgroup_arrive();
    warpgroup_multiply_transposed(sums, first, y, true);
    warpgroup_commit();
    warpgroup_multiply_transposed(sums, second, y, true);  // BUG product_of_last_group
    warpgroup_commit();
    warpgroup_wait<1>();
    first[0] = 1;
    second[0] = 1;  // BUG left_of_the_last_group
    warpgroup_wait<0>();
    show(out, sums);
}
// `adds` was meant to be k > 0.
__global__ void never_written(float* out) {
    const bf16* left = operands();
    float sums[16][4];
    warpgroup_arrive();
    for (int k = 0; k < 64; k += 16) {
        const uint64_t x = matrix_descriptor(left + k);
        warpgroup_multiply(sums, x, x, true);  // BUG never_written
    }
    warpgroup_commit();
    warpgroup_wait<0>();
    show(out, sums);
}
// Right.
__global__ void first_does_not_add(float* out) {
    const bf16* left = operands();
    float sums[8][4];
    const uint64_t y = right_of(left);
    warpgroup_arrive();
    for (int k = 0; k < 64; k += 16)
        warpgroup_multiply(sums, matrix_descriptor(left + k), y, k > 0);
    warpgroup_commit();
    warpgroup_wait<0>();
    show(out, sums);
}
#endif

__global__ void never_fenced(float* out) {
    const bf16* left = operands();
    float sums[8][4] = {};
    const uint64_t x = matrix_descriptor(left), y = right_of(left);
    warpgroup_multiply(sums, x, y, true);  // BUG never_fenced
    warpgroup_commit();
    warpgroup_wait<0>();
    show(out, sums);
}
__global__ void not_fenced_again(float* out) {
    const bf16* left = operands();
    float sums[8][4] = {};
    const uint64_t x = matrix_descriptor(left), y = right_of(left);
    warpgroup_arrive();
    warpgroup_multiply(sums, x, y, true);
    warpgroup_commit();
    warpgroup_wait<0>();
    for (auto& fragment : sums) fragment[0] += 1.0f;
    warpgroup_multiply(sums, x, y, true);  // BUG not_fenced_again
    warpgroup_commit();
    warpgroup_wait<0>();
    show(out, sums);
}
// The halves of 128 columns, one of them by a narrow product.
__global__ void half_the_sums(float* out) {
    const bf16* left = operands();
    float sums[16][4] = {};
    auto& half = reinterpret_cast<float(&)[8][4]>(sums[8]);
    const uint64_t x = matrix_descriptor(left), y = matrix_descriptor(left);
    warpgroup_arrive();
    warpgroup_multiply(sums, x, y, true);
    warpgroup_multiply(half, x, y, true);  // BUG half_the_sums
    warpgroup_commit();
    warpgroup_wait<0>();
    show(out, sums);
}
__global__ void other_shape(float* out) {
    const bf16* left = operands();
    float sums[16][4] = {};
    auto& half = reinterpret_cast<float(&)[8][4]>(sums);
    const uint64_t x = matrix_descriptor(left), y = matrix_descriptor(left);
    warpgroup_arrive();
    warpgroup_multiply(half, x, y, true);
    warpgroup_multiply(sums, x, y, true);  // BUG other_shape
    warpgroup_commit();
    warpgroup_wait<0>();
    show(out, sums);
}

}  // namespace
}  // namespace on_simt

namespace {

using Kernel = void (*)(float*);

std::vector<float> run(Kernel kernel, uint32_t seed) {
    const Buffer<float> out(Device::simt, on_simt::kThreads);
    with_schedule(seed, [&] {
        on_simt::launch(kernel,
                        {.grid = 2,
                         .block = on_simt::kThreads,
                         .shared_bytes = 1024 + 2 * on_simt::kBox * sizeof(bf16)},
                        out.data());
    });
    return out.to_host();
}

std::string report_of(Kernel kernel, uint32_t seed) {
    try {
        run(kernel, seed);
    } catch (const Error& error) {
        return error.what();
    }
    return "";
}

void check_reported(const std::string& kind, const std::string& line, Kernel kernel,
                    const std::string& other_line = "") {
    for (const uint32_t seed : {0u, 1u, 2u, 3u, 77u}) {
        const std::string text = report_of(kernel, seed);
        CAPTURE(text);
        CAPTURE(line);
        CHECK(contains(text, kind));
        CHECK(contains(text, line_of(line, __FILE__)));
        if (!other_line.empty()) CHECK(contains(text, line_of(other_line, __FILE__)));
    }
}

}  // namespace

TEST_CASE(
    "simt warpgroup registers: with a fence behind each use, products may follow each other") {
    for (const uint32_t seed : {0u, 1u, 2u, 3u, 77u}) {
        const auto out = run(on_simt::fenced, seed);
        // Three products of 16 ones and 1, in all lanes; of the left operand in registers rows l / 4
        // only, and sums[1][2] is of row l / 4 + 8.
        for (int i = 0; i < on_simt::kThreads; ++i) CHECK(out[i] == float(i) + 49.0f);
    }
}

TEST_CASE("simt warpgroup registers: a product without a fence is reported") {
    check_reported("no arrive", "never_fenced", on_simt::never_fenced);
    check_reported("no arrive", "not_fenced_again", on_simt::not_fenced_again);
}

TEST_CASE("simt warpgroup registers: sums of another shape, or part of others, are reported") {
    check_reported("sums in flight", "half_the_sums", on_simt::half_the_sums);
    check_reported("sums in flight", "other_shape", on_simt::other_shape);
}

#if defined(FETTLE_CHECK)
TEST_CASE("simt warpgroup registers: what is touched behind the fence is reported") {
    check_reported("missing arrive", "sums_written", on_simt::sums_written, "product_of_written");
    check_reported("missing arrive", "sums_read", on_simt::sums_read, "product_of_read");
    check_reported("missing arrive", "second_sums_zeroed", on_simt::second_sums_zeroed,
                   "product_of_second");
    check_reported("missing arrive", "left_written_late", on_simt::left_written_late,
                   "product_of_late");
}

TEST_CASE("simt warpgroup registers: a left operand touched while its product is under way") {
    check_reported("operand in flight", "left_used_again", on_simt::left_used_again,
                   "product_of_step");
    check_reported("operand in flight", "left_written_in_flight", on_simt::left_written_in_flight,
                   "product_of_left");
    check_reported("operand in flight", "left_read_in_flight", on_simt::left_read_in_flight,
                   "product_of_left_read");
    check_reported("operand in flight", "left_of_the_last_group", on_simt::left_of_the_last_group,
                   "product_of_last_group");
}

TEST_CASE("simt warpgroup registers: sums that nobody wrote are reported where they are added to") {
    check_reported("uninitialised", "never_written", on_simt::never_written);
    for (const uint32_t seed : {0u, 1u, 2u, 3u, 77u}) {
        const auto out = run(on_simt::first_does_not_add, seed);
        for (const float sum : out) CHECK(sum == 64.0f);
    }
}
#endif
