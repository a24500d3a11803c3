// New keys and values into the cache: every device against the reference, bit for bit.

#include "kernels/attention/cache_append.h"

#include "kernels/attention/cache_append_reference.h"
#include "tests/support/devices.h"
#include "tests/support/doctest.h"

namespace {

struct Rows {
    std::vector<int32_t> added;   // new tokens of each row
    std::vector<int32_t> before;  // in the cache already
    int width;
};
const Rows kCases[] = {{{1}, {0}, 1},
                       {{33}, {5}, 31},
                       {{1, 1, 1, 1, 1}, {0, 7, 31, 2, 9}, 33},
                       {{4, 0, 257, 0, 0, 3}, {1, 8, 0, 0, 3, 2}, 64},
                       {{2, 31}, {30, 1}, 257}};
constexpr int kCapacity = 260;

template <typename T>
struct Caches {
    std::vector<T> keys, values;
};

template <typename T, typename Op>
Caches<T> append(const Rows& rows, Device device, const Op& op) {
    const auto count = static_cast<int>(rows.added.size());
    std::vector<int32_t> starts = {0}, counts;
    std::vector<int64_t> key_starts;
    for (int r = 0; r < count; ++r) {
        starts.push_back(starts.back() + rows.added[r]);
        counts.push_back(rows.before[r] + rows.added[r]);
        key_starts.push_back(int64_t{count - 1 - r} * kCapacity);  // in any order
    }
    const int64_t tokens = starts.back(), stride = 2 * rows.width + 3;
    const int64_t elements = int64_t{count} * kCapacity * rows.width;
    Buffer<T> fresh(device, normal<T>(tokens * stride, 0.0, 1.0, /*seed=*/1));
    Buffer<T> keys(device, normal<T>(elements, 0.0, 1.0, /*seed=*/2));
    Buffer<T> values(device, normal<T>(elements, 0.0, 1.0, /*seed=*/3));
    const Buffer<int32_t> query_starts(device, starts), key_counts(device, counts);
    const Buffer<int64_t> places(device, key_starts);
    op(CacheAppend<T>{.key_cache = keys.data(),
                      .value_cache = values.data(),
                      .k = fresh.data() + 1,
                      .v = fresh.data() + rows.width + 2,
                      .query_starts = query_starts.data(),
                      .key_starts = places.data(),
                      .key_counts = key_counts.data(),
                      .tokens = tokens,
                      .rows = count,
                      .width = rows.width,
                      .stride = stride});
    return {keys.to_host(), values.to_host()};
}

}  // namespace

TEST_CASE_TEMPLATE("cache_append: agrees with the reference", T, float, bf16) {
    for (const Rows& rows : kCases) {
        CAPTURE(rows.width);
        const auto actual = append<T>(rows, tested_device(),
                                      [](const auto& args) { cache_append(args, test_stream()); });
        const auto expected =
            append<T>(rows, Device::cpu, [](const auto& args) { cache_append_reference(args); });
        CHECK(same_bits(actual.keys, expected.keys));
        CHECK(same_bits(actual.values, expected.values));
    }
}

TEST_CASE("cache_append: a token lands behind those of its row") {
    const std::vector<float> k = {1, 2}, v = {3, 4};
    Buffer<float> fresh_k(tested_device(), k), fresh_v(tested_device(), v),
        keys(tested_device(), 6), values(tested_device(), 6);
    const Buffer<int32_t> starts(tested_device(), std::vector<int32_t>{0, 1, 2}),
        counts(tested_device(), std::vector<int32_t>{2, 3});
    const Buffer<int64_t> places(tested_device(), std::vector<int64_t>{0, 3});
    cache_append(CacheAppend<float>{.key_cache = keys.data(),
                                    .value_cache = values.data(),
                                    .k = fresh_k.data(),
                                    .v = fresh_v.data(),
                                    .query_starts = starts.data(),
                                    .key_starts = places.data(),
                                    .key_counts = counts.data(),
                                    .tokens = 2,
                                    .rows = 2,
                                    .width = 1,
                                    .stride = 1},
                 test_stream());
    CHECK(keys.to_host() == std::vector<float>{0, 1, 0, 0, 0, 2});
    CHECK(values.to_host() == std::vector<float>{0, 3, 0, 0, 0, 4});
}
