// Lines and paragraphs, in one go and as the text comes in.

#include "model/text/row_splitter.h"

#include <string>

#include "tests/support/doctest.h"

namespace {

struct Row {
    std::string text;
    int64_t line;
    bool operator==(const Row&) const = default;
};
using Rows = std::vector<Row>;

// The rows of a text of which `window` bytes are seen at first, and ever more until a row ends.
Rows rows_of(std::string_view text, RowEnd end, size_t window, size_t max_rows) {
    Rows rows;
    int64_t line = 1;
    for (size_t seen = window; !text.empty();) {
        const bool at_end = seen >= text.size();
        const SplitRows next = split_rows(text.substr(0, seen), end, at_end, line, max_rows);
        for (const RowText& row : next.rows) rows.push_back({std::string(row.text), row.line});
        CHECK(next.rows.size() <= max_rows);
        if (next.bytes == 0) {
            REQUIRE(!at_end);
            ++seen;
            continue;
        }
        text.remove_prefix(next.bytes);
        line += next.lines;
        seen = window;
    }
    return rows;
}

void check_rows(std::string_view text, RowEnd end, const Rows& expected) {
    for (const size_t window : {1, 2, 3, 5, 8, 13, 100})
        for (const size_t max_rows : {1, 2, 100}) {
            CAPTURE(window);
            CAPTURE(max_rows);
            CHECK(rows_of(text, end, window, max_rows) == expected);
        }
}

}  // namespace

TEST_CASE("rows: lines have their numbers; blank ones are none; the last needs no end") {
    check_rows("one\n\n  \t\ntwo\nthree", RowEnd::line, {{"one", 1}, {"two", 4}, {"three", 5}});
    check_rows("one\r\n\r\n two \r\n", RowEnd::line, {{"one", 1}, {" two ", 3}});
    check_rows("\n\n", RowEnd::line, {});
    check_rows("x", RowEnd::line, {{"x", 1}});
}

TEST_CASE("rows: paragraphs keep their inner ends of line and begin where their first line does") {
    check_rows("\n\none\ntwo\n\nthree\n\n\n  \n\nfour\n", RowEnd::blank_line,
               {{"one\ntwo", 3}, {"three", 6}, {"four", 11}});
    check_rows("one\r\ntwo\r\n\r\nthree", RowEnd::blank_line, {{"one\r\ntwo", 1}, {"three", 4}});
    check_rows("one\ntwo", RowEnd::blank_line, {{"one\ntwo", 1}});
}

TEST_CASE("rows: to JSON any number of \\r is white space") {
    check_rows("{}\r\r\n\r\r\n[]", RowEnd::json_line, {{"{}\r", 1}, {"[]", 3}});
    check_rows("{}\r\r\n\r\r\n[]", RowEnd::line, {{"{}\r", 1}, {"\r", 2}, {"[]", 3}});
}
