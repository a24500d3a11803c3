// Every target again with the inputs that fuzzing has kept: those that reach different code, and
// those that once broke a reader.

#include <algorithm>

#include "tests/fuzz/target.h"
#include "tests/support/doctest.h"

namespace {

namespace fs = std::filesystem;

std::vector<fs::path> files_of(const fs::path& folder) {
    std::vector<fs::path> files;
    if (fs::is_directory(folder))
        for (const fs::directory_entry& entry : fs::directory_iterator(folder))
            files.push_back(entry.path());
    std::sort(files.begin(), files.end());
    return files;
}

}  // namespace

TEST_CASE("fuzz targets: what was found before is used or refused with an InputError") {
    for (const FuzzTarget& target : fuzz_targets()) {
        const fs::path root = "tests/fuzz";
        const auto corpus = files_of(root / "corpus" / target.name);
        CAPTURE(target.name);
        CHECK(!corpus.empty());
        for (const auto& files : {corpus, files_of(root / "crashers" / target.name)})
            for (const fs::path& file : files) {
                CAPTURE(file.string());
                const std::string input = get(file);
                CHECK_NOTHROW(target.run(input));
                CHECK_NOTHROW(target.run(input.substr(0, input.size() / 2)));
            }
    }
}

TEST_CASE("fuzz targets: each is there, under a name of its own") {
    std::vector<std::string> names;
    for (const FuzzTarget& target : fuzz_targets()) names.push_back(target.name);
    std::sort(names.begin(), names.end());
    CHECK(names == std::vector<std::string>{"checkpoint", "config", "gguf", "llama2c", "row",
                                            "safetensors", "tokenizer", "yaml"});
}

TEST_CASE("fuzz targets: an input of several files is cut at its marks") {
    using Files = std::map<std::string, std::string>;
    CHECK(files_in("=== a\none\n=== b.json\n{}\n") == Files{{"a", "one"}, {"b.json", "{}\n"}});
    CHECK(files_in("=== a\n=== b") == Files{{"a", "=== b"}});
    CHECK(files_in("=== ../a\none\n=== .b\ntwo\n=== c") == Files{{"c", ""}});
    CHECK(files_in("no mark\n=== a\none").empty());
}
