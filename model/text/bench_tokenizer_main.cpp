// bin/bench_tokenizer: how fast a tokenizer encodes a file, on one core.

#include <fmt/core.h>

#include <chrono>

#include "kernels/core/check.h"
#include "model/io/json.h"
#include "model/program/common_flags.h"
#include "model/program/flags.h"
#include "model/program/main.h"
#include "model/text/tokenizer.h"

namespace {

struct Options {
    std::string tokenizer;
    std::vector<std::string> files;
    int64_t rounds = 5;
    CommonOptions common;
};

Options parse(int argc, char** argv) {
    Options options;
    Flags flags("bin/bench_tokenizer", "how fast a tokenizer encodes a file, on one core");
    flags.group("Benchmark");
    flags.add("tokenizer", options.tokenizer, "Folder with its files.");
    flags.add("rounds", options.rounds, "The file is encoded so many times.").at_least(1);
    flags.positional("FILE", options.files, "What to encode.");
    add_common_flags(flags, options.common);
    flags.parse(argc, argv);
    apply_common_options(options.common);
    return options;
}

// A line a round: bytes, tokens, seconds.
int body(int argc, char** argv) {
    const Options options = parse(argc, argv);
    ENSURE_INPUT(!options.tokenizer.empty(), "--tokenizer", "missing, expected a folder");
    ENSURE_INPUT(options.files.size() == 1, "FILE", "found {} files, expected one",
                 options.files.size());
    const Tokenizer tokenizer = Tokenizer::from_folder(options.tokenizer);
    const std::string text = read_text_file(options.files[0]);
    for (int64_t round = 0; round < options.rounds; ++round) {
        const auto start = std::chrono::steady_clock::now();
        const size_t tokens = tokenizer.encode(text).size();
        const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;
        fmt::print("{} {} {:.6f}\n", text.size(), tokens, seconds.count());
    }
    return 0;
}

}  // namespace

int main(int argc, char** argv) { return run_main(body, argc, argv); }
