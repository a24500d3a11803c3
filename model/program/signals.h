// Ctrl-C and SIGTERM as a question that a loop asks between two steps.
#pragma once

#include <optional>

// From here on the first SIGINT or SIGTERM is only noted; a second one ends the program as usual.
void watch_stop_signals();
// The signal noted, if any.
std::optional<int> stop_requested();
// Forgets it and watches again: an answer was stopped, the conversation goes on.
void clear_stop_request();
// While a prompt waits: a SIGINT is noted and breaks off a blocked read (EINTR), a second one ends
// the program as usual; SIGTERM does so at once. Forgets what was noted.
void watch_interrupted_reads();
// Both signals end the program as usual; forgets what was noted.
void unwatch_stop_signals();
// What the program exits with: 130 after SIGINT, 143 after SIGTERM.
int stop_exit_code(int signal);
