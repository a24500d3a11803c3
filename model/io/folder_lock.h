// One process at a time works in a folder.
#pragma once

#include <filesystem>
#include <string>

// Held until destruction or the end of the process, however it ends; leaves no file behind. The
// folder must exist. If another process holds it: an InputError that names `flag`. File systems
// without locks (some network ones) are taken at their word.
class FolderLock {
public:
    FolderLock(const std::filesystem::path& folder, const std::string& flag);
    ~FolderLock();
    FolderLock(const FolderLock&) = delete;
    FolderLock& operator=(const FolderLock&) = delete;

private:
    int descriptor_;
};
