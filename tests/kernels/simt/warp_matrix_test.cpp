// ldmatrix, stmatrix and mma against the figures of the PTX ISA, written out; what the instructions
// forbid is an Error with the line of the kernel.

#include "kernels/simt/warp_matrix.h"

#include "tests/support/devices.h"
#include "tests/support/doctest.h"
#include "tests/support/fragment_tables.h"
#include "tests/support/planted_bugs.h"

namespace on_simt {
namespace {

constexpr int kSlots = 36;  // rows of shared memory; matrices need not be in order there

// The row of shared memory that lane l names: none twice, none in order.
__device__ int slot_of(int lane) {
    const int slot = lane * 7 % 32;
    return slot < 16 ? slot : slot + 4;
}

__global__ void load(uint32_t* out, const uint32_t* in, int count, bool transposed) {
    alignas(16) __shared__ uint32_t rows[kSlots][4];
    for (int i = threadIdx.x; i < 4 * kSlots; i += 32) rows[i / 4][i % 4] = 0xffffffffu;
    __syncthreads();
    const int lane = threadIdx.x;
    for (int i = 0; i < 4; ++i) rows[slot_of(lane)][i] = in[4 * lane + i];
    __syncthreads();
    const void* row = lane < 8 * count ? rows[slot_of(lane)] : nullptr;
    uint32_t one[1], two[2], four[4] = {0, 0, 0, 0};
    if (count == 1) {
        if (transposed) load_matrix_transposed(one, row);
        if (!transposed) load_matrix(one, row);
        four[0] = one[0];
    } else if (count == 2) {
        if (transposed) load_matrix_transposed(two, row);
        if (!transposed) load_matrix(two, row);
        four[0] = two[0], four[1] = two[1];
    } else {
        if (transposed) load_matrix_transposed(four, row);
        if (!transposed) load_matrix(four, row);
    }
    for (int i = 0; i < 4; ++i) out[4 * lane + i] = four[i];
}

__global__ void store(uint32_t* out, const uint32_t* in, int count, bool transposed) {
    alignas(16) __shared__ uint32_t rows[kSlots][4];
    for (int i = threadIdx.x; i < 4 * kSlots; i += 32) rows[i / 4][i % 4] = 0;
    __syncthreads();
    const int lane = threadIdx.x;
    const uint32_t four[4] = {in[4 * lane], in[4 * lane + 1], in[4 * lane + 2], in[4 * lane + 3]};
    const uint32_t two[2] = {four[0], four[1]}, one[1] = {four[0]};
    void* row = lane < 8 * count ? rows[slot_of(lane)] : nullptr;
    if (count == 1 && transposed) store_matrix_transposed(row, one);
    if (count == 1 && !transposed) store_matrix(row, one);
    if (count == 2 && transposed) store_matrix_transposed(row, two);
    if (count == 2 && !transposed) store_matrix(row, two);
    if (count == 4 && transposed) store_matrix_transposed(row, four);
    if (count == 4 && !transposed) store_matrix(row, four);
    __syncwarp();
    for (int i = 0; i < 4; ++i) out[4 * lane + i] = rows[slot_of(lane)][i];
}

__global__ void multiply(float* sums, const uint32_t* a, const uint32_t* b) {
    const int lane = threadIdx.x;
    float own[4];
    uint32_t left[4];
    for (int i = 0; i < 4; ++i) own[i] = sums[4 * lane + i];
    for (int i = 0; i < 4; ++i) left[i] = a[4 * lane + i];
    multiply_matrices(own, left, b[2 * lane], b[2 * lane + 1]);
    for (int i = 0; i < 4; ++i) sums[4 * lane + i] = own[i];
}

// ---- wrong, in every build ----
__global__ void half_a_warp(float* out) {
    alignas(16) __shared__ float rows[8][4];
    if (threadIdx.x < 32) rows[threadIdx.x / 4][threadIdx.x % 4] = 0.0f;
    __syncthreads();
    uint32_t value[1];
    if (threadIdx.x % 32 < 16) {
        load_matrix(value, rows[threadIdx.x % 8]);  // BUG half_a_warp
        if (blockIdx.x == 0) out[threadIdx.x] = float(value[0]);
    }
}
__global__ void two_lines(float* out) {
    alignas(16) __shared__ float rows[8][4];
    if (threadIdx.x < 32) rows[threadIdx.x / 4][threadIdx.x % 4] = 0.0f;
    __syncthreads();
    uint32_t value[1];
    if (threadIdx.x % 2 == 0) {
        load_matrix(value, rows[threadIdx.x % 8]);  // BUG two_lines
    } else {
        load_matrix(value, rows[threadIdx.x % 8]);
    }
    if (blockIdx.x == 0) out[threadIdx.x] = float(value[0]);
}
__global__ void misaligned_row(float* out) {
    FETTLE_DYNAMIC_SHARED(float, rows);
    rows[threadIdx.x] = 0.0f;
    __syncthreads();
    uint32_t value[1];
    load_matrix(value, rows + 4 * (threadIdx.x % 8) + 2);  // BUG misaligned_row
    if (blockIdx.x == 0) out[threadIdx.x] = float(value[0]);
}
__global__ void row_behind_shared(float* out) {
    FETTLE_DYNAMIC_SHARED(float, rows);
    rows[threadIdx.x] = 0.0f;
    __syncthreads();
    uint32_t value[2];
    load_matrix(value, rows + 4 * (1 + threadIdx.x % 16));  // BUG row_behind_shared
    if (blockIdx.x == 0) out[threadIdx.x] = float(value[0]);
}

#if defined(FETTLE_CHECK)
// ---- right, then wrong, for a check build ----
__global__ void transpose(float* out) {
    FETTLE_DYNAMIC_SHARED(uint32_t, rows);
    uint32_t* own = rows + threadIdx.x / 32 * 32;
    own[threadIdx.x % 32] = threadIdx.x;
    __syncwarp();
    uint32_t value[1];
    load_matrix_transposed(value, own + 4 * (threadIdx.x % 8));
    __syncwarp();
    store_matrix(own + 4 * (threadIdx.x % 8), value);
    __syncwarp();
    if (blockIdx.x == 0) out[threadIdx.x] = float(own[31 - threadIdx.x % 32]);
}
__global__ void load_uninitialised(float* out) {
    FETTLE_DYNAMIC_SHARED(uint32_t, rows);
    if (threadIdx.x % 32 != 5) rows[threadIdx.x] = 1;
    __syncwarp();
    uint32_t value[1];
    load_matrix(value, rows + threadIdx.x / 32 * 32 + 4 * (threadIdx.x % 8));  // BUG uninitialised
    if (blockIdx.x == 0) out[threadIdx.x] = float(value[0]);
}
__global__ void never_written(float* out) {
    float sums[4];
    const uint32_t a[4] = {};
    if (threadIdx.x != 40)
        for (float& sum : sums) sum = 0.0f;
    multiply_matrices(sums, a, 0, 0);  // BUG never_written
    if (blockIdx.x == 0) out[threadIdx.x] = sums[0];
}
__global__ void load_without_barrier(float* out) {
    FETTLE_DYNAMIC_SHARED(uint32_t, rows);
    rows[threadIdx.x] = 0;
    __syncthreads();
    rows[threadIdx.x ^ 1] = 1;  // BUG write_before_load
    uint32_t value[1];
    load_matrix(value, rows + threadIdx.x / 32 * 32 + 4 * (threadIdx.x % 8));  // BUG early_load
    if (blockIdx.x == 0) out[threadIdx.x] = float(value[0]);
}
__global__ void write_after_load(float* out) {
    FETTLE_DYNAMIC_SHARED(uint32_t, rows);
    rows[threadIdx.x] = 0;
    __syncthreads();
    uint32_t value[1];
    load_matrix(value, rows + threadIdx.x / 32 * 32 + 4 * (threadIdx.x % 8));  // BUG load_first
    rows[threadIdx.x ^ 1] = 1;                                                 // BUG early_write
    if (blockIdx.x == 0) out[threadIdx.x] = float(value[0]);
}
__global__ void store_without_barrier(float* out) {
    FETTLE_DYNAMIC_SHARED(uint32_t, rows);
    const uint32_t value[1] = {threadIdx.x};
    store_matrix_transposed(rows + threadIdx.x / 32 * 32 + 4 * (threadIdx.x % 8),
                            value);           // one statement, the line of its name counts
    const uint32_t read = rows[threadIdx.x];  // BUG early_read
    if (blockIdx.x == 0) out[threadIdx.x] = float(read);
}
__global__ void load_from_device_memory(float* out) {
    uint32_t value[1];
    load_matrix(value, out + 4 * (threadIdx.x % 8));  // BUG device_memory
    if (blockIdx.x == 0) out[threadIdx.x] = float(value[0]);
}
#endif

}  // namespace
}  // namespace on_simt

namespace {

using namespace fragment_tables;

// Element (row, column) of matrix m, as the lanes got it. All elements of the input differ.
uint16_t element(int m, int row, int column) {
    return static_cast<uint16_t>(1 + 64 * m + 8 * row + column);
}
uint32_t pair(uint32_t low, uint32_t high) { return low | high << 16; }

// Four matrices as rows of pairs, [4, 8, 4], and as the registers that lanes hold, [32, 4].
std::vector<uint32_t> as_rows(int count) {
    std::vector<uint32_t> out(128);
    for (int m = 0; m < count; ++m)
        for (int row = 0; row < 8; ++row)
            for (int p = 0; p < 4; ++p)
                out[m * 32 + row * 4 + p] =
                    pair(element(m, row, 2 * p), element(m, row, 2 * p + 1));
    return out;
}
std::vector<uint32_t> as_registers(int count, bool transposed) {
    std::vector<uint32_t> out(128);
    for (int m = 0; m < count; ++m) {
        for (int i = 0; i < 8; ++i) {
            for (int p = 0; p < 4; ++p) {
                if (transposed)
                    out[kTransposed[p][i] * 4 + m] =
                        pair(element(m, 2 * p, i), element(m, 2 * p + 1, i));
                else
                    out[kMatrix[i][p] * 4 + m] =
                        pair(element(m, i, 2 * p), element(m, i, 2 * p + 1));
            }
        }
    }
    return out;
}

template <typename Kernel>
std::vector<uint32_t> moved(Kernel kernel, const std::vector<uint32_t>& in, int count,
                            bool transposed) {
    const Buffer<uint32_t> out(Device::simt, 128), source(Device::simt, in);
    on_simt::launch(kernel, {.grid = 1, .block = 32}, out.data(), source.data(), count, transposed);
    return out.to_host();
}

}  // namespace

TEST_CASE("simt: ldmatrix gives each lane the elements of the ISA's figure") {
    for (const int count : {1, 2, 4}) {
        CAPTURE(count);
        CHECK(moved(on_simt::load, as_rows(4), count, false) == as_registers(count, false));
        CHECK(moved(on_simt::load, as_rows(4), count, true) == as_registers(count, true));
    }
}

TEST_CASE("simt: stmatrix puts each lane's elements where the ISA's figure says") {
    for (const int count : {1, 2, 4}) {
        CAPTURE(count);
        CHECK(moved(on_simt::store, as_registers(4, false), count, false) == as_rows(count));
        CHECK(moved(on_simt::store, as_registers(4, true), count, true) == as_rows(count));
    }
}

TEST_CASE("simt: mma multiplies fragments as the ISA lays them out, k ascending") {
    const auto a = normal<bf16>(16 * 16, 0.0, 1.0, /*seed=*/1);
    const auto b = normal<bf16>(16 * 8, 0.0, 1.0, /*seed=*/2);
    const auto c = normal<float>(16 * 8, 0.0, 1.0, /*seed=*/3);
    std::vector<uint32_t> left(32 * 4), right(32 * 2);
    std::vector<float> sums(32 * 4);
    const auto at = [](int place, int registers) { return place % 100 * registers + place / 100; };
    for (int row = 0; row < 16; ++row)
        for (int p = 0; p < 8; ++p)
            left[at(kA[row][p], 4)] = pair(a[row * 16 + 2 * p].bits, a[row * 16 + 2 * p + 1].bits);
    for (int p = 0; p < 8; ++p)
        for (int column = 0; column < 8; ++column)
            right[at(kB[p][column], 2)] =
                pair(b[2 * p * 8 + column].bits, b[(2 * p + 1) * 8 + column].bits);
    for (int row = 0; row < 16; ++row)
        for (int p = 0; p < 4; ++p)
            std::copy_n(&c[row * 8 + 2 * p], 2, &sums[at(kSums[row][p], 4)]);

    const Buffer<uint32_t> a_in(Device::simt, left), b_in(Device::simt, right);
    const Buffer<float> out(Device::simt, sums);
    on_simt::launch(on_simt::multiply, {.grid = 1, .block = 32}, out.data(), a_in.data(),
                    b_in.data());
    const auto got = out.to_host();
    for (int row = 0; row < 16; ++row) {
        for (int column = 0; column < 8; ++column) {
            float expected = c[row * 8 + column];
            for (int k = 0; k < 16; ++k)
                expected += float(a[row * 16 + k]) * float(b[k * 8 + column]);
            CHECK(got[at(kSums[row][column / 2], 4) + column % 2] == expected);
        }
    }
}

TEST_CASE("simt: pack_bf16 rounds to nearest even, the first value to the lower half") {
    CHECK(on_simt::pack_bf16(1.0f, -2.0f) == 0xc0003f80u);
    CHECK(on_simt::pack_bf16(0x1.01p0f, 0x1.03p0f) ==
          0x3f823f80u);  // ties: down to 1, up to 1.04p0
    CHECK(on_simt::pack_bf16(INFINITY, NAN) == 0x7fff7f80u);
}

TEST_CASE("simt: what a warp's matrices forbid is an Error with kind and line") {
    const Buffer<float> out(Device::simt, 64);
    check_reported({"waits", "half_a_warp"}, on_simt::half_a_warp, out.data());
    check_reported({"meets", "two_lines"}, on_simt::two_lines, out.data());
    check_reported({"misaligned", "misaligned_row"}, on_simt::misaligned_row, out.data());
    check_reported({"out of bounds", "row_behind_shared"}, on_simt::row_behind_shared, out.data());
}

#if defined(FETTLE_CHECK)
TEST_CASE("simt check: what a warp's matrices read and write is judged, lane by lane") {
    const Buffer<float> out(Device::simt, 64);
    check_silent(on_simt::transpose, out.data());
    check_reported({"uninitialised", "uninitialised"}, on_simt::load_uninitialised, out.data());
    check_reported({"uninitialised", "never_written"}, on_simt::never_written, out.data());
    check_reported({"shared race", "early_load", "write_before_load"},
                   on_simt::load_without_barrier, out.data());
    check_reported({"shared race", "early_write", "load_first"}, on_simt::write_after_load,
                   out.data());
    check_reported({"shared race", "early_read"}, on_simt::store_without_barrier, out.data());
    check_reported({"not shared memory", "device_memory"}, on_simt::load_from_device_memory,
                   out.data());
}
#endif
