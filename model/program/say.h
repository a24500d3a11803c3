// What a program tells its user beside its results, on stderr.
#pragma once

#include <fmt/format.h>

#include <cstdio>
#include <string>
#include <utility>

// That it cannot be written (a closed terminal, a full disk behind 2>) is no reason to stop a run.
template <class... Args>
void say(fmt::format_string<Args...> format, Args&&... args) {
    const std::string text = fmt::format(format, std::forward<Args>(args)...);
    std::fwrite(text.data(), 1, text.size(), stderr);
}

// A line of its own; nothing where there is nothing to note.
inline void say_note(const std::string& text) {
    if (!text.empty()) say("{}\n", text);
}
