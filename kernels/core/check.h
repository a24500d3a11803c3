// Checks whose failure ends the program with a message, and the two kinds of blame.
//
//   ENSURE_INPUT(condition, source, format, ...)   a bad file, flag or row: InputError, exit 2.
//                                                  `source` names it and starts the message.
//   ENSURE(condition, format, ...)                 a caller's mistake inside Fettle: Error, exit 1.
//
// Messages say what was found and what was expected; `assert` is for our own invariants.
#pragma once

#if defined(__CUDACC__)
#define FMT_USE_CONSTEXPR 1  // fmt turns it off for nvcc, and then does not compile as C++20
#endif
#include <fmt/core.h>

#include <stdexcept>
#include <string>

// Our fault: wrong shapes between our own parts, a device call that failed. Exit code 1.
class Error : public std::runtime_error {
    using std::runtime_error::runtime_error;
};

// The user's fault: what a file, a flag or a row says cannot be used. Exit code 2.
class InputError : public std::runtime_error {
    using std::runtime_error::runtime_error;
};

#define ENSURE(condition, ...)                                   \
    do {                                                         \
        if (!(condition)) throw Error(fmt::format(__VA_ARGS__)); \
    } while (0)

#define ENSURE_INPUT(condition, source, ...)                                           \
    do {                                                                               \
        if (!(condition))                                                              \
            throw InputError(fmt::format("{}: {}", source, fmt::format(__VA_ARGS__))); \
    } while (0)
