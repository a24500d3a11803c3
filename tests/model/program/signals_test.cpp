// A first Ctrl-C or SIGTERM is noted, a second one would end the program.

#include "model/program/signals.h"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/support/doctest.h"

TEST_CASE("stop_requested: tells the signal that came, until it is cleared") {
    watch_stop_signals();
    CHECK_FALSE(stop_requested().has_value());
    raise(SIGTERM);
    REQUIRE(stop_requested().has_value());
    CHECK(stop_exit_code(*stop_requested()) == 143);
    clear_stop_request();
    CHECK_FALSE(stop_requested().has_value());
    raise(SIGINT);
    CHECK(stop_exit_code(stop_requested().value_or(0)) == 130);
    clear_stop_request();
    signal(SIGINT, SIG_DFL);
    signal(SIGTERM, SIG_DFL);
}

TEST_CASE("watch_stop_signals: a second signal ends the program at once") {
    const pid_t child = fork();
    if (child == 0) {
        watch_stop_signals();
        raise(SIGINT);
        raise(SIGINT);
        _exit(0);  // not reached
    }
    int status = 0;
    REQUIRE(waitpid(child, &status, 0) == child);
    CHECK(WIFSIGNALED(status));
    CHECK(WTERMSIG(status) == SIGINT);
}

TEST_CASE("watch_interrupted_reads: Ctrl-C is noted and breaks off reads; SIGTERM is as usual") {
    watch_stop_signals();
    raise(SIGTERM);
    watch_interrupted_reads();
    CHECK_FALSE(stop_requested().has_value());
    struct sigaction interrupt = {}, terminate = {};
    sigaction(SIGINT, nullptr, &interrupt);
    sigaction(SIGTERM, nullptr, &terminate);
    CHECK((interrupt.sa_flags & SA_RESTART) == 0);
    CHECK((terminate.sa_handler == SIG_DFL));
    raise(SIGINT);
    CHECK(stop_requested() == SIGINT);
    sigaction(SIGINT, nullptr, &interrupt);
    CHECK((interrupt.sa_handler == SIG_DFL));  // a second one ends the program
    unwatch_stop_signals();
    CHECK_FALSE(stop_requested().has_value());
}

TEST_CASE("unwatch_stop_signals: both signals end the program again") {
    for (const int signal : {SIGINT, SIGTERM}) {
        const pid_t child = fork();
        if (child == 0) {
            watch_stop_signals();
            unwatch_stop_signals();
            raise(signal);
            _exit(0);  // not reached
        }
        int status = 0;
        REQUIRE(waitpid(child, &status, 0) == child);
        CHECK(WIFSIGNALED(status));
        CHECK(WTERMSIG(status) == signal);
    }
}
