#include "kernels/core/buffer.h"

#include "tests/support/devices.h"
#include "tests/support/doctest.h"

TEST_CASE("Buffer: is zeroed and aligned to 64 bytes") {
    for (const int64_t count : {1, 3, 1000, 5000}) {
        const Buffer<float> buffer(tested_device(), count);
        CHECK(buffer.size() == count);
        CHECK(reinterpret_cast<uintptr_t>(buffer.data()) % 64 == 0);
        CHECK(buffer.to_host() == std::vector<float>(static_cast<size_t>(count), 0.0f));
    }
}

TEST_CASE("Buffer: returns what it was given, after moves too") {
    const std::vector<int> values{3, 1, 4, 1, 5};
    Buffer<int> first(tested_device(), values);
    Buffer<int> second(std::move(first));
    CHECK(second.to_host() == values);
    Buffer<int> third(tested_device(), 2);
    third = std::move(second);
    CHECK(third.to_host() == values);
    CHECK(third.size() == 5);
}

TEST_CASE("Buffer: nothing is a buffer without memory") {
    const Buffer<double> none(tested_device(), 0);
    CHECK(none.data() == nullptr);
    CHECK(none.to_host().empty());
    CHECK(Buffer<double>(tested_device(), std::vector<double>{}).size() == 0);
}

TEST_CASE("Buffer: memory that does not exist is an error that names tensor, bytes and device") {
    const auto allocate = [] { Buffer<char>(tested_device(), int64_t{1} << 60, "logits"); };
    std::string text;
    try {
        allocate();
    } catch (const Error& error) {
        text = error.what();
    }
    const std::string expected =
        std::string("logits: no memory for 1152921504606846976 bytes on ") +
        name_of(tested_device());
    CHECK(text.substr(0, expected.size()) == expected);
    CHECK_THROWS_WITH(Buffer<char>(tested_device(), -1, "mask"),
                      "mask: -1 bytes asked for, expected 0 or more");
}
