// YAML as a list of entries. Mistakes in files of flags: flags_test.cpp.

#include "model/program/yaml_file.h"

#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "kernels/core/check.h"
#include "tests/support/doctest.h"
#include "tests/support/temporary_folder.h"

namespace {

// The complaint about a file of this text, without the file's name.
std::string complaint(const std::string& text) {
    const TemporaryFolder folder;
    const std::string path = (folder / "f.yaml").string();
    put(path, text);
    const std::string error = input_error([&] { read_yaml_file(path); });
    return error.starts_with(path) ? error.substr(path.size()) : error;
}

}  // namespace

TEST_CASE("read_yaml_file: entries in the file's order with their lines, scalars as written") {
    const auto path = std::filesystem::temp_directory_path() /
                      ("fettle_yaml_" + std::to_string(getpid()) + ".yaml");
    std::ofstream(path) << "# a comment\nrate: 1.50e-3\n\ndata: [a, 'b,c']\nnothing:\n"
                           "text: \"null\"\nempty: []\n";
    const std::vector<YamlEntry> entries = read_yaml_file(path.string());
    std::filesystem::remove(path);

    REQUIRE(entries.size() == 4);
    CHECK(entries[0].key == "rate");
    CHECK(entries[0].values == std::vector<std::string>{"1.50e-3"});
    CHECK_FALSE(entries[0].is_list);
    CHECK(entries[0].line == 2);
    CHECK(entries[1].values == std::vector<std::string>{"a", "b,c"});
    CHECK(entries[1].is_list);
    CHECK(entries[1].line == 4);
    CHECK(entries[2].values == std::vector<std::string>{"null"});
    CHECK(entries[3].values.empty());
}

TEST_CASE("read_yaml_file: a file that cannot be read is named") {
    CHECK_THROWS_WITH_AS(read_yaml_file("/no/such.yaml"),
                         "/no/such.yaml: cannot be opened, expected a YAML file", InputError);
}

TEST_CASE("read_yaml_file: what stands behind the document ends the reading") {
    const std::string expected =
        ": found more behind the first YAML document, expected one document";
    CHECK(complaint("a: 1\n---\nb: 2\n") == ":2" + expected);
    CHECK(complaint(", a") == ":1" + expected);  // yaml-cpp reads it as documents without end
    CHECK(contains(complaint("a: 1\n...\n]\n"), ":3: not YAML"));
    CHECK(complaint("a: 1\n...\n").empty());
}

TEST_CASE("read_yaml_file: depth and size are limited") {
    CHECK(contains(complaint("a: " + std::string(64, '[')), ":1: YAML nested 65 levels deep"));
    CHECK(contains(complaint("a: " + std::string(100'000, '[')), "levels deep"));
    CHECK(contains(complaint(std::string(1 << 20, '#') + "\n"), "found more than 1048576 bytes"));
}
