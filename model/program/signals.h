// Ctrl-C and SIGTERM as a question that a loop asks between two steps.
#pragma once

#include <optional>

// From here on the first SIGINT or SIGTERM is only noted; a second one ends the program as usual.
void watch_stop_signals();
// The signal noted, if any.
std::optional<int> stop_requested();
// Forgets it and watches again: an answer was stopped, the conversation goes on.
void clear_stop_request();
// What the program exits with: 130 after SIGINT, 143 after SIGTERM.
int stop_exit_code(int signal);
