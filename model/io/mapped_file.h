// A whole file as read-only memory.
#pragma once

#include <cstddef>
#include <filesystem>
#include <span>

class MappedFile {
public:
    // An InputError that names the file if it cannot be opened, is not a regular file, or is empty.
    explicit MappedFile(const std::filesystem::path& path);
    ~MappedFile();
    MappedFile(MappedFile&& other) noexcept;
    MappedFile& operator=(MappedFile&& other) noexcept;
    MappedFile(const MappedFile&) = delete;
    MappedFile& operator=(const MappedFile&) = delete;

    std::span<const std::byte> bytes() const { return bytes_; }

private:
    std::span<const std::byte> bytes_;
};

// Gives back the memory of mapped bytes that were read; whoever asks again reads the file again.
void forget(std::span<const std::byte> bytes);
