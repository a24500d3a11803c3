#include "kernels/simt/memory.h"

#include <cstdint>
#include <set>

#include "tests/support/doctest.h"

TEST_CASE("simt memory: blocks are zeroed, aligned, apart, and end at a page") {
    std::set<char*> blocks;
    for (const int64_t bytes : {1, 63, 64, 65, 4096, 4097, 100000}) {
        char* block = static_cast<char*>(simt::allocate(bytes, "block"));
        CHECK(reinterpret_cast<uintptr_t>(block) % 64 == 0);
        CHECK((reinterpret_cast<uintptr_t>(block) + (bytes + 63) / 64 * 64) % 4096 == 0);
        bool zeroed = true;
        for (int64_t i = 0; i < bytes; ++i) zeroed = zeroed && block[i] == 0;
        CHECK(zeroed);
        block[0] = block[bytes - 1] = 1;
        CHECK(blocks.insert(block).second);
    }
    for (char* block : blocks) simt::release(block);
}

TEST_CASE("simt memory: releasing nothing, or what was never given, does nothing") {
    int other = 0;
    simt::release(nullptr);
    simt::release(&other);
    CHECK(other == 0);
}
