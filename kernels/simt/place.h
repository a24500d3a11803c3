// A line of a kernel's source, for messages. As a default argument it is the caller's line.
#pragma once

#include <string>

namespace simt {

struct Place {
    const char* file = "";
    int line = 0;

    bool operator==(const Place& other) const { return line == other.line; }
    std::string text() const { return std::string(file) + ":" + std::to_string(line); }
};

}  // namespace simt

#define FETTLE_HERE \
    ::simt::Place { __builtin_FILE(), __builtin_LINE() }
