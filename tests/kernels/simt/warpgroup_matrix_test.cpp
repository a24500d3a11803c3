// Warpgroup products against a plain double loop over tables written out from the PTX ISA, and their
// planted bugs.

#include "kernels/simt/warpgroup_matrix.h"

#include <cmath>

#include "tests/support/devices.h"
#include "tests/support/doctest.h"
#include "tests/support/emulated.h"
#include "tests/support/planted_bugs.h"
#include "tests/support/swizzled_box.h"

namespace on_simt {
namespace {

// PTX ISA, "wgmma.mma_async.m64nNk16: accumulator fragment D": element i of thread t.
template <int kFragments>
__device__ void show(float* out, const float (&sums)[kFragments][4]) {
    const int t = int(threadIdx.x);
    for (int n = 0; n < kFragments; ++n)
        for (int e = 0; e < 4; ++e) {
            const int row = 16 * (t / 32) + (t % 32) / 4 + (e < 2 ? 0 : 8);
            const int column = 8 * n + (t % 4) * 2 + e % 2;
            if (blockIdx.x == 0) out[row * 8 * kFragments + column] = sums[n][e];
        }
}

// out[64, N] = start + a[64, 64] b[N, 64]^T, both K-major.
template <int kFragments>
__global__ void multiply(float* out, const bf16* a, const bf16* b, bool adds) {
    bf16 *left = memory(), *right = left + kBox;
    fill(left, a, 64);
    fill(right, b, 8 * kFragments);
    fence_async_proxy();
    __syncthreads();
    float sums[kFragments][4];
    for (auto& fragment : sums)
        for (float& sum : fragment) sum = 1.0f;
    warpgroup_arrive();
    for (int k = 0; k < 64; k += 16)
        warpgroup_multiply(sums, matrix_descriptor(left + k), matrix_descriptor(right + k),
                           adds || k > 0);
    warpgroup_commit();
    warpgroup_wait<0>();
    show(out, sums);
}

// out[64, N] = 1 + a[64, 32] b[32, N], a in registers, b's rows k, in boxes of 64 columns.
template <int kFragments>
__global__ void multiply_transposed(float* out, const bf16* a, const bf16* b, bool) {
    constexpr int kColumns = 8 * kFragments, kDepth = 32;
    bf16* right = memory();
    for (int box = 0; box < kColumns / 64; ++box)
        for (int i = int(threadIdx.x); i < kDepth * 64; i += kThreads) {
            const int row = i / 64, column = i % 64;
            right[box * kBox + row * 64 + kSwizzle[row % 8][column / 8] * 8 + column % 8] =
                b[row * kColumns + box * 64 + column];
        }
    fence_async_proxy();
    __syncthreads();
    float sums[kFragments][4];
    for (auto& fragment : sums)
        for (float& sum : fragment) sum = 1.0f;
    // PTX ISA, "wgmma.mma_async.m64nNk16: register fragment A": a0 a1 | a2 a3 | a4 a5 | a6 a7.
    const int t = int(threadIdx.x), group = 16 * (t / 32) + (t % 32) / 4, pair = t % 4 * 2;
    uint32_t fragments[2][4];
    for (int step = 0; step < 2; ++step) {
        const auto at = [&](int row, int k) {
            const bf16* element = a + row * kDepth + 16 * step + k;
            return uint32_t{element[0].bits} | uint32_t{element[1].bits} << 16;
        };
        fragments[step][0] = at(group, pair);
        fragments[step][1] = at(group + 8, pair);
        fragments[step][2] = at(group, pair + 8);
        fragments[step][3] = at(group + 8, pair + 8);
    }
    warpgroup_arrive();
    for (int step = 0; step < 2; ++step)
        warpgroup_multiply_transposed(sums, fragments[step],
                                      matrix_descriptor(right + 16 * 64 * step, kBox * 2), true);
    warpgroup_commit();
    warpgroup_wait<0>();
    show(out, sums);
}

// Two groups: the first may be used while the second is under way.
__global__ void two_groups(float* out, const bf16* a, const bf16* b, bool) {
    bf16 *left = memory(), *right = left + kBox;
    fill(left, a, 64);
    fill(right, b, 64);
    fence_async_proxy();
    __syncthreads();
    float first[8][4] = {}, second[8][4] = {};
    warpgroup_arrive();
    warpgroup_multiply(first, matrix_descriptor(left), matrix_descriptor(right), false);
    warpgroup_commit();
    warpgroup_multiply(second, matrix_descriptor(left), matrix_descriptor(right), false);
    warpgroup_commit();
    warpgroup_wait<1>();
    for (auto& fragment : first)
        for (float& sum : fragment) sum = -sum;
    warpgroup_wait<0>();
    for (int n = 0; n < 8; ++n)
        for (int e = 0; e < 4; ++e) first[n][e] += 2.0f * second[n][e];
    show(out, first);
}

// ---- wrong ----

__device__ void product(float (&sums)[8][4], const bf16* left) {
    warpgroup_multiply(sums, matrix_descriptor(left), matrix_descriptor(left + kBox), false);
}
__device__ bf16* filled(const bf16* a, const bf16* b) {
    bf16* left = memory();
    fill(left, a, 64);
    fill(left + kBox, b, 64);
    fence_async_proxy();
    __syncthreads();
    return left;
}
__global__ void no_wait(float*, const bf16* a, const bf16* b, bool) {
    const bf16* left = filled(a, b);
    float sums[8][4] = {};
    warpgroup_arrive();
    const uint64_t x = matrix_descriptor(left), y = matrix_descriptor(left + kBox);
    warpgroup_multiply(sums, x, y, false);  // BUG no_wait
    warpgroup_commit();
}
__global__ void not_committed(float*, const bf16* a, const bf16* b, bool) {
    const bf16* left = filled(a, b);
    float sums[8][4] = {};
    warpgroup_arrive();
    const uint64_t x = matrix_descriptor(left), y = matrix_descriptor(left + kBox);
    warpgroup_multiply(sums, x, y, false);  // BUG not_committed
    warpgroup_wait<0>();
}
__global__ void half_a_warpgroup(float*, const bf16* a, const bf16* b, bool) {
    const bf16* left = filled(a, b);
    float sums[8][4] = {};
    if (threadIdx.x >= 64) return;
    warpgroup_arrive();  // BUG half_a_warpgroup
    product(sums, left);
    warpgroup_commit();
    warpgroup_wait<0>();
}
__global__ void two_descriptors(float*, const bf16* a, const bf16* b, bool) {
    const bf16* left = filled(a, b);
    float sums[8][4] = {};
    const bf16* own = left + threadIdx.x / 32 % 2 * 1024;
    warpgroup_arrive();
    const uint64_t x = matrix_descriptor(own), y = matrix_descriptor(left + kBox);
    warpgroup_multiply(sums, x, y, false);  // BUG two_descriptors
    warpgroup_commit();
    warpgroup_wait<0>();
}
template <int kMode, int kOffset>
__global__ void bad_descriptor(float*, const bf16* a, const bf16* b, bool) {
    const bf16* left = filled(a, b);
    float sums[8][4] = {};
    warpgroup_arrive();
    const uint64_t x = (matrix_descriptor(left) << 2 >> 2) | uint64_t{kMode} << 62;
    const uint64_t y = matrix_descriptor(left + kBox + kOffset);
    warpgroup_multiply(sums, x, y, false);  // BUG bad_descriptor
}
// Columns from 4 on: a descriptor has no bits for that.
__global__ void between_chunks(float*, const bf16* a, const bf16* b, bool) {
    const bf16* left = filled(a, b);
    (void)matrix_descriptor(left + 4);  // BUG between_chunks
}
// Columns of the right operand from 32 on, in rows of k.
__global__ void within_a_box(float*, const bf16* a, const bf16* b, bool) {
    const bf16* left = filled(a, b);
    float sums[8][4] = {};
    const uint32_t fragments[4] = {};
    warpgroup_arrive();
    const uint64_t y = matrix_descriptor(left + 32, kBox * 2);
    warpgroup_multiply_transposed(sums, fragments, y, false);  // BUG within_a_box
}
// A tile that was stored in order: the product is of something else.
__global__ void not_swizzled(float* out, const bf16* a, const bf16* b, bool) {
    bf16* left = memory();
    for (int i = int(threadIdx.x); i < kBox; i += kThreads) left[i] = a[i];
    fill(left + kBox, b, 64);
    fence_async_proxy();
    __syncthreads();
    float sums[8][4] = {};
    warpgroup_arrive();
    for (int k = 0; k < 64; k += 16)
        warpgroup_multiply(sums, matrix_descriptor(left + k), matrix_descriptor(left + kBox + k),
                           k > 0);
    warpgroup_commit();
    warpgroup_wait<0>();
    show(out, sums);
}

#if defined(FETTLE_CHECK)
__global__ void read_early(float* out, const bf16* a, const bf16* b, bool) {
    const bf16* left = filled(a, b);
    float sums[8][4] = {};
    warpgroup_arrive();
    product(sums, left);
    warpgroup_commit();
    if (blockIdx.x == 0) out[threadIdx.x] = sums[0][0];  // BUG read_early
    warpgroup_wait<0>();
}
__global__ void written_early(float* out, const bf16* a, const bf16* b, bool) {
    const bf16* left = filled(a, b);
    float sums[8][4] = {};
    warpgroup_arrive();
    product(sums, left);
    warpgroup_commit();
    sums[1][1] = 0.0f;  // BUG written_early
    warpgroup_wait<0>();
    if (blockIdx.x == 0) out[threadIdx.x] = sums[0][0];
}
__global__ void one_group_too_few(float* out, const bf16* a, const bf16* b, bool) {
    const bf16* left = filled(a, b);
    float first[8][4] = {}, second[8][4] = {};
    warpgroup_arrive();
    product(first, left);
    warpgroup_commit();
    product(second, left);
    warpgroup_commit();
    warpgroup_wait<1>();
    if (blockIdx.x == 0) out[threadIdx.x] = first[0][0] + second[0][0];  // BUG one_group_too_few
    warpgroup_wait<0>();
}
__global__ void overwritten(float*, const bf16* a, const bf16* b, bool) {
    bf16* left = filled(a, b);
    float sums[8][4] = {};
    warpgroup_arrive();
    const uint64_t x = matrix_descriptor(left), y = matrix_descriptor(left + kBox);
    warpgroup_multiply(sums, x, y, false);  // BUG product
    warpgroup_commit();
    if (threadIdx.x == 37) left[0] = bf16(1.0f);  // BUG overwritten
    warpgroup_wait<0>();
}
// The tile's owner goes on when one warp has waited, but another has not.
__global__ void freed_early(float*, const bf16* a, const bf16* b, bool) {
    __shared__ uint64_t empty;
    bf16* left = memory();
    if (threadIdx.x == 0) mbarrier_init(&empty, 1);
    filled(a, b);
    float sums[8][4] = {};
    warpgroup_arrive();
    if (threadIdx.x == 0) mbarrier_arrive(&empty);
    const uint64_t x = matrix_descriptor(left), y = matrix_descriptor(left + kBox);
    warpgroup_multiply(sums, x, y, false);  // BUG freed_product
    warpgroup_commit();
    if (threadIdx.x == 127) {
        mbarrier_wait(&empty, 0);
        left[0] = bf16(1.0f);  // BUG freed_early
    }
    warpgroup_wait<0>();
}
// The arrival comes before the wait, which one warp has yet to reach.
__global__ void freed_before_the_wait(float*, const bf16* a, const bf16* b, bool) {
    __shared__ uint64_t empty;
    if (threadIdx.x == 0) mbarrier_init(&empty, 128);
    bf16* left = filled(a, b);
    float sums[8][4] = {};
    warpgroup_arrive();
    const uint64_t x = matrix_descriptor(left), y = matrix_descriptor(left + kBox);
    warpgroup_multiply(sums, x, y, false);  // BUG freed_before_product
    warpgroup_commit();
    mbarrier_arrive(&empty);
    if (threadIdx.x == 100) {
        mbarrier_wait(&empty, 0);
        left[0] = bf16(1.0f);  // BUG freed_before_the_wait
    }
    warpgroup_wait<0>();
}
__global__ void no_fence(float*, const bf16* a, const bf16* b, bool) {
    bf16* left = memory();
    fill(left, a, 64);
    fill(left + kBox, b, 64);
    __syncthreads();
    float sums[8][4] = {};
    warpgroup_arrive();
    const uint64_t x = matrix_descriptor(left), y = matrix_descriptor(left + kBox);
    warpgroup_multiply(sums, x, y, false);  // BUG no_fence
    warpgroup_commit();
    warpgroup_wait<0>();
}
__global__ void fence_before_the_store(float*, const bf16* a, const bf16* b, bool) {
    bf16* left = filled(a, b);
    fence_async_proxy();
    if (threadIdx.x == 5) left[8] = bf16(2.0f);  // BUG store_after_fence
    __syncthreads();
    float sums[8][4] = {};
    warpgroup_arrive();
    const uint64_t x = matrix_descriptor(left), y = matrix_descriptor(left + kBox);
    warpgroup_multiply(sums, x, y, false);  // BUG fence_before_the_store
    warpgroup_commit();
    warpgroup_wait<0>();
}
__global__ void fence_behind_the_barrier(float*, const bf16* a, const bf16* b, bool) {
    bf16* left = memory();
    fill(left, a, 64);
    fill(left + kBox, b, 64);
    __syncthreads();
    if (threadIdx.x % 32 != 0) fence_async_proxy();  // of others than those that go on to read
    float sums[8][4] = {};
    warpgroup_arrive();
    const uint64_t x = matrix_descriptor(left), y = matrix_descriptor(left + kBox);
    warpgroup_multiply(sums, x, y, false);  // BUG fence_behind_the_barrier
    warpgroup_commit();
    warpgroup_wait<0>();
}
__global__ void fence_by_a_stranger(float*, const bf16* a, const bf16* b, bool) {
    __shared__ uint64_t stored;
    bf16* left = memory();
    if (threadIdx.x == 0) mbarrier_init(&stored, 127);
    __syncthreads();
    fill(left, a, 64);
    fill(left + kBox, b, 64);
    if (threadIdx.x == 127) fence_async_proxy();  // knows of nobody's stores but its own
    if (threadIdx.x != 127) mbarrier_arrive(&stored);
    mbarrier_wait(&stored, 0);
    __syncthreads();
    float sums[8][4] = {};
    warpgroup_arrive();
    const uint64_t x = matrix_descriptor(left), y = matrix_descriptor(left + kBox);
    warpgroup_multiply(sums, x, y, false);  // BUG fence_by_a_stranger
    warpgroup_commit();
    warpgroup_wait<0>();
}
// Right: one thread may fence for all, once it knows what they stored.
__global__ void fence_for_all(float*, const bf16* a, const bf16* b, bool) {
    bf16* left = memory();
    fill(left, a, 64);
    fill(left + kBox, b, 64);
    __syncthreads();
    if (threadIdx.x == 77) fence_async_proxy();
    __syncthreads();
    float sums[8][4] = {};
    warpgroup_arrive();
    product(sums, left);
    warpgroup_commit();
    warpgroup_wait<0>();
}
#endif

}  // namespace
}  // namespace on_simt

namespace {

using Kernel = void (*)(float*, const bf16*, const bf16*, bool);

std::vector<bf16> values(int count, uint64_t seed) { return normal<bf16>(count, 0.0, 1.0, seed); }

struct Case {
    int columns, depth;
    std::vector<bf16> a = values(64 * depth, 1), b = values(columns * depth, 2);
    Buffer<bf16> a_in{Device::simt, a}, b_in{Device::simt, b};
    Buffer<float> out{Device::simt, 64 * 128};

    std::vector<float> run(Kernel kernel, bool adds, uint32_t seed = 0) {
        with_schedule(seed, [&] {
            on_simt::launch(kernel,
                            {.grid = 2,
                             .block = on_simt::kThreads,
                             .shared_bytes = 1024 + 4 * on_simt::kBox * sizeof(bf16)},
                            out.data(), a_in.data(), b_in.data(), adds);
        });
        return out.to_host();
    }
    // Of the largest difference to start + a b, in units of the sums' error.
    double error(const std::vector<float>& found, double start, bool is_b_transposed) const {
        double worst = 0.0;
        for (int m = 0; m < 64; ++m)
            for (int n = 0; n < columns; ++n) {
                double sum = start, size = std::abs(start);
                for (int k = 0; k < depth; ++k) {
                    const double term =
                        double(a[m * depth + k]) *
                        double(is_b_transposed ? b[k * columns + n] : b[n * depth + k]);
                    sum += term;
                    size += std::abs(term);
                }
                const double difference = std::abs(double(found[m * columns + n]) - sum);
                worst = std::max(worst, difference / (depth * 0x1p-24 * size));
            }
        return worst;
    }
};

std::string report_of(Kernel kernel, uint32_t seed) {
    Case c{64, 64};
    try {
        c.run(kernel, false, seed);
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

TEST_CASE("simt warpgroup: products of matrices in shared memory, in any order of threads") {
    for (const uint32_t seed : {0u, 1u, 2u, 3u}) {
        CAPTURE(seed);
        Case narrow{64, 64}, wide{128, 64};
        CHECK(narrow.error(narrow.run(on_simt::multiply<8>, false, seed), 0.0, false) <= 1.0);
        CHECK(narrow.error(narrow.run(on_simt::multiply<8>, true, seed), 1.0, false) <= 1.0);
        CHECK(wide.error(wide.run(on_simt::multiply<16>, true, seed), 1.0, false) <= 1.0);
    }
}

TEST_CASE(
    "simt warpgroup: products with a left operand in registers and a right one by rows of k") {
    for (const uint32_t seed : {0u, 1u, 2u, 3u}) {
        CAPTURE(seed);
        Case narrow{64, 32}, wide{128, 32};
        CHECK(narrow.error(narrow.run(on_simt::multiply_transposed<8>, true, seed), 1.0, true) <=
              1.0);
        CHECK(wide.error(wide.run(on_simt::multiply_transposed<16>, true, seed), 1.0, true) <= 1.0);
    }
}

TEST_CASE("simt warpgroup: what a group gave may be used while the next is under way") {
    for (const uint32_t seed : {0u, 1u, 2u, 3u}) {
        Case two{64, 64};
        for (int i = 0; i < 64 * 64; ++i)  // only the first 16 of k take part
            if (i % 64 >= 16) two.a[i] = bf16(0.0f);
        CHECK(two.error(two.run(on_simt::two_groups, false, seed), 0.0, false) <= 4.0);
    }
}

TEST_CASE("simt warpgroup: misuse is an error that names the line") {
    check_reported("without a wait for the product", "no_wait", on_simt::no_wait);
    check_reported("without a wait for the product", "not_committed", on_simt::not_committed);
    check_reported("unequal warpgroup", "half_a_warpgroup", on_simt::half_a_warpgroup);
    check_reported("unequal warpgroup", "two_descriptors", on_simt::two_descriptors);
    const std::string line = "bad_descriptor";
    check_reported("shared memory", line, on_simt::bad_descriptor<1, 2 * on_simt::kBox + 1024>);
    check_reported("left operand has swizzle mode 0", line, on_simt::bad_descriptor<0, 0>);
    check_reported("right operand begins", line, on_simt::bad_descriptor<1, 64>);
    check_reported("right operand begins", line, on_simt::bad_descriptor<1, 56>);
    check_reported("8 bytes behind a multiple of 16", "between_chunks", on_simt::between_chunks);
    check_reported("right operand begins", "within_a_box", on_simt::within_a_box);
}

TEST_CASE("simt warpgroup: a tile that is not swizzled gives another product") {
    for (const uint32_t seed : {0u, 1u, 2u, 3u}) {
        Case c{64, 64};
        CHECK(c.error(c.run(on_simt::not_swizzled, false, seed), 0.0, false) > 1e3);
    }
}

#if defined(FETTLE_CHECK)
TEST_CASE("simt warpgroup: planted bugs are reported in every order of threads") {
    check_reported("sums in flight", "read_early", on_simt::read_early);
    check_reported("sums in flight", "written_early", on_simt::written_early);
    check_reported("sums in flight", "one_group_too_few", on_simt::one_group_too_few);
    check_reported("shared race", "overwritten", on_simt::overwritten, "product");
    check_reported("shared race", "freed_early", on_simt::freed_early, "freed_product");
    check_reported("shared race", "freed_before_the_wait", on_simt::freed_before_the_wait,
                   "freed_before_product");
}

TEST_CASE("simt proxy: a store that no fence made visible to a product is reported") {
    check_reported("missing proxy fence", "no_fence", on_simt::no_fence);
    check_reported("missing proxy fence", "fence_before_the_store", on_simt::fence_before_the_store,
                   "store_after_fence");
    check_reported("missing proxy fence", "fence_behind_the_barrier",
                   on_simt::fence_behind_the_barrier);
    check_reported("missing proxy fence", "fence_by_a_stranger", on_simt::fence_by_a_stranger);
    for (const uint32_t seed : {0u, 1u, 2u, 3u, 77u})
        CHECK(report_of(on_simt::fence_for_all, seed) == "");
}
#endif
