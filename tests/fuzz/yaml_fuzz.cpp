// A YAML file of flags (--config), as bin/train reads it.

#include "model/program/flags.h"
#include "tests/fuzz/target.h"
#include "train/options.h"

namespace {

void run(std::string_view input) {
    static const TemporaryFolder folder;
    const auto path = folder / "run.yaml";
    put(path, std::string(input));
    const std::string name = path.string();
    const char* const arguments[] = {"bin/train", "--config", name.c_str()};
    accepted([&] { to_json(parse_train_options(3, arguments)); });
}

const bool kAdded = add_fuzz_target("yaml", run);

}  // namespace
