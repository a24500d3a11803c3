// One flag: what it takes and how it shows its value. Finding flags by name: flags_test.cpp.

#include <limits>

#include "kernels/core/check.h"
#include "model/program/flags.h"
#include "tests/support/doctest.h"

namespace {

template <typename T>
Flag flag_of(T& variable) {
    return Flag("x", &variable, "Help.", "Group");
}

}  // namespace

TEST_CASE("Flag: every type reads back the text of its own value") {
    double number = 0.1 + 0.2;
    int64_t whole = std::numeric_limits<int64_t>::min();
    std::vector<std::string> list = {"a", "b"};
    std::optional<bool> maybe = true;
    std::optional<double> nothing;
    CHECK(flag_of(number).value_text() == "0.30000000000000004");
    CHECK(flag_of(whole).value_text() == "-9223372036854775808");
    CHECK(flag_of(list).value_text() == "a,b");
    CHECK(flag_of(maybe).value_text() == "true");
    CHECK(flag_of(nothing).value_text().empty());

    double copy = 0;
    flag_of(copy).take({flag_of(number).value_text()}, "--x", false);
    CHECK(copy == number);
    int64_t whole_copy = 0;
    flag_of(whole_copy).take({flag_of(whole).value_text()}, "--x", false);
    CHECK(whole_copy == whole);
}

TEST_CASE("Flag: bounds are inclusive but for below(), and named") {
    double number = 0;
    Flag flag = flag_of(number).at_least(0).below(1);
    flag.take({"0"}, "--x", false);
    CHECK_THROWS_WITH_AS(flag.take({"1"}, "--x", false),
                         "--x: expected a number of at least 0 and below 1, found '1'", InputError);
    Flag closed = flag_of(number).range(0, 1);
    closed.take({"1"}, "--x", false);
    CHECK(number == 1);
    CHECK_THROWS_AS(closed.take({"1.0001"}, "--x", false), InputError);
}

TEST_CASE("Flag: choices hold for each element of a list") {
    std::vector<std::string> list;
    Flag flag = flag_of(list).choices({"a", "b"});
    flag.take({"a", "b"}, "--x", false);
    CHECK_THROWS_WITH_AS(flag.take({"a", "c"}, "--x", false), "--x: expected a or b, found 'c'",
                         InputError);
}

TEST_CASE("Flag: a refused value leaves an optional as it was") {
    std::optional<int64_t> maybe;
    CHECK_THROWS_AS(flag_of(maybe).take({"x"}, "--x", false), InputError);
    CHECK_FALSE(maybe.has_value());
    CHECK_THROWS_WITH_AS(flag_of(maybe).take({"1", "2"}, "--x", false),
                         "--x: found a list of 2, expected a single value", InputError);
}
