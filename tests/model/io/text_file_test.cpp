// A text file through a window.

#include "model/io/text_file.h"

#include <sys/stat.h>

#include "tests/support/doctest.h"
#include "tests/support/temporary_folder.h"

TEST_CASE("text file: whatever the window, the bytes are the file's, and so is the hash") {
    const TemporaryFolder folder;
    std::string text;
    for (int i = 0; i < 3000; ++i) text += std::to_string(i) + (i % 7 == 0 ? "\n" : " ");
    put(folder / "a.txt", text);
    for (const size_t window : {1, 2, 100, 4096, 20'000, 1 << 20}) {
        for (const size_t dropped : {1, 3, 1000}) {
            CAPTURE(window);
            CAPTURE(dropped);
            TextFile file(folder / "a.txt");
            std::string read;
            while (!file.at_end() || !file.window().empty()) {
                file.fill(window);
                CHECK(file.window().size() <= std::max(window, read.size()));
                if (dropped == 3) file.hash();
                const std::string_view front = file.window().substr(0, dropped);
                read += front;
                file.drop(front.size());
            }
            CHECK(read == text);
            CHECK(file.bytes_read() == static_cast<int64_t>(text.size()));
            CHECK(file.sha256() == sha256_of(text));
        }
    }
}

TEST_CASE("text file: a window grows until the file ends") {
    const TemporaryFolder folder;
    put(folder / "a.txt", "abcdef");
    TextFile file(folder / "a.txt");
    CHECK(file.window().empty());
    file.fill(2);
    CHECK(file.window() == "ab");
    CHECK(!file.at_end());
    file.drop(1);
    file.fill(4);
    CHECK(file.window() == "bcde");
    file.fill(4);
    CHECK(file.window() == "bcde");
    file.fill(100);
    CHECK(file.window() == "bcdef");
    CHECK(file.at_end());
    file.drop(100);
    CHECK(file.window().empty());
}

TEST_CASE("text file: what is no text is refused by name") {
    const TemporaryFolder folder;
    const auto says = [&](const std::string& name) {
        const std::string path = (folder / name).string();
        const std::string message = input_error([&] {
            TextFile file(path);
            while (!file.at_end()) {
                file.fill(4);
                file.drop(3);
            }
        });
        REQUIRE(message.starts_with(path));
        return message.substr(path.size());
    };
    put(folder / "empty", "");
    put(folder / "binary", std::string("abcdefg\0hi", 10));
    CHECK(says("empty") == ": is empty, expected text");
    CHECK(says("binary") == ": holds a zero byte at 7, expected text");
    CHECK(says("missing") == ": cannot be opened: No such file or directory");
    CHECK(says(".") == ": found a folder, expected a file");
    REQUIRE(mkfifo((folder / "pipe").c_str(), 0600) == 0);
    std::filesystem::create_symlink("/dev/zero", folder / "zeros");
    CHECK(says("pipe") == ": is not a regular file");
    CHECK(says("zeros") == ": is not a regular file");
}
