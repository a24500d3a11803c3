// Turns a row's tokens into text as they come: whole characters only, and nothing that may still
// become a stop text.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

class TextStream {
public:
    using Write = std::function<void(std::string_view)>;
    TextStream(std::vector<std::string> stops, Write write)
        : stops_(std::move(stops)), write_(std::move(write)) {}

    // Adds a token's bytes. True once a stop text has appeared: what is before it was written, it
    // and the rest are not, and nothing more may be pushed.
    bool push(std::string_view bytes);
    // Writes what was held back: the row has ended.
    void finish();

private:
    std::vector<std::string> stops_;
    Write write_;
    std::string held_;  // not written yet
};
