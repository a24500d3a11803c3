// Ctrl-C, SIGTERM and a lost terminal as a question that a loop asks between two steps.
#pragma once

#include <optional>

// First thing in main, before any other thread exists: from here on a thread of its own waits for
// SIGINT, SIGTERM and SIGHUP. No handler ever runs on another thread's stack, because oneDNN's
// generated code keeps data below the stack pointer, which a handler's frame would overwrite (seen:
// every eighth Ctrl-C during sgemm crashed).
void take_stop_signals();
// From here on the first signal is only noted; before, and the second time, it ends the program as
// usual.
void watch_stop_signals();
// The signal noted, if any.
std::optional<int> stop_requested();
// Forgets it and watches again: an answer was stopped, the conversation goes on.
void clear_stop_request();
// Both end the program as usual again; forgets what was noted.
void unwatch_stop_signals();
// What the program exits with: 130 after SIGINT, 143 after SIGTERM, 129 after SIGHUP.
int stop_exit_code(int signal);
