// Which files a data argument means.

#include "model/text/data_files.h"

#include "kernels/core/check.h"
#include "tests/support/doctest.h"
#include "tests/support/temporary_folder.h"

namespace {

struct Files {
    TemporaryFolder folder;
    std::string path(const std::string& name) const { return (folder.path() / name).string(); }
    std::string put(const std::string& name, const std::string& text) const {
        std::filesystem::create_directories((folder.path() / name).parent_path());
        ::put(folder / name, text);
        return path(name);
    }
};

using Texts = std::vector<std::string>;

}  // namespace

TEST_CASE("files_of: `path:2` is the path twice, unless a file has that name") {
    const Files files;
    const std::string a = files.put("a.txt", "a"), named = files.put("a:3.txt", "b");
    const auto names = [](const std::string& argument) {
        Texts found;
        for (const auto& file : files_of(argument, "--train_data"))
            found.push_back(file.filename().string());
        return found;
    };
    CHECK(names(a) == Texts{"a.txt"});
    CHECK(names(a + ":2") == Texts{"a.txt", "a.txt"});
    CHECK(names(named) == Texts{"a:3.txt"});
    CHECK(names(named + ":1") == Texts{"a:3.txt"});
    CHECK_THROWS_WITH_AS(
        names(a + ":0"),
        ("--train_data: " + a + ":0 repeats 0 times, expected 1 to 1000000").c_str(), InputError);
    CHECK_THROWS_WITH_AS(names(a + ":x"), ("--train_data: " + a + ":x does not exist").c_str(),
                         InputError);
}

TEST_CASE("files_of: folders and globs are their data files by name") {
    const Files files;
    files.put("d/b.txt", "b");
    files.put("d/a.jsonl", "a");
    files.put("d/c.json", "[]");
    files.put("d/notes.md", "no");
    files.put("d/inner/e.txt", "no");
    const auto names = [&](const std::string& argument) {
        Texts found;
        for (const auto& file : files_of(files.path(argument), "--eval_data"))
            found.push_back(file.filename().string());
        return found;
    };
    CHECK(names("d") == Texts{"a.jsonl", "b.txt", "c.json"});
    CHECK(names("d:2") == Texts{"a.jsonl", "b.txt", "c.json", "a.jsonl", "b.txt", "c.json"});
    CHECK(names("d/*.[jt]*") == Texts{"a.jsonl", "b.txt", "c.json"});
    CHECK(names("*/b.txt:2") == Texts{"b.txt", "b.txt"});
    std::filesystem::create_directories(files.path("empty"));
    CHECK_THROWS_WITH_AS(
        names("empty"),
        ("--eval_data: " + files.path("empty") + " holds no .txt, .jsonl or .json file").c_str(),
        InputError);
    CHECK_THROWS_AS(names("d/*.csv"), InputError);
    CHECK_THROWS_WITH_AS(
        names("d/notes.md"),
        ("--eval_data: " + files.path("d/notes.md") + " is no .txt, .jsonl or .json file").c_str(),
        InputError);
}
