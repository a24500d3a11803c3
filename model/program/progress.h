// What a person sees of a long run, on stderr: on a terminal a bar that is redrawn in place, with
// log lines above it; elsewhere the log lines alone.
#pragma once

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <optional>
#include <string>

struct ProgressState {
    std::string label;  // "train", "eval wikitext"
    int64_t step = 0;   // done
    int64_t total_steps = 0;
    std::optional<double> loss = {};
    std::optional<double> tokens_per_second = {};
    std::optional<double> seconds_left = {};
};

// "  train  [#######.......]  50%  100/200  loss 3.214  1,234 tokens/s  1:05 left", fitted to
// `columns`: the bar gives way first, then what stands at the end. `colour`: the bar in green.
std::string progress_line(const ProgressState& state, int columns, bool colour);
// "0:07", "12:34", "3:05:09"; "--" for what is not finite.
std::string duration_text(double seconds);
// "1234567" as "1,234,567".
std::string grouped_digits(int64_t value);

class Progress {
public:
    // Steps up to `first_step` were done by an earlier run and do not count for the time left.
    explicit Progress(std::string label, int64_t total_steps, int64_t first_step = 0,
                      std::FILE* stream = stderr);
    Progress(const Progress&) = delete;
    Progress& operator=(const Progress&) = delete;
    ~Progress();  // takes the bar away

    // Redraws at most ten times a second. The loss and the speed stay until they are given anew.
    void update(int64_t step, std::optional<double> loss = {},
                std::optional<double> tokens_per_second = {});
    // A line that stays.
    void log(const std::string& line);

private:
    using Clock = std::chrono::steady_clock;
    void draw();
    void erase();

    std::FILE* stream_;
    bool is_terminal_, colour_;
    ProgressState state_;
    int64_t first_step_;
    Clock::time_point start_, drawn_at_;
    bool drawn_ = false;
};

// Reading an input: a bar in megabytes once it takes longer than a second, and of a large one a
// line at the end.
class ReadingProgress {
public:
    ReadingProgress(const std::string& what, int64_t total_bytes);
    ReadingProgress(const ReadingProgress&) = delete;
    ReadingProgress& operator=(const ReadingProgress&) = delete;

    void update(int64_t bytes);

private:
    std::string what_;
    int64_t total_bytes_;
    Progress bar_;
    std::chrono::steady_clock::time_point start_;
};
