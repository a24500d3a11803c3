// bin/generate --chat: a conversation line by line, on a terminal or through pipes.
//
// A line is a message; one that begins with "/" is a command; blank ones are passed over. Ctrl-C
// ends the answer that is being written; another one, or one at the prompt and another, leaves, as
// does the end of the input (Ctrl-D).
#pragma once

#include <cstdio>

#include "model/generate/conversation.h"

struct ChatConsole {
    int input = 0;              // file descriptor
    std::FILE* out = stdout;    // answers, a newline after each
    std::FILE* notes = stderr;  // everything else
    bool interactive = false;   // someone is typing: prompt, and go on after a bad message
};

// Returns the exit code: 0; 130 or 143 where Ctrl-C or SIGTERM ended it.
int chat(Conversation& conversation, const ChatConsole& console);
