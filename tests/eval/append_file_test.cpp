// Files that only grow.

#include "eval/append_file.h"

#include <unistd.h>

#include "kernels/core/check.h"
#include "model/io/json.h"
#include "tests/support/doctest.h"

TEST_CASE("AppendFile: keeps what it is told to keep and appends to it") {
    const auto path =
        std::filesystem::temp_directory_path() / ("fettle_append_" + std::to_string(getpid()));
    {
        AppendFile file(path);
        file.append("one\n");
        file.append("");
        file.append("two\n");
        file.sync();
    }
    CHECK(read_text_file(path) == "one\ntwo\n");
    AppendFile(path, 4).append("2\n");
    CHECK(read_text_file(path) == "one\n2\n");
    AppendFile{path};
    CHECK(read_text_file(path).empty());
    std::filesystem::remove(path);
}

TEST_CASE("AppendFile: a file that cannot be written is named") {
    CHECK_THROWS_WITH_AS(AppendFile("/no/such/folder/log"),
                         "/no/such/folder/log: cannot be written: No such file or directory",
                         InputError);
    CHECK_THROWS_WITH_AS(AppendFile("/dev/full"), doctest::Contains("/dev/full: cannot be"),
                         InputError);
}
