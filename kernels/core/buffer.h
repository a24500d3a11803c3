// One move-only owner of a block of device memory; everyone else borrows a pointer.
#pragma once

#include <cstdint>
#include <span>
#include <utility>
#include <vector>

#include "kernels/core/stream.h"

// Zeroed, 64-byte aligned memory on `device`. An Error names `what` and the bytes if there is none.
void* device_allocate(Device device, int64_t bytes, const char* what);
void device_free(Device device, void* pointer) noexcept;
void copy_to_device(Device device, void* to, const void* from, int64_t bytes);
void copy_to_host(Device device, void* to, const void* from, int64_t bytes);
// Between buffers of one device that do not overlap.
void copy_on_device(Device device, void* to, const void* from, int64_t bytes);
// In the order of the stream.
void set_to_zero(StreamView stream, void* pointer, int64_t bytes);

template <typename T>
class Buffer {
public:
    Buffer() = default;
    Buffer(Device device, int64_t count, const char* what = "buffer")
        : device_(device),
          count_(count),
          data_(static_cast<T*>(
              device_allocate(device, count * static_cast<int64_t>(sizeof(T)), what))) {}
    Buffer(Device device, const std::vector<T>& values, const char* what = "buffer")
        : Buffer(device, static_cast<int64_t>(values.size()), what) {
        copy_to_device(device, data_, values.data(), bytes());
    }
    Buffer(Buffer&& other) noexcept { swap(other); }
    Buffer& operator=(Buffer&& other) noexcept {
        swap(other);
        return *this;
    }
    ~Buffer() {
        if (data_ != nullptr) device_free(device_, data_);
    }

    T* data() const { return data_; }
    int64_t size() const { return count_; }
    int64_t bytes() const { return count_ * static_cast<int64_t>(sizeof(T)); }
    Device device() const { return device_; }
    std::vector<T> to_host() const {
        std::vector<T> values(static_cast<size_t>(count_));
        copy_to_host(device_, values.data(), data_, bytes());
        return values;
    }

private:
    void swap(Buffer& other) noexcept {
        std::swap(device_, other.device_);
        std::swap(count_, other.count_);
        std::swap(data_, other.data_);
    }

    Device device_ = Device::cpu;
    int64_t count_ = 0;
    T* data_ = nullptr;
};
