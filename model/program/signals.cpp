#include "model/program/signals.h"

#include <signal.h>
#include <unistd.h>

#include <atomic>
#include <thread>

namespace {

std::atomic<bool> watched = false;
std::atomic<int> noted_signal = 0;

sigset_t stop_signals() {
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGTERM);
    struct sigaction hang_up = {};
    sigaction(SIGHUP, nullptr, &hang_up);
    if (hang_up.sa_handler != SIG_IGN) sigaddset(&set, SIGHUP);  // nohup ignores it
    return set;
}

// As if nobody had ever asked for the signal.
void end_by(int signal) {
    ::signal(signal, SIG_DFL);
    const sigset_t set = stop_signals();
    pthread_sigmask(SIG_UNBLOCK, &set, nullptr);
    kill(getpid(), signal);
}

void wait_for_signals() {
    const sigset_t set = stop_signals();
    for (int signal = 0; sigwait(&set, &signal) == 0;) {
        int none = 0;
        if (!watched || !noted_signal.compare_exchange_strong(none, signal)) end_by(signal);
    }
}

}  // namespace

void take_stop_signals() {
    const sigset_t set = stop_signals();
    pthread_sigmask(SIG_BLOCK, &set, nullptr);
    std::thread(wait_for_signals).detach();
}

void watch_stop_signals() { watched = true; }

std::optional<int> stop_requested() {
    const int signal = noted_signal;
    return signal == 0 ? std::nullopt : std::optional<int>(signal);
}

void clear_stop_request() {
    noted_signal = 0;
    watch_stop_signals();
}

void unwatch_stop_signals() {
    watched = false;
    noted_signal = 0;
}

int stop_exit_code(int signal) { return 128 + signal; }
