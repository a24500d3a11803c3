// bin/eval: judges a model.

#include <cstdio>
#include <filesystem>

#include "eval/evaluate.h"
#include "kernels/core/check.h"
#include "model/io/atomic_file.h"
#include "model/io/hugging_face.h"
#include "model/io/json.h"
#include "model/program/common_flags.h"
#include "model/program/flags.h"
#include "model/program/main.h"

namespace {

namespace fs = std::filesystem;

// What an earlier --output wrote.
bool is_results_file(const fs::path& file) {
    return read_text_file(file).find("\"results\":") != std::string::npos;
}

// The results must not take the place of what is judged.
void ensure_no_input(const EvaluateOptions& options, const std::string& output) {
    const auto is_output = [&](const fs::path& input) {
        std::error_code error;
        return fs::equivalent(input, output, error) && !error;
    };
    if (output.empty() || !fs::exists(output)) return;
    for (const std::string& suite : options.suites)
        ENSURE_INPUT(!is_output(suite.substr(suite.find('=') + 1)), "--output",
                     "{} is the text of --suite {}", output, suite);
    for (const auto& entry : fs::directory_iterator(resolve_model(options.model, "--model")))
        ENSURE_INPUT(!is_output(entry.path()) || is_results_file(entry.path()), "--output",
                     "{} is a file of the model; expected another", output);
}

int body(int argc, char** argv) {
    EvaluateOptions options;
    std::string output;
    CommonOptions common;
    Flags flags("bin/eval", "judge a model");
    flags.group("What to judge");
    flags.add("model", options.model, "Model to judge.").value_name("DIR|org/name");
    flags.add("suite", options.suites, "perplexity=FILE: nats/token and bits/byte (repeatable).")
        .value_name("NAME=PATH");
    flags.add("precision", options.precision, "Type of weights and activations.")
        .choices({"fp32", "bf16"});
    flags.add("max_length", options.max_length, "Longest window; 0: min(1024, model's positions).")
        .at_least(0)
        .unit("tokens");
    flags.add("batch_tokens", options.batch_tokens, "Tokens of a forward pass.")
        .range(1, 1 << 20)
        .unit("tokens");
    flags.group("Output");
    flags.add("output", output, "Also write the results to this file.").value_name("FILE.json");
    add_common_flags(flags, common);
    flags.parse(argc, argv);
    ENSURE_INPUT(flags.given("model"), "--model", "is required");
    ENSURE_INPUT(!options.suites.empty(), "--suite", "is required");
    options.device = apply_common_options(common);
    ensure_no_input(options, output);
    const std::string results = evaluate(options);
    if (!output.empty()) write_file(output, results);
    std::fputs(results.c_str(), stdout);
    return 0;
}

}  // namespace

int main(int argc, char** argv) { return run_main(body, argc, argv); }
