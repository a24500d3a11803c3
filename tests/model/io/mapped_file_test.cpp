// A mapped file shows the file's bytes; what cannot be mapped is named.

#include "model/io/mapped_file.h"

#include <sys/stat.h>

#include <algorithm>

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
    REQUIRE(mkfifo((folder / "pipe").c_str(), 0600) == 0);  // nobody ever writes to it
    CHECK(contains(input_error([&] { MappedFile(folder / "pipe"); }), "is not a regular file"));
}

TEST_CASE("forget: bytes that were given back read the same again") {
    const TemporaryFolder folder;
    std::string text(100'000, 'x');
    for (size_t i = 0; i < text.size(); ++i) text[i] = static_cast<char>('a' + i % 23);
    put(folder / "a", text);
    const MappedFile file(folder / "a");
    for (const size_t first : {size_t{0}, size_t{1}, size_t{50'000}})
        forget(file.bytes().subspan(first));
    CHECK(std::equal(text.begin(), text.end(), file.bytes().begin(),
                     [](char a, std::byte b) { return static_cast<std::byte>(a) == b; }));
}
