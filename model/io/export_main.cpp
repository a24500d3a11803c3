// bin/export: changes a model's form.

#include <cstdio>
#include <string>

#include "kernels/core/check.h"
#include "model/io/convert.h"
#include "model/program/common_flags.h"
#include "model/program/flags.h"
#include "model/program/main.h"
#include "model/program/say.h"
#include "model/program/version.h"

namespace {

constexpr const char* kUsage =
    "bin/export: change a model's form\n"
    "\n"
    "  bin/export convert --model DIR --output_dir OUT --dtype bf16|fp32|fp16\n"
    "\n"
    "bin/export convert --help lists its flags.\n";

int convert(int argc, char** argv) {
    ConvertModel args;
    std::string output_dir, dtype;
    CommonOptions common;
    Flags flags("bin/export convert", "write a model's weights in another type");
    flags.group("Conversion");
    flags.add("model", args.model, "Model to convert.").value_name("DIR|org/name");
    flags.add("output_dir", output_dir, "Where to write it: a new or empty folder.")
        .value_name("DIR");
    flags.add("dtype", dtype, "Type of the weights written.").choices({"bf16", "fp32", "fp16"});
    add_common_flags(flags, common);
    flags.parse(argc, argv);
    for (const char* required : {"model", "output_dir", "dtype"})
        ENSURE_INPUT(flags.given(required), std::string("--") + required, "is required");
    apply_common_options(common);

    args.output_dir = output_dir;
    args.type = type_from_flag(dtype, "--dtype");
    const Converted converted = convert_model(args);
    say("{}: {} parameters, {} -> {}\n", output_dir, converted.num_parameters,
        torch_name(converted.from), torch_name(args.type));
    return 0;
}

int body(int argc, char** argv) {
    ENSURE_INPUT(argc > 1, "bin/export", "no command, expected one of: convert");
    const std::string command = argv[1];
    if (command == "convert") return convert(argc - 1, argv + 1);
    if (command == "--help" || command == "-h") {
        std::fputs(kUsage, stdout);
        return 0;
    }
    if (command == "--version") {
        fmt::print("fettle {}\n", kVersion);
        return 0;
    }
    throw InputError(
        fmt::format("bin/export: unknown command \"{}\", expected one of: convert", command));
}

}  // namespace

int main(int argc, char** argv) { return run_main(body, argc, argv); }
