// bin/export: changes a model's form.

#include <cstdio>
#include <string>

#include "kernels/core/check.h"
#include "model/io/convert.h"
#include "model/io/import_gguf.h"
#include "model/io/import_llama2c.h"
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
    "  bin/export import --from gguf --model FILE.gguf --output_dir OUT [--keep_quantized]\n"
    "  bin/export import --from llama2c --model FILE.bin --tokenizer FILE.bin --output_dir OUT\n"
    "\n"
    "bin/export COMMAND --help lists a command's flags.\n";
constexpr const char* kCommands = "convert, import";

void require(const Flags& flags, std::initializer_list<const char*> names) {
    for (const char* name : names)
        ENSURE_INPUT(flags.given(name), std::string("--") + name, "is required");
}

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
    require(flags, {"model", "output_dir", "dtype"});
    apply_common_options(common);

    args.output_dir = output_dir;
    args.type = type_from_flag(dtype, "--dtype");
    const Converted converted = convert_model(args);
    say("{}: {} parameters, {} -> {}\n", output_dir, converted.num_parameters,
        torch_name(converted.from), torch_name(args.type));
    return 0;
}

int import(int argc, char** argv) {
    std::string from, model, tokenizer, output_dir, dtype = "fp32";
    bool keep_quantized = false;
    CommonOptions common;
    Flags flags("bin/export import", "turn another program's model file into a model folder");
    flags.group("Import");
    flags.add("from", from, "What the file is: llama.cpp's GGUF, or llama2.c's model.bin.")
        .choices({"gguf", "llama2c"});
    flags.add("model", model, "File to import.").value_name("FILE");
    flags.add("tokenizer", tokenizer, "llama2.c's tokenizer.bin; a GGUF file has its own.")
        .value_name("FILE");
    flags.add("output_dir", output_dir, "Where to write it: a new or empty folder.")
        .value_name("DIR");
    flags.add("dtype", dtype, "Type of the weights written; fp32 loses nothing.")
        .choices({"bf16", "fp32", "fp16"});
    flags.add("keep_quantized", keep_quantized,
              "Keep a GGUF's quantised weights as they are: smaller, and faster to generate with.");
    add_common_flags(flags, common);
    flags.parse(argc, argv);
    require(flags, {"from", "model", "output_dir"});
    apply_common_options(common);

    const bool llama2c = from == "llama2c";
    if (llama2c) require(flags, {"tokenizer"});
    ENSURE_INPUT(llama2c || !flags.given("tokenizer"), "--tokenizer",
                 "found \"{}\", expected none: a GGUF file has its own", tokenizer);
    ENSURE_INPUT(!llama2c || !keep_quantized, "--keep_quantized",
                 "is for GGUF files: llama2.c's weights are fp32");
    const TensorType type = type_from_flag(dtype, "--dtype");
    const Imported imported = llama2c ? import_llama2c({model, tokenizer, output_dir, type})
                                      : import_gguf({model, output_dir, type, keep_quantized});
    fmt::print(stderr, "{}: a {} model of {} parameters in {}{}\n", output_dir, imported.model_type,
               imported.num_parameters, torch_name(type),
               keep_quantized ? ", what was quantised as it was" : "");
    return 0;
}

int body(int argc, char** argv) {
    ENSURE_INPUT(argc > 1, "bin/export", "no command, expected one of: {}", kCommands);
    const std::string command = argv[1];
    if (command == "convert") return convert(argc - 1, argv + 1);
    if (command == "import") return import(argc - 1, argv + 1);
    if (command == "--help" || command == "-h") {
        std::fputs(kUsage, stdout);
        return 0;
    }
    if (command == "--version") {
        fmt::print("fettle {}\n", kVersion);
        return 0;
    }
    throw InputError(
        fmt::format("bin/export: unknown command \"{}\", expected one of: {}", command, kCommands));
}

}  // namespace

int main(int argc, char** argv) { return run_main(body, argc, argv); }
