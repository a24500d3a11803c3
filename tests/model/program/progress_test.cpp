// The line of the progress bar, and what a file or a pipe gets instead of a bar.

#include "model/program/progress.h"

#include <limits>

#include "tests/support/doctest.h"

namespace {

ProgressState halfway() {
    return {.label = "train",
            .step = 1000,
            .total_steps = 2000,
            .loss = 3.21449,
            .tokens_per_second = 12345.6,
            .seconds_left = 65};
}

}  // namespace

TEST_CASE("progress_line: bar, counts, loss, speed and time left") {
    CHECK(progress_line(halfway(), 120, false) ==
          "train  [###############...............]   50%  1,000/2,000  loss 3.214  "
          "12,346 tokens/s  1:05 left");
}

TEST_CASE("progress_line: fits any width and leaves the last column free") {
    for (int columns = 1; columns <= 130; ++columns) {
        CAPTURE(columns);
        CHECK(static_cast<int>(progress_line(halfway(), columns, false).size()) < columns);
    }
}

TEST_CASE("progress_line: colour only if asked for") {
    CHECK(progress_line(halfway(), 120, false).find('\x1b') == std::string::npos);
    CHECK(progress_line(halfway(), 120, true).find("\x1b[32m") != std::string::npos);
}

TEST_CASE("progress_line: is full only at the last step, and empty for a run of none") {
    ProgressState state = {.label = "train", .step = 1999, .total_steps = 2000};
    CHECK(progress_line(state, 120, false).find(" 99%") != std::string::npos);
    state.step = 2000;
    CHECK(progress_line(state, 120, false).find("100%") != std::string::npos);
    CHECK(progress_line({.label = "train"}, 120, false).find("  0%") != std::string::npos);
}

TEST_CASE("duration_text, grouped_digits: for reading") {
    CHECK(duration_text(0) == "0:00");
    CHECK(duration_text(59.6) == "1:00");
    CHECK(duration_text(3600 * 3 + 5 * 60 + 9) == "3:05:09");
    CHECK(duration_text(std::numeric_limits<double>::infinity()) == "--");
    CHECK(grouped_digits(0) == "0");
    CHECK(grouped_digits(999) == "999");
    CHECK(grouped_digits(-1000) == "-1,000");
    CHECK(grouped_digits(-100) == "-100");
    CHECK(grouped_digits(1234567) == "1,234,567");
}

TEST_CASE("Progress: where there is no terminal only the log lines are written") {
    char* text = nullptr;
    size_t size = 0;
    std::FILE* const stream = std::tmpfile();
    REQUIRE(stream != nullptr);
    {
        Progress progress("train", 10, 0, stream);
        progress.update(1, 3.0, 100.0);
        progress.log("step 1  loss 3.000");
        progress.update(2);
    }
    std::rewind(stream);
    const auto read = getline(&text, &size, stream);
    CHECK(std::string(text, static_cast<size_t>(read)) == "step 1  loss 3.000\n");
    CHECK(getline(&text, &size, stream) == -1);
    std::free(text);
    std::fclose(stream);
}
