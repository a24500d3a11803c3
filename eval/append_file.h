// A file that only grows, for logs: each append is whole in the file before the call returns, so
// that a killed process loses at most the line it was writing.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string_view>

class AppendFile {
public:
    // Creates the file or keeps the first `kept_bytes` of it. What goes wrong, here and later, is
    // an InputError that names the file.
    explicit AppendFile(std::filesystem::path path, int64_t kept_bytes = 0);
    ~AppendFile();
    AppendFile(const AppendFile&) = delete;
    AppendFile& operator=(const AppendFile&) = delete;

    void append(std::string_view bytes);
    void sync();  // returns once everything is on the disk
    const std::filesystem::path& path() const { return path_; }

private:
    void check(bool succeeded, const char* failure) const;

    std::filesystem::path path_;
    int file_ = -1;
};
