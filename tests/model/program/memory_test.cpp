// Resident memory follows what the process touches; its peak stays.

#include "model/program/memory.h"

#include <sys/mman.h>

#include <cstring>

#include "tests/support/doctest.h"

TEST_CASE("peak_memory_bytes: rises with touched memory and stays after it is returned") {
    constexpr int64_t kBytes = int64_t{256} << 20;
    constexpr int64_t kSlack = int64_t{16} << 20;  // the kernel counts in batches per thread
    const int64_t before = resident_memory_bytes();
    REQUIRE(before > 0);
    void* const block =
        mmap(nullptr, kBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    REQUIRE(block != MAP_FAILED);
    std::memset(block, 1, kBytes);
    CHECK(resident_memory_bytes() >= before + kBytes - kSlack);
    munmap(block, kBytes);
    CHECK(resident_memory_bytes() <= before + kSlack);
    CHECK(peak_memory_bytes() >= before + kBytes - kSlack);
}
