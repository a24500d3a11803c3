#include "model/program/signals.h"

#include <signal.h>

namespace {

volatile sig_atomic_t noted_signal = 0;

void note(int signal) { noted_signal = signal; }

}  // namespace

void watch_stop_signals() {
    struct sigaction action = {};
    action.sa_handler = note;
    // RESETHAND: the second signal finds the default action. RESTART: reads and writes go on.
    action.sa_flags = static_cast<int>(SA_RESETHAND) | SA_RESTART;
    sigemptyset(&action.sa_mask);
    sigaction(SIGINT, &action, nullptr);
    sigaction(SIGTERM, &action, nullptr);
}

std::optional<int> stop_requested() {
    const int signal = noted_signal;
    return signal == 0 ? std::nullopt : std::optional<int>(signal);
}

void clear_stop_request() {
    noted_signal = 0;
    watch_stop_signals();
}

int stop_exit_code(int signal) { return 128 + signal; }
