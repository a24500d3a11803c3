// YAML as a list of entries. Mistakes in files of flags: flags_test.cpp.

#include "model/program/yaml_file.h"

#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "kernels/core/check.h"
#include "tests/support/doctest.h"

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
                         "/no/such.yaml: cannot be opened: No such file or directory", InputError);
}
