#include "model/io/text_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "kernels/core/check.h"

TextFile::TextFile(const std::filesystem::path& path) : name_(path.string()) {
    ENSURE_INPUT(!std::filesystem::is_directory(path), name_, "found a folder, expected a file");
    const int file = open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);  // a pipe may block
    ENSURE_INPUT(file >= 0, name_, "cannot be opened: {}", std::strerror(errno));
    struct stat status {};
    const bool regular = fstat(file, &status) == 0 && S_ISREG(status.st_mode);
    if (!regular) close(file);
    ENSURE_INPUT(regular, name_, "is not a regular file");
    file_ = file;
    posix_fadvise(file_, 0, 0, POSIX_FADV_SEQUENTIAL);
}

TextFile::~TextFile() {
    if (file_ >= 0) close(file_);
}

void TextFile::fill(size_t bytes) {
    hash();
    std::copy(buffer_.begin() + static_cast<ptrdiff_t>(begin_),
              buffer_.begin() + static_cast<ptrdiff_t>(end_), buffer_.begin());
    end_ -= begin_;
    hashed_ -= begin_;
    begin_ = 0;
    if (buffer_.size() < bytes) buffer_.resize(bytes);
    while (!at_end_ && end_ < bytes) {
        const ssize_t count = read(file_, buffer_.data() + end_, bytes - end_);
        if (count < 0 && errno == EINTR) continue;
        ENSURE_INPUT(count >= 0, name_, "cannot be read: {}", std::strerror(errno));
        const void* const zero =
            std::memchr(buffer_.data() + end_, '\0', static_cast<size_t>(count));
        ENSURE_INPUT(zero == nullptr, name_, "holds a zero byte at {}, expected text",
                     bytes_read_ + (static_cast<const char*>(zero) - (buffer_.data() + end_)));
        at_end_ = count == 0;
        end_ += static_cast<size_t>(count);
        bytes_read_ += count;
    }
    ENSURE_INPUT(bytes_read_ > 0, name_, "is empty, expected text");
}

void TextFile::drop(size_t bytes) { begin_ += std::min(bytes, end_ - begin_); }

void TextFile::hash() {
    hash_.update(std::as_bytes(std::span(buffer_).subspan(hashed_, end_ - hashed_)));
    hashed_ = end_;
}

std::string TextFile::sha256() {
    hash();
    return hash_.finish();
}
