// Kernels with a planted bug: each line that a check build must name ends in "// BUG name".
#pragma once

#include <fstream>
#include <string>
#include <type_traits>
#include <vector>

#include "tests/support/doctest.h"
#include "tests/support/emulated.h"

// What launching `kernel` reports in each of several orders of threads.
template <typename... Arguments>
std::vector<std::string> reports(void (*kernel)(Arguments...),
                                 std::type_identity_t<Arguments>... a) {
    std::vector<std::string> texts;
    for (const uint32_t seed : {0u, 1u, 2u, 3u, 77u})
        texts.push_back(error_in_order(seed, kernel, a...));
    return texts;
}

// "file.cpp:12", where line 12 of `path` ends in "// BUG name".
inline std::string line_of(const std::string& name, const char* path) {
    std::ifstream file(path);
    std::string line;
    for (int number = 1; std::getline(file, line); ++number)
        if (line.ends_with("// BUG " + name))
            return std::string(path).substr(std::string(path).rfind('/') + 1) + ":" +
                   std::to_string(number);
    return "no such line";
}

// A bug and what every report of it must say; `other_line` names the other access, if any.
struct PlantedBug {
    std::string kind;
    std::string line;
    std::string other_line = "";
    const char* path = __builtin_FILE();
};

template <typename... Arguments>
void check_reported(const PlantedBug& bug, void (*kernel)(Arguments...),
                    std::type_identity_t<Arguments>... arguments) {
    for (const std::string& text : reports(kernel, arguments...)) {
        CAPTURE(text);
        CHECK(contains(text, bug.kind));
        for (const std::string& name : {bug.line, bug.other_line}) {
            CAPTURE(name);
            if (!name.empty()) CHECK(contains(text, line_of(name, bug.path)));
        }
    }
}

template <typename... Arguments>
void check_silent(void (*kernel)(Arguments...), std::type_identity_t<Arguments>... arguments) {
    for (const std::string& text : reports(kernel, arguments...)) CHECK(text == "");
}
