#include "model/host_buffer.h"

#include <cstdlib>
#include <cstring>
#include <utility>

#include "kernels/core/check.h"

namespace {
constexpr size_t kAlignment = 64;
}

HostBuffer::HostBuffer(int64_t bytes, const std::string& what) : bytes_(bytes) {
    ENSURE(bytes >= 0, "{}: a buffer of {} bytes", what, bytes);
    const size_t rounded = (static_cast<size_t>(bytes) + kAlignment - 1) / kAlignment * kAlignment;
    if (rounded == 0) return;
    data_ = static_cast<std::byte*>(std::aligned_alloc(kAlignment, rounded));
    ENSURE(data_ != nullptr, "{}: no memory for {} bytes", what, bytes);
    std::memset(data_, 0, rounded);
}

HostBuffer::~HostBuffer() { std::free(data_); }

HostBuffer::HostBuffer(HostBuffer&& other) noexcept
    : data_(std::exchange(other.data_, nullptr)), bytes_(std::exchange(other.bytes_, 0)) {}

HostBuffer& HostBuffer::operator=(HostBuffer&& other) noexcept {
    std::swap(data_, other.data_);
    std::swap(bytes_, other.bytes_);
    return *this;
}
