// SHA-256 against the vectors of FIPS 180-2.

#include "model/io/sha256.h"

#include "tests/support/doctest.h"
#include "tests/support/temporary_folder.h"

namespace {
constexpr const char* kEmpty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
constexpr const char* kAbc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
constexpr const char* kMillion = "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0";
}  // namespace

TEST_CASE("sha256_of: the standard's vectors") {
    CHECK(sha256_of("") == kEmpty);
    CHECK(sha256_of("abc") == kAbc);
    CHECK(sha256_of(std::string(1'000'000, 'a')) == kMillion);
}

TEST_CASE("sha256_of_file: a file longer than the chunks it is read in, an empty one, none") {
    const TemporaryFolder folder;
    const std::string bytes(3'000'001, 'b');
    put(folder / "long", bytes);
    put(folder / "empty", "");
    CHECK(sha256_of_file(folder / "long") == sha256_of(bytes));
    CHECK(sha256_of_file(folder / "empty") == kEmpty);
    CHECK(contains(input_error([&] { sha256_of_file(folder / "none"); }), "cannot be opened"));
    CHECK(contains(input_error([&] { sha256_of_file(folder.path()); }), "found a folder"));
}
