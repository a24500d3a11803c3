// Files and folders that are whole or absent, whatever goes wrong.

#include "model/io/atomic_file.h"

#include <sys/resource.h>
#include <unistd.h>

#include <csignal>
#include <vector>

#include "kernels/core/check.h"
#include "tests/support/doctest.h"
#include "tests/support/temporary_folder.h"

namespace {

size_t num_entries(const std::filesystem::path& folder) {
    size_t count = 0;
    for (const auto& entry : std::filesystem::directory_iterator(folder)) count += entry.exists();
    return count;
}

// Writes beyond this size fail with "File too large", as a full disk would fail them.
class FileSizeLimit {
public:
    explicit FileSizeLimit(rlim_t bytes) : handler_(std::signal(SIGXFSZ, SIG_IGN)) {
        getrlimit(RLIMIT_FSIZE, &before_);
        const rlimit limit{bytes, before_.rlim_max};
        setrlimit(RLIMIT_FSIZE, &limit);
    }
    ~FileSizeLimit() {
        setrlimit(RLIMIT_FSIZE, &before_);
        std::signal(SIGXFSZ, handler_);
    }

private:
    void (*handler_)(int);
    rlimit before_{};
};

}  // namespace

TEST_CASE("AtomicFile: nothing has its name before commit, and nothing else is left after") {
    const TemporaryFolder folder;
    put(folder / "a", "old");
    {
        AtomicFile file(folder / "a");
        file.write("new ");
        file.write("text");
        CHECK(get(folder / "a") == "old");
        file.commit();
        CHECK(file.bytes_written() == 8);
    }
    CHECK(get(folder / "a") == "new text");
    CHECK(num_entries(folder.path()) == 1);
}

TEST_CASE("AtomicFile: without commit the old file stays and the partial one goes") {
    const TemporaryFolder folder;
    put(folder / "a", "old");
    { AtomicFile(folder / "a").write("half"); }
    CHECK(get(folder / "a") == "old");
    CHECK(num_entries(folder.path()) == 1);
}

TEST_CASE("AtomicFile: what a killed process left is taken over, not appended to") {
    const TemporaryFolder folder;
    put(folder / "a.partial", "a longer text from before");
    write_file(folder / "a", "new");
    CHECK(get(folder / "a") == "new");
    CHECK(num_entries(folder.path()) == 1);
}

TEST_CASE("AtomicFile: a link is replaced, what it points to is not written") {
    const TemporaryFolder folder;
    put(folder / "blob", "shared");
    std::filesystem::create_symlink(folder / "blob", folder / "a");
    write_file(folder / "a", "mine");
    CHECK(get(folder / "blob") == "shared");
    CHECK(get(folder / "a") == "mine");
}

TEST_CASE("AtomicFile: a second writer of the same file is refused, the first is not disturbed") {
    const TemporaryFolder folder;
    AtomicFile first(folder / "a");
    first.write("first");
    CHECK(contains(input_error([&] { AtomicFile second(folder / "a"); }),
                   "a: another process is writing it"));
    first.commit();
    CHECK(get(folder / "a") == "first");
}

TEST_CASE("AtomicFile: a failed write names the file and leaves nothing") {
    const TemporaryFolder folder;
    const std::vector<std::byte> bytes(10'000);
    const std::string message = input_error([&] {
        const FileSizeLimit limit(4096);
        AtomicFile file(folder / "a");
        file.write(bytes);
        file.commit();
    });
    CHECK(contains(message, "/a: cannot be written: File too large"));
    CHECK(num_entries(folder.path()) == 0);
}

TEST_CASE("AtomicFile: a partial file that is a link is refused, not followed") {
    const TemporaryFolder folder;
    put(folder / "victim", "precious");
    std::filesystem::create_symlink(folder / "victim", folder / "a.partial");
    CHECK(contains(input_error([&] { write_file(folder / "a", "x"); }), "/a: cannot be written"));
    CHECK(get(folder / "victim") == "precious");
}

TEST_CASE("AtomicFile: a folder that is not there is named") {
    const TemporaryFolder folder;
    CHECK(contains(input_error([&] { write_file(folder / "no/a", "x"); }),
                   "no/a: cannot be written: No such file or directory"));
}

TEST_CASE("AtomicFolder: appears whole on commit, not at all without") {
    const TemporaryFolder folder;
    {
        const AtomicFolder uncommitted(folder / "out");
        write_file(uncommitted.path() / "a", "x");
    }
    CHECK(num_entries(folder.path()) == 0);
    std::filesystem::create_directories(folder / "out");  // an empty one may be there
    AtomicFolder committed(folder / "out/");
    write_file(committed.path() / "a", "x");
    CHECK(num_entries(folder / "out") == 0);
    committed.commit();
    CHECK(get(folder / "out/a") == "x");
    CHECK(num_entries(folder.path()) == 1);
}

TEST_CASE("AtomicFolder: a folder that holds something, or a file, is refused and kept") {
    const TemporaryFolder folder;
    std::filesystem::create_directories(folder / "out");
    put(folder / "out/mine", "x");
    put(folder / "file", "x");
    CHECK(contains(input_error([&] { AtomicFolder(folder / "out"); }), "out: exists, expected"));
    CHECK(contains(input_error([&] { AtomicFolder(folder / "file"); }), "file: exists, expected"));
    CHECK(get(folder / "out/mine") == "x");
}

TEST_CASE("atomic folder: a second writer is refused and leaves the first one's files alone") {
    const TemporaryFolder folder;
    AtomicFolder first(folder / "out");
    put(first.path() / "a", "whole");
    CHECK_THROWS_AS(AtomicFolder(folder / "out"), InputError);
    CHECK(std::filesystem::exists(first.path() / "a"));
    first.commit();
    CHECK(std::filesystem::exists(folder / "out" / "a"));
}
