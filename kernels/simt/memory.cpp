#include "kernels/simt/memory.h"

#include <sys/mman.h>

#include <map>
#include <mutex>

#include "kernels/core/check.h"
#include "kernels/simt/check.h"

namespace simt {
namespace {

constexpr int64_t kPage = 4096;
constexpr int64_t kAlignment = 64;

struct Mapping {
    void* start = nullptr;
    size_t bytes = 0;
};

std::mutex mutex;
std::map<void*, Mapping> mappings;  // by what allocate returned

int64_t round_up(int64_t bytes, int64_t multiple) {
    return (bytes + multiple - 1) / multiple * multiple;
}

}  // namespace

// One inaccessible page before and one after. An end that is no multiple of kAlignment leaves up to
// 63 bytes between the block and the page; reading them is not noticed.
void* allocate(int64_t bytes, const char* what) {
    const int64_t body = round_up(bytes, kAlignment);
    const int64_t pages = round_up(body, kPage);
    const auto total = static_cast<size_t>(pages + 2 * kPage);
#if defined(FETTLE_CHECK)
    void* const where = check::reserve(total);
    ENSURE(where != nullptr, "{}: no memory for {} bytes on simt", what, bytes);
    constexpr int kFixed = MAP_FIXED;
#else
    void* const where = nullptr;
    constexpr int kFixed = 0;
#endif
    void* start =
        mmap(where, total, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | kFixed, -1, 0);
    ENSURE(start != MAP_FAILED, "{}: no memory for {} bytes on simt", what, bytes);
    char* first = static_cast<char*>(start) + kPage;
    if (mprotect(first, static_cast<size_t>(pages), PROT_READ | PROT_WRITE) != 0) {
        munmap(start, total);
        throw Error(fmt::format("{}: no memory for {} bytes on simt", what, bytes));
    }
    void* pointer = first + (pages - body);
    const std::lock_guard lock(mutex);
    check::add_buffer(pointer, static_cast<size_t>(bytes), what);
    mappings[pointer] = {start, total};
    return pointer;
}

void release(void* pointer) noexcept {
    const std::lock_guard lock(mutex);
    const auto found = mappings.find(pointer);
    if (found == mappings.end()) return;
    check::remove_buffer(pointer);
    // The address space of a check build stays its own.
    if constexpr (check::kOn)
        mmap(found->second.start, found->second.bytes, PROT_NONE,
             MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0);
    else
        munmap(found->second.start, found->second.bytes);
    mappings.erase(found);
}

}  // namespace simt
