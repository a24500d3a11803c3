// A mapped file shows the file's bytes; what cannot be mapped is named.

#include "model/io/mapped_file.h"

#include "tests/support/doctest.h"
#include "tests/support/temporary_folder.h"

TEST_CASE("MappedFile: the bytes are the file's, also after a move") {
    const TemporaryFolder folder;
    put(folder / "f", "hello");
    MappedFile first(folder / "f");
    const MappedFile second = std::move(first);
    CHECK(std::string(reinterpret_cast<const char*>(second.bytes().data()),
                      second.bytes().size()) == "hello");
    CHECK(first.bytes().empty());
}

TEST_CASE("MappedFile: an absent file, an empty file and a folder are refused by name") {
    const TemporaryFolder folder;
    put(folder / "empty", "");
    CHECK(contains(input_error([&] { MappedFile(folder / "none"); }), "none: cannot be opened"));
    CHECK(contains(input_error([&] { MappedFile(folder / "empty"); }), "empty: is empty"));
    CHECK(contains(input_error([&] { MappedFile(folder.path()); }), "is not a regular file"));
}
