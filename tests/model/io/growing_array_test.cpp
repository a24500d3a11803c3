// An array in memory, in a file, and in both.

#include "model/io/growing_array.h"

#include <algorithm>
#include <numeric>

#include "tests/support/doctest.h"

namespace {

// 0, 1, 2, ... appended 1, 2, 3, ... at once.
GrowingArray<int32_t> counted(int32_t count, int64_t bytes_in_memory) {
    GrowingArray<int32_t> array("numbers", bytes_in_memory);
    std::vector<int32_t> numbers(static_cast<size_t>(count));
    std::iota(numbers.begin(), numbers.end(), 0);
    size_t done = 0;
    for (size_t part = 1; done < numbers.size(); done += part++)
        array.append(std::span(numbers).subspan(done, std::min(part, numbers.size() - done)));
    return array;
}

}  // namespace

TEST_CASE("growing array: wherever its elements are, they are those appended") {
    for (const int64_t limit : {0, 4, 100, 4096, 1 << 20}) {
        CAPTURE(limit);
        const GrowingArray<int32_t> array = counted(5000, limit);
        REQUIRE(array.size() == 5000);
        bool same = true;
        for (int32_t i = 0; i < 5000; ++i) same = same && array[i] == i;
        CHECK(same);
    }
}

TEST_CASE("growing array: what was appended at once is one span") {
    for (const int64_t limit : {0, 4, 100, 4096, 1 << 20}) {
        CAPTURE(limit);
        const GrowingArray<int32_t> array = counted(5050, limit);
        bool same = true;
        for (int32_t part = 1, begin = 0; part <= 100; begin += part++) {
            const auto span = array.slice(begin, part);
            same = same && span.size() == static_cast<size_t>(part) && span.front() == begin &&
                   span.back() == begin + part - 1;
        }
        CHECK(same);
        CHECK(array.slice(5050, 0).empty());
        CHECK(array.slice(0, 0).empty());
    }
}

TEST_CASE("growing array: what was forgotten is read again") {
    const GrowingArray<int32_t> array = counted(50'000, 0);
    const auto sum = [&] {
        int64_t all = 0;
        for (int64_t i = 0; i < array.size(); ++i) all += array[i];
        return all;
    };
    const int64_t before = sum();
    array.forget_read();
    CHECK(sum() == before);
    CHECK(before == int64_t{50'000} * 49'999 / 2);
}

TEST_CASE("growing array: a moved one goes on growing") {
    GrowingArray<int32_t> array = counted(1000, 64);
    GrowingArray<int32_t> moved(std::move(array));
    moved.append(7);
    CHECK(moved.size() == 1001);
    CHECK(moved[1000] == 7);
    CHECK(moved[999] == 999);
}
