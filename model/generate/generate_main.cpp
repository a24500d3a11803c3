// bin/generate: continues a prompt, streaming.

#include <cstdio>
#include <nlohmann/json.hpp>

#include "kernels/core/check.h"
#include "model/generate/generate_text.h"
#include "model/io/json.h"
#include "model/program/common_flags.h"
#include "model/program/flags.h"
#include "model/program/main.h"

namespace {

struct Arguments {
    GenerateTextOptions text;
    std::string prompt, prompt_file, output = "text";
    CommonOptions common;
};

void add_flags(Flags& flags, Arguments& args) {
    GenerateTextOptions& text = args.text;
    flags.group("Model");
    flags.add("model", text.model, "Model to use.").value_name("DIR|org/name");
    flags.add("precision", text.precision, "Type of weights and activations.")
        .choices({"fp32", "bf16"});
    flags.group("Prompt");
    flags.add("prompt", args.prompt, "Text to continue; may be empty.").value_name("TEXT");
    flags.add("prompt_file", args.prompt_file, "File whose text to continue.").value_name("FILE");
    flags.group("Sampling");
    flags.add("max_new_tokens", text.max_new_tokens, "Length of a continuation.")
        .at_least(1)
        .unit("tokens");
    flags.add("temperature", text.temperature, "0 always takes the most probable token.")
        .at_least(0);
    flags.add("top_k", text.top_k, "Draw from the k most probable tokens; 0: from all.")
        .at_least(0);
    flags.add("top_p", text.top_p, "Draw from the fewest tokens that hold this probability.")
        .range(1e-6, 1);
    flags.add("repetition_penalty", text.repetition_penalty, "Above 1: discourage seen tokens.")
        .range(1e-3, 1e3);
    flags.add("stop", text.stop, "End where this text appears (repeatable).").value_name("TEXT");
    flags.add("num_return_sequences", text.rows, "Continuations of the prompt.").range(1, 1024);
    flags.group("Output");
    flags
        .add("output", args.output,
             "text: the continuation and a newline; json: one object a line.")
        .choices({"text", "json"});
    add_common_flags(flags, args.common);
}

void print_json(const GeneratedText& row, const std::string& prompt) {
    const nlohmann::ordered_json line = {{"prompt", prompt},
                                         {"text", row.text},
                                         {"tokens", row.tokens},
                                         {"finish_reason", row.finish_reason}};
    // Bytes that are no UTF-8 become U+FFFD: JSON has no other way to say them.
    fmt::print("{}\n", line.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace));
}

int body(int argc, char** argv) {
    Arguments args;
    Flags flags("bin/generate", "continue a prompt with a model");
    add_flags(flags, args);
    flags.parse(argc, argv);
    ENSURE_INPUT(flags.given("model"), "--model", "is required");
    ENSURE_INPUT(flags.given("prompt") != flags.given("prompt_file"), "--prompt",
                 "give either --prompt or --prompt_file");
    const Device device = apply_common_options(args.common);
    ENSURE_INPUT(device == Device::cpu, "--device", "bin/generate runs on cpu, found {}",
                 name_of(device));
    args.text.seed = static_cast<uint64_t>(args.common.seed);
    const std::string prompt =
        flags.given("prompt_file") ? read_text_file(args.prompt_file) : args.prompt;

    // One continuation is shown as it grows; several, or JSON, when they are done.
    const bool streams = args.output == "text" && args.text.rows == 1;
    const auto rows = generate_text(args.text, prompt, [&](std::string_view piece) {
        if (!streams) return;
        std::fwrite(piece.data(), 1, piece.size(), stdout);
        std::fflush(stdout);
    });
    for (const GeneratedText& row : rows) {
        if (args.output == "json")
            print_json(row, prompt);
        else
            fmt::print("{}\n", streams ? "" : row.text);
    }
    return 0;
}

}  // namespace

int main(int argc, char** argv) { return run_main(body, argc, argv); }
