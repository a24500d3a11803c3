#include "model/generate/chat.h"

#include <fmt/core.h>
#include <poll.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstring>
#include <optional>
#include <string>

#include "kernels/core/check.h"
#include "model/program/signals.h"

namespace {

constexpr size_t kMaxLineBytes = size_t{1} << 20;  // far beyond any model's positions

constexpr int kAskEveryMs = 50;

constexpr const char* kHelp =
    "/reset  forget what was said\n"
    "/quit   leave, as Ctrl-D does\n"
    "/help   this list\n"
    "Ctrl-C ends an answer; twice, it leaves. A line that begins with a space is sent as it is.\n";

// Lines of a descriptor; between them, stop_requested() is asked every kAskEveryMs.
class Lines {
public:
    explicit Lines(int input) : input_(input) {}

    enum class Next { line, end, interrupted };
    Next read(std::string& line) {
        for (;;) {
            const size_t newline = held_.find('\n');
            if (newline != std::string::npos || (ended_ && !held_.empty())) {
                line = held_.substr(0, newline);
                held_.erase(0, newline == std::string::npos ? newline : newline + 1);
                if (line.ends_with('\r')) line.pop_back();
                return Next::line;
            }
            if (ended_) return Next::end;
            ENSURE_INPUT(held_.size() <= kMaxLineBytes, "standard input",
                         "a line of more than {} bytes, expected shorter messages", kMaxLineBytes);
            pollfd waited = {.fd = input_, .events = POLLIN, .revents = 0};
            while (poll(&waited, 1, kAskEveryMs) == 0)
                if (stop_requested()) return Next::interrupted;
            char bytes[4096];
            const ssize_t count = ::read(input_, bytes, sizeof bytes);
            ENSURE_INPUT(count >= 0 || errno == EINTR, "standard input", "cannot be read: {}",
                         std::strerror(errno));
            if (count > 0) held_.append(bytes, static_cast<size_t>(count));
            ended_ = count == 0;
        }
    }

private:
    int input_;
    std::string held_;  // read, not yet returned
    bool ended_ = false;
};

class Chat {
public:
    Chat(Conversation& conversation, const ChatConsole& console)
        : conversation_(conversation), console_(console), lines_(console.input) {}

    int run() {
        if (console_.interactive) note("/help lists the commands; Ctrl-D leaves.\n");
        std::string line;
        while (!exit_code_) {
            clear_stop_request();
            if (console_.interactive) note("> ");
            switch (lines_.read(line)) {
                case Lines::Next::end:
                    if (console_.interactive) note("\n");
                    return 0;
                case Lines::Next::interrupted:
                    interrupted_at_prompt();
                    break;
                case Lines::Next::line:
                    interrupts_ = 0;
                    take(line);
            }
        }
        return *exit_code_;
    }

private:
    void note(const std::string& text) const {
        std::fputs(text.c_str(), console_.notes);
        std::fflush(console_.notes);
    }

    void interrupted_at_prompt() {
        const int signal = stop_requested().value_or(SIGINT);
        note("\n");
        if (signal != SIGINT || ++interrupts_ >= 2)
            exit_code_ = stop_exit_code(signal);
        else
            note("(Ctrl-C again or Ctrl-D leaves)\n");
    }

    void take(const std::string& line) {
        if (line.find_first_not_of(" \t") == std::string::npos) return;
        if (!line.starts_with('/')) {
            answer(line);
            return;
        }
        const std::string command = line.substr(0, line.find_last_not_of(" \t") + 1);
        if (command == "/quit") {
            exit_code_ = 0;
        } else if (command == "/reset") {
            conversation_.reset();
            note("(the conversation is empty)\n");
        } else {
            if (command != "/help") note(fmt::format("{}: no such command\n", command));
            note(kHelp);
        }
    }

    void answer(const std::string& message) {
        clear_stop_request();  // and watch for another
        try {
            const Conversation::Answer answer =
                conversation_.say(message, [&](std::string_view piece) {
                    std::fwrite(piece.data(), 1, piece.size(), console_.out);
                    std::fflush(console_.out);
                });
            std::fputc('\n', console_.out);
            std::fflush(console_.out);
            comment(answer);
        } catch (const InputError& error) {
            if (!console_.interactive) throw;
            note(fmt::format("{}\n", error.what()));
        }
        if (const auto signal = stop_requested()) {
            ++interrupts_;
            if (*signal != SIGINT) exit_code_ = stop_exit_code(*signal);
        }
    }

    void comment(const Conversation::Answer& answer) const {
        if (answer.forgotten_turns > 0)
            note(fmt::format("(too long for the model: the oldest {} of the conversation {})\n",
                             answer.forgotten_turns == 1
                                 ? "turn"
                                 : fmt::format("{} turns", answer.forgotten_turns),
                             answer.forgotten_turns == 1 ? "is forgotten" : "are forgotten"));
        if (answer.text.finish_reason == "length")
            note(fmt::format("(cut after {} tokens)\n", answer.text.tokens));
    }

    Conversation& conversation_;
    const ChatConsole& console_;
    Lines lines_;
    int interrupts_ = 0;  // since the last line
    std::optional<int> exit_code_;
};

// Signals are the program's own again, however the conversation ends.
struct SignalsBack {
    ~SignalsBack() { unwatch_stop_signals(); }
};

}  // namespace

int chat(Conversation& conversation, const ChatConsole& console) {
    const SignalsBack at_the_end;
    return Chat(conversation, console).run();
}
