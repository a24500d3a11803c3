#include "kernels/core/parallel.h"

#include <atomic>
#include <mutex>
#include <set>

#include "kernels/core/lanes.h"
#include "tests/support/devices.h"
#include "tests/support/doctest.h"

namespace {

std::set<std::pair<int64_t, int64_t>> pieces_of(int64_t count, int64_t grain, int threads) {
    std::set<std::pair<int64_t, int64_t>> pieces;
    std::mutex mutex;
    with_threads(threads, [&] {
        parallel_for(count, grain, [&](int64_t begin, int64_t end) {
            const std::lock_guard lock(mutex);
            pieces.emplace(begin, end);
        });
        return 0;
    });
    return pieces;
}

}  // namespace

TEST_CASE("parallel_for: pieces follow one another from 0 to count, none below the grain") {
    for (const int64_t count : {1, 7, 8, 9, 1000, 100000}) {
        for (const int64_t grain : {1, 8, 1000}) {
            CAPTURE(count);
            CAPTURE(grain);
            int64_t reached = 0;
            for (const auto& [begin, end] : pieces_of(count, grain, 2)) {
                CHECK(begin == reached);
                CHECK((end - begin >= grain || count < grain));
                reached = end;
            }
            CHECK(reached == count);
        }
    }
    CHECK(pieces_of(0, 4, 2).empty());
}

TEST_CASE("parallel_for: the number of threads does not change the pieces") {
    CHECK(pieces_of(100000, 3, 1) == pieces_of(100000, 3, 2));
    CHECK(pieces_of(100000, 3, 1).size() == 256);
}

TEST_CASE("set_threads: num_threads says what was set") {
    CHECK(with_threads(3, [] { return num_threads(); }) == 3);
}

TEST_CASE("sum_in_lanes: adds every term once") {
    for (const int64_t count : {0, 1, 31, 32, 33, 63, 64, 1000}) {
        const float sum = sum_in_lanes(count, [](int64_t i) { return static_cast<float>(i); });
        CHECK(sum == static_cast<float>(count * (count - 1) / 2));
    }
}
