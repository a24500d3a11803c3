// What is kept outside memory.

#include "model/io/scratch_file.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <csignal>
#include <optional>

#include "tests/support/doctest.h"
#include "tests/support/temporary_folder.h"

namespace {

// TMPDIR as this test wants it, until it ends.
class TemporaryDirectoryVariable {
public:
    explicit TemporaryDirectoryVariable(const std::string& value) {
        if (const char* const before = std::getenv("TMPDIR")) before_ = before;
        setenv("TMPDIR", value.c_str(), 1);
    }
    ~TemporaryDirectoryVariable() {
        before_ ? setenv("TMPDIR", before_->c_str(), 1) : unsetenv("TMPDIR");
    }

private:
    std::optional<std::string> before_;
};

std::span<const std::byte> as_bytes(const std::string& text) {
    return std::as_bytes(std::span(text));
}

std::string text_of(const ScratchFile& file) {
    return {reinterpret_cast<const char*>(file.bytes().data()), file.bytes().size()};
}

}  // namespace

TEST_CASE("scratch file: holds what was appended, end to end, and has no name") {
    const TemporaryFolder folder;
    const TemporaryDirectoryVariable variable(folder.path().string());
    ScratchFile file("numbers");
    CHECK(file.bytes().empty());
    std::string all;
    for (int i = 0; i < 2000; ++i) {
        const std::string part = std::to_string(i) + std::string(i % 17, 'x');
        file.append(as_bytes(part));
        all += part;
    }
    file.append({});
    CHECK(all.size() > 3 * 4096);
    CHECK(text_of(file) == all);
    CHECK(std::filesystem::is_empty(folder.path()));
    ScratchFile moved(std::move(file));
    moved.append(as_bytes("end"));
    CHECK(text_of(moved) == all + "end");
}

TEST_CASE("scratch file: a folder that is not there, or may not be written, is named") {
    const TemporaryFolder folder;
    const std::string missing = (folder / "missing").string();
    const TemporaryDirectoryVariable variable(missing);
    CHECK(input_error([] { ScratchFile("numbers"); }) ==
          missing +
              ": no temporary file for numbers can be made here: No such file or directory; TMPDIR "
              "may name another folder");
}

TEST_CASE("scratch file: without room to grow it is an error that names the folder") {
    const TemporaryFolder folder;
    const TemporaryDirectoryVariable variable(folder.path().string());
    ScratchFile file("numbers");
    const std::string block(1 << 20, 'x');
    file.append(as_bytes(block));
    rlimit before{};
    REQUIRE(getrlimit(RLIMIT_FSIZE, &before) == 0);
    const auto handler = std::signal(SIGXFSZ, SIG_IGN);
    const rlimit limited{.rlim_cur = (1 << 20) + 100, .rlim_max = before.rlim_max};
    REQUIRE(setrlimit(RLIMIT_FSIZE, &limited) == 0);
    const std::string message = input_error([&] { file.append(as_bytes(block)); });
    setrlimit(RLIMIT_FSIZE, &before);
    std::signal(SIGXFSZ, handler);
    CHECK(message == folder.path().string() +
                         ": a temporary file for numbers cannot grow beyond 1 MiB: File too large; "
                         "TMPDIR may name a folder with more room");
    CHECK(text_of(file) == block);
}
