// Files that are either whole or absent: written beside their final name, synced, then renamed.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string_view>

// Until commit() the bytes are in "<path>.partial", which the destructor removes; a process that
// was killed leaves it, and the next writer of the same path takes it over. An existing file at
// `path` stays as it is until the rename. Whatever goes wrong (no permission, a full disk, another
// process writing the same file) is an InputError that names the file.
class AtomicFile {
public:
    explicit AtomicFile(std::filesystem::path path);
    ~AtomicFile();
    AtomicFile(const AtomicFile&) = delete;
    AtomicFile& operator=(const AtomicFile&) = delete;

    void write(std::span<const std::byte> bytes);
    void write(std::string_view text);
    int64_t bytes_written() const { return bytes_written_; }

    // Syncs, renames, syncs the folder. Nothing may be written afterwards.
    void commit();

private:
    void lock() const;
    void abandon() noexcept;

    std::filesystem::path path_, partial_;
    int file_ = -1;
    int64_t bytes_written_ = 0;
};

void write_file(const std::filesystem::path& path, std::string_view text);

// A folder of files that appears whole: filled at path(), then renamed to its final name, which
// must not exist or be an empty folder. The destructor of an uncommitted one removes what it holds.
class AtomicFolder {
public:
    explicit AtomicFolder(std::filesystem::path final_path);
    ~AtomicFolder();
    AtomicFolder(const AtomicFolder&) = delete;
    AtomicFolder& operator=(const AtomicFolder&) = delete;

    const std::filesystem::path& path() const { return partial_; }
    void commit();

private:
    void lock();

    std::filesystem::path final_, partial_;
    int folder_ = -1;  // partial_, locked
    bool committed_ = false;
};
