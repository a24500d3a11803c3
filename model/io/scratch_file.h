// A file without a name that only grows and is read as memory: what a program must keep but need
// not hold. The kernel keeps as much of it in memory as there is room for.
//
// It lies in $TMPDIR, else in /var/tmp, which is on a disk where /tmp may be memory, and is gone
// when the process is, however it ends.
#pragma once

#include <cstddef>
#include <filesystem>
#include <span>
#include <string>

class ScratchFile {
public:
    // `content` names what is kept, for messages. An InputError if no file can be made.
    explicit ScratchFile(std::string content);
    ~ScratchFile();
    ScratchFile(ScratchFile&& other) noexcept;
    ScratchFile& operator=(ScratchFile&& other) noexcept;
    ScratchFile(const ScratchFile&) = delete;
    ScratchFile& operator=(const ScratchFile&) = delete;

    // An InputError that names the folder if there is no room; spans of bytes() end here.
    void append(std::span<const std::byte> bytes);
    std::span<const std::byte> bytes() const { return bytes_; }

private:
    std::string content_;
    std::filesystem::path folder_;
    int file_ = -1;
    std::span<const std::byte> bytes_;  // mapped
};
