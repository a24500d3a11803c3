// A conversation with a model: what was said, and the next answer.
//
// Each turn renders all messages anew, as the model's chat template has it; the generator computes
// only what its cache does not hold. A conversation that outgrows the model's positions forgets
// its oldest turns, never its system message; room is kept for an answer of max_new_tokens, but no
// more than a quarter of the positions.
#pragma once

#include <string>
#include <vector>

#include "model/generate/text_generator.h"
#include "model/text/chat_template.h"

class Conversation {
public:
    // Borrows the generator. Without a system message the template's default stands.
    Conversation(TextGenerator& generator, ChatTemplate chat, TextOptions options,
                 std::string system = "");

    struct Answer {
        GeneratedText text;
        int forgotten_turns = 0;  // the oldest, to make room
    };
    // Adds the message and the model's answer to it. One that does not fit even alone is an
    // InputError; it, and one whose answer was cancelled before it began, is not added.
    Answer say(const std::string& message, const OnText& on_text = {});
    // Nothing was said.
    void reset();

    const std::vector<ChatMessage>& messages() const { return messages_; }

private:
    std::vector<int32_t> prompt() const;
    int forget_to_fit();

    TextGenerator& generator_;
    const ChatTemplate chat_;
    TextOptions options_;
    const std::string system_;
    std::vector<ChatMessage> messages_;
};
