#include "model/generate/conversation.h"

#include <algorithm>

#include "kernels/core/check.h"

Conversation::Conversation(TextGenerator& generator, ChatTemplate chat, TextOptions options,
                           std::string system)
    : generator_(generator),
      chat_(std::move(chat)),
      options_(std::move(options)),
      system_(std::move(system)) {
    ENSURE(options_.rows == 1, "conversation: {} answers at once, expected 1", options_.rows);
    // Models of this template end their turn with one token; others may spell it.
    const auto ids = generator_.tokenizer().encode(chat_.turn_end());
    if (ids.size() == 1)
        options_.end_tokens.push_back(ids.front());
    else
        options_.stop.emplace_back(chat_.turn_end());
    reset();
}

void Conversation::reset() {
    messages_.clear();
    if (!system_.empty()) messages_.push_back({"system", system_});
}

std::vector<int32_t> Conversation::prompt() const {
    return generator_.tokenizer().encode(chat_.render(messages_, /*add_generation_prompt=*/true));
}

// Drops the oldest turns, a message and its answer each, until prompt and answer have room.
int Conversation::forget_to_fit() {
    const int64_t positions = generator_.config().max_positions;
    const int64_t room = positions - std::min(options_.max_new_tokens, positions / 4);
    const std::vector<ChatMessage> before = messages_;
    const size_t kept = system_.empty() ? 0 : 1;  // at the front
    int forgotten = 0;
    for (auto tokens = static_cast<int64_t>(prompt().size()); tokens > room; ++forgotten) {
        if (messages_.size() < kept + 3) {  // the message alone
            messages_ = before;
            messages_.pop_back();
            throw InputError(fmt::format(
                "message: {} tokens with the system message, expected at most {} of the model's {} "
                "positions; the others are for the answer",
                tokens, room, positions));
        }
        const auto oldest = messages_.begin() + static_cast<int64_t>(kept);
        messages_.erase(oldest, oldest + 2);
        tokens = static_cast<int64_t>(prompt().size());
    }
    return forgotten;
}

Conversation::Answer Conversation::say(const std::string& message, const OnText& on_text) {
    messages_.push_back({"user", message});
    Answer answer;
    answer.forgotten_turns = forget_to_fit();
    answer.text = generator_.generate(prompt(), options_, on_text).front();
    if (answer.text.finish_reason == "cancelled" && answer.text.text.empty())
        messages_.pop_back();
    else
        messages_.push_back({"assistant", answer.text.text});
    return answer;
}
