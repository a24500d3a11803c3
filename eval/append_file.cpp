#include "eval/append_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "kernels/core/check.h"

void AppendFile::check(bool succeeded, const char* failure) const {
    ENSURE_INPUT(succeeded, path_.string(), "{}: {}", failure, std::strerror(errno));
}

AppendFile::AppendFile(std::filesystem::path path, int64_t kept_bytes) : path_(std::move(path)) {
    file_ = open(path_.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
    check(file_ >= 0, "cannot be written");
    if (ftruncate(file_, kept_bytes) == 0) return;
    const int error = errno;
    close(file_);  // the destructor of a half-made object does not run
    errno = error;
    check(false, "cannot be shortened");
}

AppendFile::~AppendFile() { close(file_); }

void AppendFile::append(std::string_view bytes) {
    while (!bytes.empty()) {
        const ssize_t written = write(file_, bytes.data(), bytes.size());
        if (written < 0 && errno == EINTR) continue;
        check(written >= 0, "cannot be written");
        bytes.remove_prefix(static_cast<size_t>(written));
    }
}

void AppendFile::sync() { check(fsync(file_) == 0, "cannot be synced"); }
