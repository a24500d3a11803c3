#include "model/io/atomic_file.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <string>
#include <system_error>

#include "kernels/core/check.h"

namespace {

constexpr size_t kMaxWrite = size_t{1} << 30;  // Linux writes no more than 2 GiB in one call

[[noreturn]] void fail(const std::filesystem::path& path, const char* what) {
    throw InputError(fmt::format("{}: {}: {}", path.string(), what, std::strerror(errno)));
}

std::filesystem::path folder_of(const std::filesystem::path& path) {
    return path.has_parent_path() ? path.parent_path() : std::filesystem::path(".");
}

// Makes a rename in it survive a power cut. Some file systems cannot, and say EINVAL.
void sync_folder(const std::filesystem::path& folder) {
    const int handle = open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (handle < 0) fail(folder, "cannot be opened to be synced");
    const bool failed = fsync(handle) != 0 && errno != EINVAL;
    const int error = errno;
    close(handle);
    errno = error;
    if (failed) fail(folder, "cannot be synced");
}

// "a/b/" names the same folder as "a/b".
std::filesystem::path without_trailing_slash(const std::filesystem::path& path) {
    return path.has_filename() ? path : path.parent_path();
}

}  // namespace

AtomicFile::AtomicFile(std::filesystem::path path)
    : path_(std::move(path)), partial_(path_.string() + ".partial") {
    file_ = open(partial_.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0666);
    if (file_ < 0) fail(path_, "cannot be written");
    try {
        lock();
        if (ftruncate(file_, 0) != 0) fail(path_, "cannot be written");
    } catch (...) {
        close(file_);  // not removed: it may be another process's
        throw;
    }
}

// Holds off a second writer. The name may have been renamed away between opening and locking, and
// then the open file is someone's finished one.
void AtomicFile::lock() const {
    if (flock(file_, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK)
        throw InputError(path_.string() + ": another process is writing it");
    struct stat mine, named;
    const bool same = fstat(file_, &mine) == 0 && stat(partial_.c_str(), &named) == 0 &&
                      mine.st_ino == named.st_ino && mine.st_dev == named.st_dev;
    ENSURE_INPUT(same, path_.string(), "another process is writing it");
}

AtomicFile::~AtomicFile() { abandon(); }

void AtomicFile::abandon() noexcept {
    if (file_ < 0) return;
    unlink(partial_.c_str());  // before the lock goes with the descriptor
    close(file_);
    file_ = -1;
}

void AtomicFile::write(std::span<const std::byte> bytes) {
    ENSURE(file_ >= 0, "{}: written after commit", path_.string());
    while (!bytes.empty()) {
        const ssize_t written = ::write(file_, bytes.data(), std::min(bytes.size(), kMaxWrite));
        if (written < 0 && errno == EINTR) continue;
        if (written < 0) fail(path_, "cannot be written");
        bytes = bytes.subspan(static_cast<size_t>(written));
        bytes_written_ += written;
    }
}

void AtomicFile::write(std::string_view text) { write(std::as_bytes(std::span(text))); }

void AtomicFile::commit() {
    ENSURE(file_ >= 0, "{}: committed twice", path_.string());
    if (fsync(file_) != 0) fail(path_, "cannot be written");
    if (rename(partial_.c_str(), path_.c_str()) != 0) fail(path_, "cannot be written");
    const int file = file_;
    file_ = -1;  // from here on the file is whole, whatever else happens
    if (close(file) != 0) fail(path_, "cannot be written");
    sync_folder(folder_of(path_));
}

void write_file(const std::filesystem::path& path, std::string_view text) {
    AtomicFile file(path);
    file.write(text);
    file.commit();
}

AtomicFolder::AtomicFolder(std::filesystem::path final_path)
    : final_(without_trailing_slash(final_path)), partial_(final_.string() + ".partial") {
    std::error_code error;
    const bool taken =
        std::filesystem::exists(final_) && !(std::filesystem::is_directory(final_) &&
                                             std::filesystem::is_empty(final_, error) && !error);
    ENSURE_INPUT(!taken, final_.string(), "exists, expected no such folder or an empty one");
    std::filesystem::create_directories(partial_, error);
    ENSURE_INPUT(!error, final_.string(), "cannot be created: {}", error.message());
    lock();
    for (const auto& entry : std::filesystem::directory_iterator(partial_, error))
        std::filesystem::remove_all(entry.path(), error);  // of a process that was killed
}

// Holds off a second writer, which may also have removed or renamed the folder before the lock.
void AtomicFolder::lock() {
    folder_ = open(partial_.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (folder_ < 0) fail(final_, "cannot be created");
    struct stat mine, named;
    const bool busy = flock(folder_, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK;
    const bool same = fstat(folder_, &mine) == 0 && stat(partial_.c_str(), &named) == 0 &&
                      mine.st_ino == named.st_ino && mine.st_dev == named.st_dev;
    if (!busy && same) return;
    close(folder_);  // not removed: it is another process's
    throw InputError(final_.string() + ": another process is writing it");
}

AtomicFolder::~AtomicFolder() {
    std::error_code ignored;  // a destructor has nobody to tell
    if (!committed_) std::filesystem::remove_all(partial_, ignored);
    close(folder_);
}

void AtomicFolder::commit() {
    sync_folder(partial_);
    if (rename(partial_.c_str(), final_.c_str()) != 0) fail(final_, "cannot be created");
    committed_ = true;
    sync_folder(folder_of(final_));
}
