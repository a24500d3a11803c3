// A first Ctrl-C or SIGTERM is noted, a second one, or one that nobody watches for, ends the
// program. Each case in a process of its own: signals belong to the whole of it.

#include "model/program/signals.h"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/support/doctest.h"

namespace {

// How a process that runs `body` ends: its exit code, or 128 + the signal.
template <class Body>
int end_of(Body body) {
    const pid_t child = fork();
    if (child == 0) {
        take_stop_signals();
        _exit(body());
    }
    int status = 0;
    REQUIRE(waitpid(child, &status, 0) == child);
    return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

// The code of the signal that was noted within ten seconds; 1 for none.
int noted_code() {
    for (int i = 0; i < 1000 && !stop_requested(); ++i) usleep(10'000);
    return stop_requested() ? stop_exit_code(*stop_requested()) : 1;
}

int send_and_wait(int signal) {
    kill(getpid(), signal);
    return noted_code();
}

}  // namespace

TEST_CASE("stop_requested: tells the signal that came, until it is cleared") {
    CHECK(end_of([] {
              watch_stop_signals();
              if (stop_requested() || send_and_wait(SIGTERM) != 143) return 2;
              clear_stop_request();
              return stop_requested() ? 3 : send_and_wait(SIGINT);
          }) == 130);
}

TEST_CASE("watch_stop_signals: a second signal ends the program at once") {
    CHECK(end_of([] {
              watch_stop_signals();
              send_and_wait(SIGINT);
              kill(getpid(), SIGINT);
              sleep(10);
              return 0;  // not reached
          }) == 128 + SIGINT);
}

TEST_CASE("take_stop_signals: a signal that nobody watches for ends the program at once") {
    CHECK(end_of([] {
              kill(getpid(), SIGTERM);
              sleep(10);
              return 0;  // not reached
          }) == 128 + SIGTERM);
}
