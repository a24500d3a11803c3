// Zeroed host memory with one owner, aligned to cache lines. The only allocation of parameters.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

class HostBuffer {
public:
    HostBuffer() = default;
    // Too little memory is an Error that names `what` and the bytes.
    HostBuffer(int64_t bytes, const std::string& what);
    ~HostBuffer();
    HostBuffer(HostBuffer&& other) noexcept;
    HostBuffer& operator=(HostBuffer&& other) noexcept;
    HostBuffer(const HostBuffer&) = delete;
    HostBuffer& operator=(const HostBuffer&) = delete;

    std::byte* data() { return data_; }
    const std::byte* data() const { return data_; }
    int64_t bytes() const { return bytes_; }

private:
    std::byte* data_ = nullptr;
    int64_t bytes_ = 0;
};
