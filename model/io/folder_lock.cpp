#include "model/io/folder_lock.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>

#include "kernels/core/check.h"

FolderLock::FolderLock(const std::filesystem::path& folder, const std::string& flag)
    : descriptor_(open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)) {
    const bool held = flock(descriptor_, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK;
    if (!held) return;
    close(descriptor_);
    throw InputError(
        fmt::format("{}: {} is in use by another run; wait for its end or give another folder",
                    flag, folder.string()));
}

FolderLock::~FolderLock() { close(descriptor_); }
