#include "model/program/signals.h"

#include <signal.h>

namespace {

volatile sig_atomic_t noted_signal = 0;

void note(int signal) { noted_signal = signal; }

// RESETHAND: the second signal finds the default action.
void handle(int signal, void (*handler)(int), int flags) {
    struct sigaction action = {};
    action.sa_handler = handler;
    action.sa_flags = flags;
    sigemptyset(&action.sa_mask);
    sigaction(signal, &action, nullptr);
}

constexpr int kOnce = static_cast<int>(SA_RESETHAND);
constexpr int kReadsGoOn = SA_RESTART;

}  // namespace

void watch_stop_signals() {
    handle(SIGINT, note, kOnce | kReadsGoOn);
    handle(SIGTERM, note, kOnce | kReadsGoOn);
}

void watch_interrupted_reads() {
    noted_signal = 0;
    handle(SIGINT, note, kOnce);
    handle(SIGTERM, SIG_DFL, 0);
}

void unwatch_stop_signals() {
    noted_signal = 0;
    handle(SIGINT, SIG_DFL, 0);
    handle(SIGTERM, SIG_DFL, 0);
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
