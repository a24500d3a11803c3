// Flags from the command line and from YAML: what is accepted, and what every mistake is told.

#include "model/program/flags.h"

#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "kernels/core/check.h"
#include "model/program/version.h"
#include "tests/support/captured_output.h"
#include "tests/support/doctest.h"
#include "tests/support/temporary_folder.h"

namespace {

struct Values {
    double rate = 5e-5;
    int batch = 8;
    int64_t seed = 42;
    bool packing = false;
    bool shuffle = true;
    std::string precision = "fp32";
    std::vector<std::string> data;
    std::optional<int64_t> eval_steps;
    std::optional<bool> greater;
    std::vector<std::string> files;

    Flags flags{"bin/test", "a program"};

    Values() {
        flags.group("Optimiser");
        flags.add("learning_rate", rate, "Peak learning rate.").at_least(0).alias("lr");
        flags.add("batch_size", batch, "Rows.").range(1, 1000).unit("rows");
        flags.add("seed", seed, "Seed.");
        flags.add("packing", packing, "Pack.");
        flags.add("shuffle", shuffle, "Shuffle.");
        flags.add("precision", precision, "Format.").choices({"fp32", "bf16"});
        flags.add("train_data", data, "Data.").value_name("PATH");
        flags.add("eval_steps", eval_steps, "Every N.").default_text("ends of epochs");
        flags.add("greater_is_better", greater, "Direction.");
        flags.boolean_spelling("bf16", "precision", "bf16", "fp32");
        flags.refuse("fp16", "use --precision bf16");
        flags.positional("FILE", files, "Files to read.");
    }
    void parse(std::vector<const char*> arguments) {
        arguments.insert(arguments.begin(), "test");
        flags.parse(static_cast<int>(arguments.size()), arguments.data());
    }
};

std::string complaint(std::vector<const char*> arguments) {
    Values values;
    try {
        values.parse(std::move(arguments));
    } catch (const InputError& error) {
        return error.what();
    }
    return "";
}

// A YAML file that lives as long as the object.
struct YamlFile {
    explicit YamlFile(const std::string& text) {
        std::ofstream(path) << text;
        argument = "--config=" + path;
    }
    ~YamlFile() { std::filesystem::remove(path); }
    std::string path = (std::filesystem::temp_directory_path() /
                        ("fettle_flags_" + std::to_string(getpid()) + ".yaml"))
                           .string();
    std::string argument;
};

// The complaint about a file, without the file's name.
std::string yaml_complaint(const std::string& text) {
    const YamlFile file(text);
    const std::string message = complaint({file.argument.c_str()});
    return message.find(file.path) == 0 ? message.substr(file.path.size()) : message;
}

}  // namespace

TEST_CASE("Flags: values as words or after =, - and _ are the same, the last one wins") {
    Values values;
    values.parse({"--learning-rate", "1e-3", "--batch_size=4", "--seed", "-7", "--batch-size", "2",
                  "--eval-steps", "10"});
    CHECK(values.rate == 1e-3);
    CHECK(values.batch == 2);
    CHECK(values.seed == -7);
    CHECK(values.eval_steps == 10);
    CHECK(values.flags.given("eval-steps"));
    CHECK_FALSE(values.flags.given("packing"));
}

TEST_CASE("Flags: booleans take true, false, no_ or nothing") {
    Values values;
    values.parse({"--packing", "--no-shuffle", "--greater_is_better", "False", "data.txt"});
    CHECK(values.packing);
    CHECK_FALSE(values.shuffle);
    CHECK(values.greater == false);
    CHECK(values.files == std::vector<std::string>{"data.txt"});

    Values after_boolean;
    after_boolean.parse({"--packing", "data.txt", "--shuffle=0"});
    CHECK(after_boolean.packing);
    CHECK_FALSE(after_boolean.shuffle);
    CHECK(after_boolean.files == std::vector<std::string>{"data.txt"});
}

TEST_CASE("Flags: a list takes commas and repetition, and replaces the default") {
    Values values;
    values.data = {"default"};
    values.parse({"--train_data", "a,b", "--train_data=c"});
    CHECK(values.data == std::vector<std::string>{"a", "b", "c"});
    CHECK(complaint({"--train_data", "a,,b"}) == "--train_data: found an empty element in 'a,,b'");
}

TEST_CASE("Flags: a list of one each keeps its commas and takes repetition alone") {
    std::vector<std::string> stops;
    Flags flags("bin/test", "test");
    flags.add("stop", stops, "Texts.").one_each("TEXT");
    const auto parse = [&](std::vector<const char*> arguments) {
        arguments.insert(arguments.begin(), "bin/test");
        flags.parse(static_cast<int>(arguments.size()), arguments.data());
        return stops;
    };
    CHECK(parse({"--stop", "a,b", "--stop=,", "--stop", "\n\n"}) ==
          std::vector<std::string>{"a,b", ",", "\n\n"});
    CHECK(input_error([&] {
              parse({"--stop", ""});
          }) == "--stop: found an empty text, expected at least one character");
    const TemporaryFolder folder;
    put(folder / "f.yaml", "stop: 'x, y'\n");
    const std::string file = (folder / "f.yaml").string();
    CHECK(parse({"--config", file.c_str()}) == std::vector<std::string>{"x, y"});
    put(folder / "f.yaml", "stop: ['x, y', \"z\\n\"]\n");
    CHECK(parse({"--config", file.c_str()}) == std::vector<std::string>{"x, y", "z\n"});
    CHECK(contains(flags.help(), "--stop TEXT  "));
}

TEST_CASE("Flags: other tools' spellings are accepted or explained") {
    Values values;
    values.parse({"--lr", "1", "--bf16"});
    CHECK(values.rate == 1);
    CHECK(values.precision == "bf16");
    Values off;
    off.parse({"--bf16", "false"});
    CHECK(off.precision == "fp32");
    CHECK(complaint({"--fp16"}) == "--fp16: not a flag here: use --precision bf16");
}

TEST_CASE("Flags: after -- everything is an argument without dashes, and - is one") {
    Values values;
    values.parse({"-", "--", "--packing"});
    CHECK(values.files == std::vector<std::string>{"-", "--packing"});
    CHECK_FALSE(values.packing);
}

TEST_CASE("Flags: a mistake is told with the flag, what was expected and what was found") {
    CHECK(complaint({"--learning_rat", "1"}) ==
          "--learning_rat: unknown flag, did you mean --learning_rate?");
    CHECK(complaint({"--no-shufle"}) == "--no-shufle: unknown flag, did you mean --no_shuffle?");
    CHECK(complaint({"--colour"}) == "--colour: unknown flag; bin/test --help lists them");
    CHECK(complaint({"-x"}) == "-x: unknown flag; flags start with two dashes");
    CHECK(complaint({"--batch_size", "0"}) ==
          "--batch_size: expected a whole number from 1 to 1000, found '0'");
    CHECK(complaint({"--batch_size", "99999999999"}).find("from 1 to 1000") != std::string::npos);
    CHECK(complaint({"--batch-size", "2.5"}).find("whole number") != std::string::npos);
    CHECK(complaint({"--learning_rate", "-1"}) ==
          "--learning_rate: expected a number of at least 0, found '-1'");
    CHECK(complaint({"--learning_rate", "nan"}).find("found 'nan'") != std::string::npos);
    CHECK(complaint({"--learning_rate", "inf"}).find("found 'inf'") != std::string::npos);
    CHECK(complaint({"--learning_rate", "1e-3x"}).find("found '1e-3x'") != std::string::npos);
    CHECK(complaint({"--learning_rate="}).find("found ''") != std::string::npos);
    CHECK(complaint({"--precision", "fp8"}) == "--precision: expected fp32 or bf16, found 'fp8'");
    CHECK(complaint({"--packing=maybe"}) == "--packing: expected true or false, found 'maybe'");
    CHECK(complaint({"--seed", "--packing"}).find("--seed: found no value") == 0);
    CHECK(complaint({"--seed"}).find("--seed: found no value") == 0);
}

TEST_CASE("Flags: an argument without dashes is an error where none is expected") {
    Flags flags("bin/test", "a program");
    const std::vector<const char*> arguments = {"test", "file"};
    CHECK_THROWS_WITH_AS(flags.parse(2, arguments.data()),
                         "file: expected a flag, which starts with --", InputError);
}

TEST_CASE("Flags: the command line overrides the file, which overrides the default") {
    const YamlFile file(
        "learning-rate: 1e-3\nbatch_size: 4\ntrain_data:\n  - a,b.txt\n  - c\n"
        "packing: true\neval_steps: null\n");
    Values values;
    values.parse({"--batch_size", "2", file.argument.c_str(), "--no_packing"});
    CHECK(values.rate == 1e-3);
    CHECK(values.batch == 2);
    CHECK_FALSE(values.packing);
    CHECK(values.data == std::vector<std::string>{"a,b.txt", "c"});  // elements stand as they are
    CHECK_FALSE(values.eval_steps.has_value());
    CHECK(values.flags.given("learning_rate"));
    CHECK_FALSE(values.flags.given("eval_steps"));

    Values replaced;
    replaced.parse({file.argument.c_str(), "--train_data", "d"});
    CHECK(replaced.data == std::vector<std::string>{"d"});
}

TEST_CASE("Flags: a mistake in the file is told with file and line") {
    CHECK(yaml_complaint("seed: 1\nlearning_rte: 1\n") ==
          ":2: learning_rte: unknown flag, did you mean --learning_rate?");
    CHECK(yaml_complaint("fp16: true\n") == ":1: fp16: not a flag here: use --precision bf16");
    CHECK(yaml_complaint("\n\nbatch_size: 0\n") ==
          ":3: batch_size: expected a whole number from 1 to 1000, found '0'");
    CHECK(yaml_complaint("seed: 1\nseed: 2\n") == ":2: seed is already set in line 1");
    CHECK(yaml_complaint("batch-size: 1\nbatch_size: 2\n") ==
          ":2: batch_size: batch_size is already set above");
    CHECK(yaml_complaint("seed: {a: 1}\n").find(":1: seed: found a mapping") == 0);
    CHECK(yaml_complaint("train_data: [[a]]\n").find("a list within a list") != std::string::npos);
    CHECK(yaml_complaint("seed: [1, 2]\n") ==
          ":1: seed: found a list of 2, expected a single value");
    CHECK(yaml_complaint("- seed\n").find(":1: expected `flag: value` lines") == 0);
    CHECK(yaml_complaint("seed: [1\n").find("not YAML") != std::string::npos);
    CHECK(yaml_complaint("a: 1\n---\nb: 2\n").find("found more behind the first YAML document") !=
          std::string::npos);
    CHECK(yaml_complaint("config: other.yaml\n").find("cannot name another") != std::string::npos);
    CHECK(complaint({"--config", "/no/such/file"}).find("/no/such/file: cannot be opened") == 0);
    CHECK(complaint({"--config", "/tmp"}).find("/tmp: a folder") == 0);
    CHECK(yaml_complaint("").empty());
}

TEST_CASE("Flags: help lists every flag with its default and unit in at most 96 columns") {
    const std::string help = Values().flags.help();
    for (const char* expected :
         {"--learning_rate N", "[default 5e-05]", "[rows; default 8]", "--precision fp32|bf16",
          "--train_data PATH,...", "[default ends of epochs]", "--config FILE.yaml", "--version",
          "FILE..."}) {
        CAPTURE(expected);
        CHECK(help.find(expected) != std::string::npos);
    }
    CHECK(help.find("Optimiser") < help.find(Flags::kCommonGroup));
    size_t begin = 0;
    for (size_t end = help.find('\n'); end != std::string::npos; end = help.find('\n', begin)) {
        CHECK(end - begin <= 96);
        begin = end + 1;
    }
}

TEST_CASE("Flags: help and version are printed and end the program") {
    CapturedOutput output(stdout);
    CHECK_THROWS_AS(Values().parse({"--help"}), Finished);
    CHECK_THROWS_AS(Values().parse({"--version"}), Finished);
    CHECK(output.text() == Values().flags.help() + "fettle " + kVersion + "\n");
}

TEST_CASE("Flag: its value as text reads back to the same value") {
    Values values;
    values.parse({"--learning_rate", "0.1", "--train_data", "a,b", "--greater_is_better"});
    Values copy;
    for (const Flag& flag : values.flags.all())
        if (values.flags.given(flag.name())) copy.flags.set(flag.name(), {flag.value_text()}, "");
    CHECK(copy.rate == 0.1);
    CHECK(copy.greater == true);
    CHECK(values.flags.all().front().value_text().empty());
}

TEST_CASE("Flags: a flag declared twice is our fault") {
    Values values;
    CHECK_THROWS_AS(values.flags.add("seed", values.seed, ""), Error);
    CHECK_THROWS_AS(values.flags.given("no_such_flag"), Error);
}
