// bin/train: fine-tunes a model. Without arguments: the demo.

#include <algorithm>
#include <cctype>
#include <cstring>
#include <filesystem>
#include <vector>

#include "kernels/core/check.h"
#include "model/program/main.h"
#include "train/demo/demo.h"
#include "train/train.h"

namespace {

// Read from the repository's root, where `make` leaves the user.
constexpr const char* kDemo = "train/demo/demo.yaml";

// As a shell reads it back.
std::string quoted(const std::string& argument) {
    const auto is_plain = [](unsigned char c) {
        return std::isalnum(c) || std::strchr("_./=:,+-", c) != nullptr;
    };
    if (!argument.empty() && std::all_of(argument.begin(), argument.end(), is_plain))
        return argument;
    std::string out = "'";
    for (const char c : argument) out += c == '\'' ? "'\\''" : std::string(1, c);
    return out + "'";
}

int body(int argc, char** argv) {
    std::vector<const char*> arguments(argv, argv + argc);
    if (argc == 1) {
        ENSURE_INPUT(std::filesystem::exists(kDemo), kDemo,
                     "not found; without arguments bin/train runs the demo from Fettle's own "
                     "folder. For your data: bin/train --help");
        arguments.insert(arguments.end(), {"--config", kDemo});
    }
    const TrainOptions options =
        parse_train_options(static_cast<int>(arguments.size()), arguments.data());
    std::string command;
    for (const char* argument : arguments)
        command += (command.empty() ? "" : " ") + quoted(argument);
    apply_common_options(options.common);
    return argc == 1 ? run_demo(options, command) : train(options, command);
}

}  // namespace

int main(int argc, char** argv) { return run_main(body, argc, argv); }
