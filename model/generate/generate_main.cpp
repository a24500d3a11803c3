// bin/generate: continues a prompt, or holds a conversation; streaming.

#include <unistd.h>

#include <cstdio>

#include "kernels/core/check.h"
#include "model/generate/chat.h"
#include "model/generate/text_generator.h"
#include "model/io/json.h"
#include "model/program/common_flags.h"
#include "model/program/flags.h"
#include "model/program/main.h"
#include "model/program/say.h"
#include "model/program/signals.h"

namespace {

struct Arguments {
    std::string model, precision = "fp32";
    TextOptions text;
    std::string prompt, prompt_file, chat_template, system, output = "text";
    bool chat = false;
    CommonOptions common;
};

void add_flags(Flags& flags, Arguments& args) {
    TextOptions& text = args.text;
    flags.group("Model");
    flags.add("model", args.model, "Model to use.").value_name("DIR|org/name");
    flags.add("precision", args.precision, "Type of weights and activations.")
        .choices({"fp32", "bf16"});
    flags.group("Prompt");
    flags.add("prompt", args.prompt, "Text to continue; may be empty.").value_name("TEXT");
    flags.add("prompt_file", args.prompt_file, "File whose text to continue.").value_name("FILE");
    flags.add("chat", args.chat, "Hold a conversation: a message a line; /help lists commands.");
    flags.add("chat_template", args.chat_template, "What a conversation is written as.")
        .choices(ChatTemplate::names())
        .default_text("the model's own");
    flags.add("system", args.system, "System message of the conversation.").value_name("TEXT");
    flags.group("Sampling");
    flags.add("max_new_tokens", text.max_new_tokens, "Length of a continuation.")
        .range(1, 1'000'000'000)
        .unit("tokens")
        .default_text("128, with --chat 1024");
    flags.add("temperature", text.temperature, "0: always the most probable token.").at_least(0);
    flags.add("top_k", text.top_k, "Draw from the k most probable tokens; 0: all.").at_least(0);
    flags.add("top_p", text.top_p, "Draw from the fewest tokens that hold this probability.")
        .range(1e-6, 1);
    flags.add("repetition_penalty", text.repetition_penalty, "Above 1: avoid seen tokens.")
        .range(1e-3, 1e3);
    flags.add("stop", text.stop, "End where this text appears (repeatable).").one_each("TEXT");
    flags.add("num_return_sequences", text.rows, "Continuations of the prompt.").range(1, 1024);
    flags.group("Output");
    flags.add("output", args.output, "text: the continuation, a newline; json: an object a line.")
        .choices({"text", "json"});
    add_common_flags(flags, args.common);
}

void check(const Flags& flags, const Arguments& args) {
    ENSURE_INPUT(flags.given("model"), "--model", "is required");
    ENSURE_INPUT(flags.given("prompt") + flags.given("prompt_file") + args.chat == 1, "--prompt",
                 "give one of --prompt, --prompt_file and --chat");
    for (const char* flag : {"chat_template", "system"})
        ENSURE_INPUT(args.chat || !flags.given(flag), fmt::format("--{}", flag), "is for --chat");
    ENSURE_INPUT(!args.chat || (args.text.rows == 1 && args.output == "text"), "--chat",
                 "contradicts --num_return_sequences and --output json");
}

int run_chat(Arguments args, TextGenerator& generator) {
    args.text.cancelled = [] { return stop_requested().has_value(); };
    const auto form = ChatTemplate::chosen(args.chat_template, generator.folder());
    Conversation conversation(generator, form, args.text, args.system);
    return chat(conversation, {.interactive = isatty(STDIN_FILENO) && isatty(STDERR_FILENO)});
}

int continue_prompt(const Arguments& args, const std::string& prompt, TextGenerator& generator) {
    // One continuation is shown as it grows; several, or JSON, when they are done.
    const bool json = args.output == "json", streams = !json && args.text.rows == 1;
    OnText show = [](std::string_view piece) {
        std::fwrite(piece.data(), 1, piece.size(), stdout);
        std::fflush(stdout);
    };
    for (const auto& row : generator.generate(prompt, args.text, streams ? show : OnText()))
        fmt::print("{}\n", json ? to_json(row, prompt) : streams ? "" : row.text);
    return 0;
}

int body(int argc, char** argv) {
    Arguments args;
    Flags flags("bin/generate", "continue a prompt with a model, or talk to it");
    add_flags(flags, args);
    flags.parse(argc, argv);
    check(flags, args);
    const Device device = apply_common_options(args.common);
    args.text.seed = static_cast<uint64_t>(args.common.seed);
    if (args.chat && !flags.given("max_new_tokens")) args.text.max_new_tokens = 1024;
    const std::string prompt =
        flags.given("prompt_file") ? read_text_file(args.prompt_file) : args.prompt;
    TextGenerator generator(args.model, args.precision, device);
    const int status =
        args.chat ? run_chat(args, generator) : continue_prompt(args, prompt, generator);
    say_note(generator.tokenizer().dropped_text());
    return status;
}

}  // namespace

int main(int argc, char** argv) { return run_main(body, argc, argv); }
