// The rows of a text: lines, or paragraphs between blank lines.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

// A row's end of line is no part of it, "\n" or "\r\n".
enum class RowEnd {
    line,
    blank_line,
    json_line,  // a "\r" is white space like others
};

struct RowText {
    std::string_view text;
    int64_t line = 0;  // where it starts, from 1
};

struct SplitRows {
    std::vector<RowText> rows;  // blank ones are none
    size_t bytes = 0;           // that the rows and what is between them take
    int64_t lines = 0;          // likewise
};

// The first rows that end in the text, at most `max_rows`. Its first line is number `first_line`;
// `at_end`: the last row may end with the text.
SplitRows split_rows(std::string_view text, RowEnd end, bool at_end, int64_t first_line,
                     size_t max_rows);
