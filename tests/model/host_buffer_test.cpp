// Zeroed, aligned, owned once.

#include "model/host_buffer.h"

#include "kernels/core/check.h"
#include "tests/support/doctest.h"

TEST_CASE("HostBuffer: memory is zeroed and aligned for any size, none for no bytes") {
    for (const int64_t bytes : {1, 63, 64, 65, 100'000}) {
        HostBuffer buffer(bytes, "test");
        CHECK(buffer.bytes() == bytes);
        CHECK(reinterpret_cast<uintptr_t>(buffer.data()) % 64 == 0);
        for (int64_t i = 0; i < bytes; ++i) REQUIRE(buffer.data()[i] == std::byte{0});
    }
    CHECK(HostBuffer(0, "test").data() == nullptr);
}

TEST_CASE("HostBuffer: a move hands the memory over") {
    HostBuffer first(8, "test");
    std::byte* const data = first.data();
    HostBuffer second = std::move(first);
    CHECK(second.data() == data);
    CHECK(first.data() == nullptr);
    HostBuffer third(16, "test");
    third = std::move(second);
    CHECK(third.data() == data);
    CHECK(third.bytes() == 8);
}

#ifndef __SANITIZE_ADDRESS__  // which ends the program where malloc would return null
TEST_CASE("HostBuffer: more than there is is an error that says for what and how much") {
    CHECK_THROWS_WITH_AS(HostBuffer(int64_t{1} << 60, "the weights"),
                         "the weights: no memory for 1152921504606846976 bytes", Error);
}
#endif
