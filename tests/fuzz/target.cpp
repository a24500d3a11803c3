#include "tests/fuzz/target.h"

#include <algorithm>
#include <cctype>

namespace {

namespace fs = std::filesystem;

constexpr std::string_view kMark = "=== ";
constexpr size_t kMaxText = 1000;  // enough to cross every border of a piece

std::vector<FuzzTarget>& targets() {
    static std::vector<FuzzTarget> all;
    return all;
}

bool is_plain(std::string_view name) {
    const auto allowed = [](unsigned char c) {
        return std::isalnum(c) || c == '.' || c == '-' || c == '_';
    };
    return !name.empty() && name.size() < 100 && name.front() != '.' &&
           std::all_of(name.begin(), name.end(), allowed);
}

}  // namespace

const std::vector<FuzzTarget>& fuzz_targets() { return targets(); }

bool add_fuzz_target(const char* name, void (*run)(std::string_view input)) {
    targets().push_back({name, run});
    return true;
}

std::map<std::string, std::string> files_in(std::string_view input) {
    std::map<std::string, std::string> files;
    while (input.starts_with(kMark)) {
        const size_t line_end = std::min(input.find('\n'), input.size());
        const std::string name(input.substr(kMark.size(), line_end - kMark.size()));
        input.remove_prefix(std::min(line_end + 1, input.size()));
        const size_t end = std::min(input.find("\n=== "), input.size());
        if (is_plain(name)) files[name] = input.substr(0, end);
        input.remove_prefix(std::min(end + 1, input.size()));
    }
    return files;
}

void put_files(std::string_view input, const fs::path& folder) {
    for (const fs::directory_entry& old : fs::directory_iterator(folder)) fs::remove_all(old);
    for (const auto& [name, bytes] : files_in(input)) put(folder / name, bytes);
}

void use_tokenizer(const Tokenizer& tokenizer, std::string_view text) {
    constexpr std::string_view kMixed =
        "Hello, world's 12345 tides!\n\n  na\u00efve \u2581caf\u0065\u0301 \u65e5\u672c \U0001f389"
        " aaaaaaaa <s></s><|endoftext|>[INST]\r\n\t\xff\xc3(\xe2\x96 ";
    for (const std::string_view each : {kMixed, text.substr(0, kMaxText)}) {
        const std::vector<int32_t> ids = tokenizer.encode(each);
        for (const int32_t id : ids)
            ENSURE(tokenizer.has_token(id), "a text became id {}, which is no token", id);
        tokenizer.decode(ids);
        tokenizer.decode(ids, /*skip_special=*/true);
    }
}
