#include "kernels/core/buffer.h"

#include <sys/mman.h>

#include <cstdlib>
#include <cstring>

#include "kernels/core/check.h"
#include "kernels/core/cuda_runtime.h"
#include "kernels/core/parallel.h"
#include "kernels/simt/capture.h"
#include "kernels/simt/memory.h"

namespace {

constexpr int64_t kCacheLine = 64;
constexpr int64_t kHugePage = int64_t{2} << 20;

// Large buffers ask for huge pages: a product that walks down a column of [T, V] otherwise needs an
// entry of the TLB for every element. Their pages are handed back at once, so that each is zero
// when it is first touched, by the thread that needs it, and takes no memory before.
void* host_allocate(int64_t bytes, const char* what) {
    const bool large = bytes >= 8 * kHugePage;
    const int64_t alignment = large ? kHugePage : kCacheLine;
    const int64_t rounded = (bytes + alignment - 1) / alignment * alignment;
    void* pointer =
        std::aligned_alloc(static_cast<size_t>(alignment), static_cast<size_t>(rounded));
    ENSURE(pointer != nullptr, "{}: no memory for {} bytes on cpu", what, bytes);
    const auto size = static_cast<size_t>(rounded);
    if (large) madvise(pointer, size, MADV_HUGEPAGE);  // a wish: refusal is no error
    if (large && madvise(pointer, size, MADV_DONTNEED) == 0) return pointer;
    return std::memset(pointer, 0, size);
}

}  // namespace

void* device_allocate(Device device, int64_t bytes, const char* what) {
    ENSURE(bytes >= 0, "{}: {} bytes asked for, expected 0 or more", what, bytes);
    if (bytes == 0) return nullptr;
    if (device == Device::simt) {
        simt::refuse_in_capture("allocating memory");
        return simt::allocate(bytes, what);
    }
#if defined(FETTLE_WITH_CUDA)
    if (device == Device::cuda) return cuda_runtime::allocate(bytes, what);
#endif
    ENSURE(device == Device::cpu, "{}: {}", what, why_silent(device));
    return host_allocate(bytes, what);
}

void device_free(Device device, void* pointer) noexcept {
    if (device == Device::cpu) std::free(pointer);
    if (device == Device::simt) simt::release(pointer);
#if defined(FETTLE_WITH_CUDA)
    if (device == Device::cuda) cuda_runtime::release(pointer);
#endif
}

void copy_to_device(Device device, void* to, const void* from, int64_t bytes) {
    if (bytes == 0) return;
#if defined(FETTLE_WITH_CUDA)
    if (device == Device::cuda) return cuda_runtime::copy_to_device(to, from, bytes);
#endif
    ENSURE(device != Device::cuda, "copy_to_device: {}", why_silent(device));
    if (device == Device::simt) simt::refuse_in_capture("copy_to_device");
    std::memcpy(to, from, static_cast<size_t>(bytes));
}

void copy_to_host(Device device, void* to, const void* from, int64_t bytes) {
    if (bytes == 0) return;
#if defined(FETTLE_WITH_CUDA)
    if (device == Device::cuda) return cuda_runtime::copy_to_host(to, from, bytes);
#endif
    ENSURE(device != Device::cuda, "copy_to_host: {}", why_silent(device));
    if (device == Device::simt) simt::refuse_in_capture("copy_to_host");
    std::memcpy(to, from, static_cast<size_t>(bytes));
}

void copy_on_device(Device device, void* to, const void* from, int64_t bytes) {
    if (bytes == 0) return;
#if defined(FETTLE_WITH_CUDA)
    if (device == Device::cuda) return cuda_runtime::copy_on_device(to, from, bytes);
#endif
    ENSURE(device != Device::cuda, "copy_on_device: {}", why_silent(device));
    if (device == Device::simt) simt::refuse_in_capture("copy_on_device");
    std::memcpy(to, from, static_cast<size_t>(bytes));
}

void set_to_zero(StreamView stream, void* pointer, int64_t bytes) {
    if (bytes == 0) return;
#if defined(FETTLE_WITH_CUDA)
    if (stream.device == Device::cuda)
        return cuda_runtime::set_to_zero(pointer, bytes, stream.handle);
#endif
    ENSURE(stream.device != Device::cuda, "set_to_zero: {}", why_silent(stream.device));
    const auto set = [pointer, bytes] {
        parallel_for(bytes, int64_t{1} << 20, [&](int64_t begin, int64_t end) {
            std::memset(static_cast<char*>(pointer) + begin, 0, static_cast<size_t>(end - begin));
        });
    };
    if (stream.device == Device::simt) return simt::enqueue(stream.handle, set);
    set();
}
