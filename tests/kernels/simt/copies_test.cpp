// cp.async: what lands, when, and in which order; what nobody waited for.

#include "kernels/simt/copies.h"

#include <set>

#include "tests/support/devices.h"
#include "tests/support/doctest.h"
#include "tests/support/planted_bugs.h"

namespace on_simt {
namespace {

constexpr int kThreads = 64;

// Thread t copies t % (kBytes + 1) of kBytes bytes, over ones.
template <int kBytes>
__global__ void copy_parts(unsigned char* out, const unsigned char* in) {
    FETTLE_DYNAMIC_SHARED(unsigned char, bytes);
    const int first = threadIdx.x * kBytes;
    for (int i = 0; i < kBytes; ++i) bytes[first + i] = 1;
    copy_async<kBytes>(bytes + first, in + first, threadIdx.x % (kBytes + 1));
    wait_for_all_copies();
    for (int i = 0; i < kBytes; ++i) out[first + i] = bytes[first + i];
}

// Four groups of a copy each, the third empty, and a copy of no group.
__global__ void copy_groups(float* out, const float* in) {
    FETTLE_DYNAMIC_SHARED(float, values);
    float* own = values + 4 * threadIdx.x;
    copy_async<4>(own, in);
    commit_copies();
    copy_async<4>(own + 1, in + 1);
    commit_copies();
    commit_copies();
    copy_async<4>(own + 2, in + 2);
    commit_copies();
    copy_async<4>(own + 3, in + 3);
    float* seen = out + 20 * threadIdx.x;
    for (int i = 0; i < 4; ++i) seen[i] = own[i];
    wait_for_copies<3>();
    for (int i = 0; i < 4; ++i) seen[4 + i] = own[i];
    wait_for_copies<2>();
    for (int i = 0; i < 4; ++i) seen[8 + i] = own[i];
    wait_for_copies<0>();
    for (int i = 0; i < 4; ++i) seen[12 + i] = own[i];
    wait_for_all_copies();
    for (int i = 0; i < 4; ++i) seen[16 + i] = own[i];
}

// Two copies to one place that nothing orders.
[[maybe_unused]] __global__ void copy_twice(float* out, const float* in) {
    FETTLE_DYNAMIC_SHARED(float, values);
    copy_async<4>(values + threadIdx.x, in);
    copy_async<4>(values + threadIdx.x, in + 1);
    wait_for_all_copies();
    out[threadIdx.x] = values[threadIdx.x];
}

// ---- right ----
__global__ void reverse_block(float* out, const float* in) {
    FETTLE_DYNAMIC_SHARED(float, values);
    for (int round = 0; round < 2; ++round) {
        if (threadIdx.x < 16) copy_async_16(values + 4 * threadIdx.x, in + 4 * threadIdx.x);
        commit_copies();
        wait_for_copies<0>();
        __syncthreads();
        if (blockIdx.x == 0) out[threadIdx.x] = values[kThreads - 1 - threadIdx.x];
        __syncthreads();
    }
}
__global__ void update_after_wait(float* out, float* in) {
    FETTLE_DYNAMIC_SHARED(float, values);
    if (blockIdx.x != 0) return;
    copy_async<4>(values + threadIdx.x, in + threadIdx.x);
    wait_for_all_copies();
    in[threadIdx.x] = 7.0f;
    out[threadIdx.x] = values[threadIdx.x];
}

// ---- wrong, in every build ----
__global__ void never_waited(float* out, const float* in) {
    FETTLE_DYNAMIC_SHARED(float, values);
    copy_async<4>(values + threadIdx.x, in + threadIdx.x);  // BUG never_waited
    commit_copies();
    if (blockIdx.x == 0) out[threadIdx.x] = 1.0f;
}
__global__ void misaligned_source(float* out, const float* in) {
    FETTLE_DYNAMIC_SHARED(float, values);
    if (threadIdx.x < 8) copy_async_16(values + 4 * threadIdx.x, in + 1);  // BUG misaligned_source
    wait_for_all_copies();
    if (blockIdx.x == 0) out[threadIdx.x] = 1.0f;
}
__global__ void misaligned_destination(float* out, const float* in) {
    FETTLE_DYNAMIC_SHARED(float, values);
    copy_async<8>(values + threadIdx.x / 2 * 2 + 1, in);  // BUG misaligned_destination
    wait_for_all_copies();
    if (blockIdx.x == 0) out[threadIdx.x] = 1.0f;
}
__global__ void behind_shared_memory(float* out, const float* in) {
    FETTLE_DYNAMIC_SHARED(float, values);
    copy_async<4>(values + threadIdx.x + 1, in);  // BUG behind_shared_memory
    wait_for_all_copies();
    if (blockIdx.x == 0) out[threadIdx.x] = 1.0f;
}
__global__ void source_too_long(float* out, const float* in) {
    FETTLE_DYNAMIC_SHARED(float, values);
    copy_async<4>(values + threadIdx.x, in, 8);  // BUG source_too_long
    wait_for_all_copies();
    if (blockIdx.x == 0) out[threadIdx.x] = 1.0f;
}
__global__ void stray_source(float* out, const float* in) {
    FETTLE_DYNAMIC_SHARED(float, values);
    copy_async<4>(values + threadIdx.x, in + kThreads + threadIdx.x);  // BUG stray_source
    wait_for_all_copies();
    if (blockIdx.x == 0) out[threadIdx.x] = 1.0f;
}

#if defined(FETTLE_CHECK)
// ---- wrong, for a check build ----
__global__ void wait_missing(float* out, const float* in) {
    FETTLE_DYNAMIC_SHARED(float, values);
    copy_async<4>(values + threadIdx.x, in + threadIdx.x);  // BUG copy_unawaited
    commit_copies();
    const float value = values[threadIdx.x];  // BUG wait_missing
    wait_for_copies<0>();
    if (blockIdx.x == 0) out[threadIdx.x] = value;
}
__global__ void wait_for_wrong_group(float* out, const float* in) {
    FETTLE_DYNAMIC_SHARED(float, values);
    if (threadIdx.x < 16) copy_async_16(values + 4 * threadIdx.x, in);  // BUG copy_of_group
    commit_copies();
    wait_for_copies<1>();
    __syncthreads();
    if (blockIdx.x == 0) out[threadIdx.x] = values[threadIdx.x];  // BUG wait_for_wrong_group
    wait_for_copies<0>();
}
__global__ void commit_missing(float* out, const float* in) {
    FETTLE_DYNAMIC_SHARED(float, values);
    if (threadIdx.x < 16) copy_async_16(values + 4 * threadIdx.x, in);  // BUG copy_uncommitted
    wait_for_copies<0>();
    __syncthreads();
    if (blockIdx.x == 0) out[threadIdx.x] = values[threadIdx.x];  // BUG commit_missing
    wait_for_all_copies();
}
__global__ void barrier_missing(float* out, const float* in) {
    FETTLE_DYNAMIC_SHARED(float, values);
    if (threadIdx.x < 16) copy_async_16(values + 4 * threadIdx.x, in);  // BUG copy_for_others
    commit_copies();
    __syncthreads();
    wait_for_copies<0>();
    if (blockIdx.x == 0) out[threadIdx.x] = values[threadIdx.x];  // BUG barrier_missing
}
__global__ void source_overwritten(float* out, float* in) {
    FETTLE_DYNAMIC_SHARED(float, values);
    if (blockIdx.x != 0) return;
    copy_async<4>(values + threadIdx.x, in + threadIdx.x);  // BUG copy_of_source
    commit_copies();
    in[threadIdx.x] = 7.0f;  // BUG source_overwritten
    wait_for_copies<0>();
    out[threadIdx.x] = values[threadIdx.x];
}
__global__ void destination_written(float* out, const float* in) {
    FETTLE_DYNAMIC_SHARED(float, values);
    copy_async<4>(values + threadIdx.x, in + threadIdx.x);  // BUG copy_to_destination
    values[threadIdx.x] = 0.0f;                             // BUG destination_written
    wait_for_all_copies();
    if (blockIdx.x == 0) out[threadIdx.x] = values[threadIdx.x];
}
__global__ void stage_reused(float* out, const float* in) {
    FETTLE_DYNAMIC_SHARED(float, values);
    for (int round = 0; round < 2; ++round) {
        if (threadIdx.x < 16) copy_async_16(values + 4 * threadIdx.x, in);  // BUG stage_reused
        wait_for_all_copies();
        __syncthreads();
        if (blockIdx.x == 0) out[threadIdx.x] = values[threadIdx.x];
    }
}
__global__ void copied_twice(float* out, const float* in) {
    FETTLE_DYNAMIC_SHARED(float, values);
    copy_async<4>(values + threadIdx.x, in);      // BUG first_copy
    copy_async<4>(values + threadIdx.x, in + 1);  // BUG second_copy
    wait_for_all_copies();
    if (blockIdx.x == 0) out[threadIdx.x] = values[threadIdx.x];
}
__global__ void source_on_stack(float* out) {
    FETTLE_DYNAMIC_SHARED(float, values);
    const float own = 1.0f;
    copy_async<4>(values + threadIdx.x, &own);  // BUG source_on_stack
    wait_for_all_copies();
    if (blockIdx.x == 0) out[threadIdx.x] = values[threadIdx.x];
}
#endif

}  // namespace
}  // namespace on_simt

namespace {

using namespace on_simt;

template <int kBytes>
void check_parts() {
    CAPTURE(kBytes);
    std::vector<unsigned char> bytes(kThreads * kBytes), expected;
    for (size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<unsigned char>(2 + i % 251);
    for (int t = 0; t < kThreads; ++t)
        for (int i = 0; i < kBytes; ++i)
            expected.push_back(i < t % (kBytes + 1) ? bytes[t * kBytes + i] : 0);
    const Buffer<unsigned char> in(Device::simt, bytes), out(Device::simt, bytes.size());
    for (const uint32_t seed : {0u, 1u, 2u, 3u}) {
        with_schedule(seed, [&] {
            launch(copy_parts<kBytes>,
                   {.grid = 1, .block = kThreads, .shared_bytes = kThreads * kBytes}, out.data(),
                   in.data());
        });
        CHECK(out.to_host() == expected);
    }
}

const std::vector<float> kValues = {1.0f, 2.0f, 3.0f, 4.0f};

// What each thread saw: 5 times 4 values.
[[maybe_unused]] std::vector<float> seen_values(uint32_t seed, int threads) {
    const Buffer<float> in(Device::simt, kValues), out(Device::simt, 20 * threads);
    with_schedule(seed, [&] {
        launch(on_simt::copy_groups,
               {.grid = 1, .block = static_cast<unsigned>(threads), .shared_bytes = 1024},
               out.data(), in.data());
    });
    return out.to_host();
}

}  // namespace

TEST_CASE("simt: cp.async copies 4, 8 or 16 bytes, of which the last may be zeros") {
    check_parts<4>();
    check_parts<8>();
    check_parts<16>();
}

#if !defined(FETTLE_CHECK)  // there, each early read is an error
TEST_CASE("simt: a copy lands when its group is waited for, and with threads in order not before") {
    const auto seen = seen_values(/*seed=*/0, /*threads=*/1);
    const int landed[5] = {0, 1, 2, 3, 4};  // groups: first, second, empty, third; then of no group
    for (int step = 0; step < 5; ++step) {
        for (int i = 0; i < 4; ++i) {
            CAPTURE(step);
            CAPTURE(i);
            const float value = seen[step * 4 + i];
            if (i < landed[step]) CHECK(value == kValues[i]);
            if (i >= landed[step]) CHECK(std::isnan(value));
        }
    }
}

TEST_CASE("simt: in random orders a copy may land early, but never after its wait") {
    for (const uint32_t seed : {1u, 2u, 3u}) {
        const auto seen = seen_values(seed, kThreads);
        int early = 0, late = 0;
        for (int t = 0; t < kThreads; ++t) {
            const float* own = &seen[20 * t];
            for (int i = 0; i < 4; ++i) ++(own[i] == kValues[i] ? early : late);
            CHECK(own[4] == 1.0f);
            CHECK(own[9] == 2.0f);
            CHECK(own[14] == 3.0f);
            CHECK(own[19] == 4.0f);
        }
        CHECK(early > 0);
        CHECK(late > 0);
    }
}

TEST_CASE("simt: copies that nothing orders land in either order") {
    const Buffer<float> in(Device::simt, kValues), out(Device::simt, kThreads);
    std::set<float> last;
    for (const uint32_t seed : {1u, 2u, 3u}) {
        with_schedule(seed, [&] {
            launch(on_simt::copy_twice, {.grid = 1, .block = kThreads, .shared_bytes = 256},
                   out.data(), in.data());
        });
        for (const float value : out.to_host()) last.insert(value);
    }
    CHECK(last == std::set<float>{1.0f, 2.0f});
}
#endif

TEST_CASE("simt: copies that are waited for are like any loads and stores") {
    const auto values = normal<float>(kThreads, 0.0, 1.0, /*seed=*/1);
    const Buffer<float> in(Device::simt, values), out(Device::simt, kThreads);
    check_silent(on_simt::reverse_block, out.data(), in.data());
    CHECK(out.to_host() == std::vector<float>(values.rbegin(), values.rend()));
    check_silent(on_simt::update_after_wait, out.data(), in.data());
    CHECK(in.to_host() == std::vector<float>(kThreads, 7.0f));
}

TEST_CASE("simt: copies that nobody waits for, misaligned or stray, are Errors") {
    const Buffer<float> in(Device::simt, kThreads, "the source"), out(Device::simt, kThreads);
    check_reported({"without a wait", "never_waited"}, never_waited, out.data(), in.data());
    check_reported({"misaligned", "misaligned_source"}, misaligned_source, out.data(), in.data());
    check_reported({"misaligned", "misaligned_destination"}, misaligned_destination, out.data(),
                   in.data());
    check_reported({"out of bounds", "behind_shared_memory"}, behind_shared_memory, out.data(),
                   in.data());
    check_reported({"fills 4 bytes with 8", "source_too_long"}, source_too_long, out.data(),
                   in.data());
#if defined(FETTLE_CHECK)
    check_reported({"out of bounds", "stray_source"}, stray_source, out.data(), in.data());
#else
    check_reported({"outside every buffer", ""}, stray_source, out.data(), in.data());
#endif
}

#if defined(FETTLE_CHECK)
TEST_CASE("simt check: bytes of a copy under way are nobody's, and both lines are named") {
    const Buffer<float> buffer(Device::simt, kThreads), source(Device::simt, kThreads);
    float *out = buffer.data(), *in = source.data();
    const std::string kind = "shared race";
    check_reported({kind, "wait_missing", "copy_unawaited"}, wait_missing, out, in);
    check_reported({kind, "wait_for_wrong_group", "copy_of_group"}, wait_for_wrong_group, out, in);
    check_reported({kind, "commit_missing", "copy_uncommitted"}, commit_missing, out, in);
    check_reported({kind, "barrier_missing", "copy_for_others"}, barrier_missing, out, in);
    check_reported({"global race", "source_overwritten", "copy_of_source"}, source_overwritten, out,
                   in);
    check_reported({kind, "destination_written", "copy_to_destination"}, destination_written, out,
                   in);
    check_reported({kind, "stage_reused"}, stage_reused, out, in);
    check_reported({kind, "second_copy", "first_copy"}, copied_twice, out, in);
    check_reported({"not device memory", "source_on_stack"}, source_on_stack, out);
}
#endif
