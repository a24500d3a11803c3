#include "model/text/data_files.h"

#include <glob.h>

#include <algorithm>
#include <charconv>

#include "kernels/core/check.h"

namespace fs = std::filesystem;

namespace {

bool is_data_file(const fs::path& file) { return file.extension() == ".txt" || is_json_rows(file); }

// "path:3" is path three times; a colon that no number follows belongs to the name.
std::pair<std::string, int> split_repeat(const std::string& argument, const std::string& flag) {
    const size_t colon = argument.rfind(':');
    if (colon == std::string::npos || fs::exists(argument)) return {argument, 1};
    int repeat = 0;
    const char* end = argument.data() + argument.size();
    const auto [rest, error] = std::from_chars(argument.data() + colon + 1, end, repeat);
    if (error != std::errc{} || rest != end) return {argument, 1};
    ENSURE_INPUT(repeat >= 1 && repeat <= 1'000'000, flag,
                 "{} repeats {} times, expected 1 to 1000000", argument, repeat);
    return {argument.substr(0, colon), repeat};
}

std::vector<fs::path> matches_of(const std::string& pattern) {
    glob_t found{};
    std::vector<fs::path> files;
    if (glob(pattern.c_str(), 0, nullptr, &found) == 0)
        for (size_t i = 0; i < found.gl_pathc; ++i) files.emplace_back(found.gl_pathv[i]);
    globfree(&found);
    return files;  // glob sorts
}

}  // namespace

bool is_json_rows(const fs::path& file) {
    return file.extension() == ".jsonl" || file.extension() == ".json";
}

std::vector<fs::path> files_of(const std::string& argument, const std::string& flag) {
    const auto [path, repeat] = split_repeat(argument, flag);
    std::vector<fs::path> files;
    if (fs::is_directory(path)) {
        for (const auto& entry : fs::directory_iterator(path))
            if (entry.is_regular_file() && is_data_file(entry.path()))
                files.push_back(entry.path());
        std::sort(files.begin(), files.end());
        ENSURE_INPUT(!files.empty(), flag, "{} holds no .txt, .jsonl or .json file", path);
    } else {
        files = fs::exists(path) ? std::vector<fs::path>{path} : matches_of(path);
        ENSURE_INPUT(!files.empty(), flag, "{} does not exist", path);
        for (const fs::path& file : files)
            ENSURE_INPUT(is_data_file(file), flag, "{} is no .txt, .jsonl or .json file",
                         file.string());
    }
    const std::vector<fs::path> once = files;
    for (int i = 1; i < repeat; ++i) files.insert(files.end(), once.begin(), once.end());
    return files;
}

int64_t bytes_of(const std::vector<fs::path>& files) {
    int64_t bytes = 0;
    for (const fs::path& file : files) {
        std::error_code unknown;
        const auto size = fs::file_size(file, unknown);
        if (!unknown) bytes += static_cast<int64_t>(size);
    }
    return bytes;
}
