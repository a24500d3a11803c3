// A line of a kernel's source, for messages.
#pragma once

#include <string>

namespace simt {

struct Place {
    const char* file = "";
    int line = 0;

    bool operator==(const Place&) const = default;
    std::string text() const { return std::string(file) + ":" + std::to_string(line); }
};

}  // namespace simt

// The last parameters of a device function: the place of its caller, who passes neither.
#define FETTLE_CALLER const char *file = __builtin_FILE(), int line = __builtin_LINE()
