#include "model/io/scratch_file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <utility>

#include "kernels/core/check.h"

namespace {

std::filesystem::path scratch_folder() {
    const char* const chosen = std::getenv("TMPDIR");
    if (chosen != nullptr && chosen[0] != '\0') return chosen;
    return access("/var/tmp", W_OK | X_OK) == 0 ? "/var/tmp" : "/tmp";
}

}  // namespace

ScratchFile::ScratchFile(std::string content)
    : content_(std::move(content)), folder_(scratch_folder()) {
    std::string name = (folder_ / "fettle_").string() + std::string(6, 'X');
    file_ = mkostemp(name.data(), O_CLOEXEC);
    ENSURE_INPUT(file_ >= 0, folder_.string(),
                 "no temporary file for {} can be made here: {}; TMPDIR may name another folder",
                 content_, std::strerror(errno));
    unlink(name.c_str());
}

ScratchFile::~ScratchFile() {
    if (!bytes_.empty()) munmap(const_cast<std::byte*>(bytes_.data()), bytes_.size());
    if (file_ >= 0) close(file_);
}

ScratchFile::ScratchFile(ScratchFile&& other) noexcept
    : content_(std::move(other.content_)),
      folder_(std::move(other.folder_)),
      file_(std::exchange(other.file_, -1)),
      bytes_(std::exchange(other.bytes_, {})) {}

ScratchFile& ScratchFile::operator=(ScratchFile&& other) noexcept {
    std::swap(content_, other.content_);
    std::swap(folder_, other.folder_);
    std::swap(file_, other.file_);
    std::swap(bytes_, other.bytes_);
    return *this;
}

// Written, not stored to mapped memory: there a full disk would be a signal, not an error.
void ScratchFile::append(std::span<const std::byte> bytes) {
    for (std::span<const std::byte> rest = bytes; !rest.empty();) {
        const ssize_t written = write(file_, rest.data(), rest.size());
        if (written < 0 && errno == EINTR) continue;
        ENSURE_INPUT(written > 0, folder_.string(),
                     "a temporary file for {} cannot grow beyond {} MiB: {}; TMPDIR may name a "
                     "folder with more room",
                     content_, bytes_.size() >> 20, std::strerror(written < 0 ? errno : ENOSPC));
        rest = rest.subspan(static_cast<size_t>(written));
    }
    const size_t size = bytes_.size() + bytes.size();
    if (size == bytes_.size()) return;
    void* const memory = bytes_.empty() ? mmap(nullptr, size, PROT_READ, MAP_SHARED, file_, 0)
                                        : mremap(const_cast<std::byte*>(bytes_.data()),
                                                 bytes_.size(), size, MREMAP_MAYMOVE);
    ENSURE_INPUT(memory != MAP_FAILED, folder_.string(),
                 "a temporary file of {} MiB for {} cannot be mapped: {}", size >> 20, content_,
                 std::strerror(errno));
    bytes_ = {static_cast<const std::byte*>(memory), size};
}
