// A conversation as the text that a model was trained to continue.
//
// A template is one function, render(). Two are built in, written by hand from what the Jinja
// sources below produce; a model folder's own source is recognised by its exact text.
//
//   smollm2  <|im_start|>{role}\n{content}<|im_end|>\n for each message; before a first message
//            that is no system message, one with SmolLM2's default text
//   chatml   the same without a default system message
//
// Nothing is trimmed, and texts of special tokens inside a message become those tokens.
#pragma once

#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

struct ChatMessage {
    std::string role;  // "system", "user", "assistant"
    std::string content;
};

class ChatTemplate {
public:
    // A built-in one; an InputError names `flag` and the names there are.
    static ChatTemplate named(const std::string& name, const std::string& flag);
    static const std::vector<std::string>& names();

    // The folder's own: chat_template.jinja, else "chat_template" in tokenizer_config.json (of a
    // list of them, the one named "default"). Nothing if it has none; an InputError that names the
    // file if its text is not known.
    static std::optional<ChatTemplate> of_folder(const std::filesystem::path& folder);
    // What --chat_template names or, where that is empty, the folder's own; an InputError if
    // neither.
    static ChatTemplate chosen(const std::string& name, const std::filesystem::path& folder);
    // The template that a Jinja source means; `source` starts the complaint.
    static ChatTemplate recognised(std::string_view jinja, const std::string& source);
    // What chat_template.jinja of a model tuned with this template holds: this template's source,
    // or nothing if the files of `folder`, which are copied, say the same already.
    std::string jinja_beside(const std::filesystem::path& folder) const;

    const std::string& name() const { return name_; }
    // With a generation prompt, the text ends where the assistant's answer begins.
    std::string render(std::span<const ChatMessage> messages, bool add_generation_prompt) const;
    // What ends a message, and so an answer.
    std::string_view turn_end() const { return "<|im_end|>"; }

private:
    ChatTemplate(std::string name, std::string default_system)
        : name_(std::move(name)), default_system_(std::move(default_system)) {}

    std::string name_;
    std::string default_system_;  // empty: none
};
