#include "model/text/row_splitter.h"

#include <algorithm>

SplitRows split_rows(std::string_view text, RowEnd row_end, bool at_end, int64_t first_line,
                     size_t max_rows) {
    SplitRows found;
    const char* const blanks = row_end == RowEnd::json_line ? " \t\r" : " \t";
    size_t begin = 0, end = 0;  // of the row so far; the same between rows
    int64_t line = first_line, row_line = 0;
    const auto finish_row = [&](size_t next) {
        if (begin < end) found.rows.push_back({text.substr(begin, end - begin), row_line});
        begin = end = 0;
        found.bytes = next;
        found.lines = line - first_line;
    };
    for (size_t at = 0; at < text.size() && found.rows.size() < max_rows;) {
        const size_t newline = text.find('\n', at);
        if (newline == std::string_view::npos && !at_end) break;
        const size_t line_end = std::min(newline, text.size());
        std::string_view content = text.substr(at, line_end - at);
        if (content.ends_with('\r')) content.remove_suffix(1);
        const bool blank = content.find_first_not_of(blanks) == std::string_view::npos;
        if (!blank && begin == end) {
            begin = at;
            row_line = line;
        }
        if (!blank) end = at + content.size();
        ++line;
        at = std::min(line_end + 1, text.size());
        const bool is_last = at_end && at == text.size();
        if (blank || is_last || row_end != RowEnd::blank_line) finish_row(at);
    }
    return found;
}
