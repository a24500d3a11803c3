#include "model/program/progress.h"

#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <vector>

namespace {

constexpr int kWidestBar = 30;
constexpr int kNarrowestBar = 8;
constexpr std::chrono::milliseconds kRedrawEvery{100};
constexpr double kMegabyte = 1e6;
constexpr int64_t kLargeInputBytes = 100'000'000;

int64_t megabytes(int64_t bytes) { return std::llround(static_cast<double>(bytes) / kMegabyte); }

// https://no-color.org: any value but an empty one asks for no colour.
bool colour_wanted() {
    const char* const no_color = std::getenv("NO_COLOR");
    return no_color == nullptr || no_color[0] == '\0';
}

int terminal_columns(std::FILE* stream) {
    winsize size = {};
    const bool known = ioctl(fileno(stream), TIOCGWINSZ, &size) == 0 && size.ws_col > 0;
    return known ? size.ws_col : 80;
}

double share_done(const ProgressState& state) {
    if (state.total_steps <= 0) return 0.0;
    return std::clamp(static_cast<double>(state.step) / state.total_steps, 0.0, 1.0);
}

std::string bar_text(double share, int width, bool colour) {
    const int filled = static_cast<int>(share * width);
    return fmt::format("[{}{}{}{}]", colour ? "\x1b[32m" : "", std::string(filled, '#'),
                       colour ? "\x1b[0m" : "", std::string(width - filled, '.'));
}

// Without a complaint: a log that cannot be written is no reason to stop a run.
void put(std::FILE* stream, const std::string& text) {
    std::fwrite(text.data(), 1, text.size(), stream);
}

}  // namespace

std::string duration_text(double seconds) {
    if (!std::isfinite(seconds) || seconds < 0) return "--";
    const auto whole = static_cast<int64_t>(std::llround(seconds));
    const int64_t hours = whole / 3600, minutes = whole / 60 % 60;
    return hours > 0 ? fmt::format("{}:{:02}:{:02}", hours, minutes, whole % 60)
                     : fmt::format("{}:{:02}", minutes, whole % 60);
}

std::string grouped_digits(int64_t value) {
    std::string text = fmt::format("{}", value);
    const int first_digit = value < 0 ? 1 : 0;
    for (int at = static_cast<int>(text.size()) - 3; at > first_digit; at -= 3)
        text.insert(at, ",");
    return text;
}

std::string progress_line(const ProgressState& state, int columns, bool colour) {
    const double share = share_done(state);
    std::vector<std::string> parts = {
        fmt::format("{:3.0f}%", std::floor(share * 100)),
        fmt::format("{}/{}", grouped_digits(state.step), grouped_digits(state.total_steps))};
    if (state.loss) parts.push_back(fmt::format("loss {:.3f}", *state.loss));
    if (state.tokens_per_second)
        parts.push_back(grouped_digits(std::llround(*state.tokens_per_second)) + " tokens/s");
    if (state.seconds_left) parts.push_back(duration_text(*state.seconds_left) + " left");

    const auto rest_of = [&] { return fmt::format("  {}", fmt::join(parts, "  ")); };
    const auto bar_width = [&] {  // one column stays free: a full line would wrap
        const int taken = static_cast<int>(state.label.size() + 4 + rest_of().size()) + 1;
        return std::min(kWidestBar, columns - taken);
    };
    while (bar_width() < kNarrowestBar && parts.size() > 1) parts.pop_back();
    if (bar_width() < kNarrowestBar) return state.label.substr(0, std::max(0, columns - 1));
    return fmt::format("{}  {}{}", state.label, bar_text(share, bar_width(), colour), rest_of());
}

Progress::Progress(std::string label, int64_t total_steps, int64_t first_step, std::FILE* stream)
    : stream_(stream),
      is_terminal_(isatty(fileno(stream)) == 1),
      colour_(colour_wanted()),
      first_step_(first_step),
      start_(Clock::now()) {
    state_.label = std::move(label);
    state_.total_steps = total_steps;
    state_.step = first_step;
}

Progress::~Progress() { erase(); }

void Progress::update(int64_t step, std::optional<double> loss,
                      std::optional<double> tokens_per_second) {
    state_.step = step;
    if (loss) state_.loss = loss;
    if (tokens_per_second) state_.tokens_per_second = tokens_per_second;
    if (!is_terminal_ || (drawn_ && Clock::now() - drawn_at_ < kRedrawEvery)) return;
    const std::chrono::duration<double> elapsed = Clock::now() - start_;
    if (step > first_step_)
        state_.seconds_left = elapsed.count() / static_cast<double>(step - first_step_) *
                              static_cast<double>(state_.total_steps - step);
    draw();
}

void Progress::log(const std::string& line) {
    const bool was_drawn = drawn_;
    erase();
    put(stream_, line + "\n");
    if (was_drawn) draw();
    std::fflush(stream_);
}

void Progress::draw() {
    put(stream_, "\r\x1b[K" + progress_line(state_, terminal_columns(stream_), colour_));
    std::fflush(stream_);
    drawn_ = true;
    drawn_at_ = Clock::now();
}

void Progress::erase() {
    if (!drawn_) return;
    std::fputs("\r\x1b[K", stream_);
    std::fflush(stream_);
    drawn_ = false;
}

ReadingProgress::ReadingProgress(const std::string& what, int64_t total_bytes)
    : what_(what),
      total_bytes_(total_bytes),
      bar_("reading " + what + ", MB", megabytes(total_bytes)),
      start_(std::chrono::steady_clock::now()) {}

void ReadingProgress::update(int64_t bytes) {
    const std::chrono::duration<double> elapsed = std::chrono::steady_clock::now() - start_;
    if (elapsed.count() > 1.0) bar_.update(megabytes(bytes));
    if (bytes != total_bytes_ || total_bytes_ < kLargeInputBytes) return;
    bar_.log(fmt::format("{}: {} MB read in {:.1f} s, {:.0f} MB/s", what_,
                         grouped_digits(megabytes(bytes)), elapsed.count(),
                         static_cast<double>(bytes) / kMegabyte / elapsed.count()));
    total_bytes_ = 0;  // said once
}
