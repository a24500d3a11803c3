// Event files, taken apart again by a reader that shares nothing with the writer. That TensorBoard
// itself reads them: scripts/check_tensorboard.py.

#include "eval/tensorboard.h"

#include <unistd.h>

#include <cstring>

#include "model/io/json.h"
#include "tests/support/doctest.h"

namespace {

namespace fs = std::filesystem;

// One field of a protobuf message: its raw value.
struct Field {
    int number;
    int wire_type;
    uint64_t bits;     // of a varint, a double or a float
    std::string text;  // of bytes
};

template <typename T>
T take(std::string& bytes) {
    T value;
    REQUIRE(bytes.size() >= sizeof value);
    std::memcpy(&value, bytes.data(), sizeof value);
    bytes.erase(0, sizeof value);
    return value;
}

std::string take_bytes(std::string& bytes, uint64_t count) {
    REQUIRE(bytes.size() >= count);
    std::string front = bytes.substr(0, count);
    bytes.erase(0, count);
    return front;
}

uint64_t take_varint(std::string& bytes) {
    uint64_t value = 0;
    for (int shift = 0;; shift += 7) {
        const auto byte = take<unsigned char>(bytes);
        value |= uint64_t{byte & 0x7fu} << shift;
        if (byte < 0x80) return value;
    }
}

std::vector<Field> fields_of(std::string message) {
    std::vector<Field> fields;
    while (!message.empty()) {
        const uint64_t key = take_varint(message);
        Field field{static_cast<int>(key >> 3), static_cast<int>(key & 7), 0, ""};
        if (field.wire_type == 0) field.bits = take_varint(message);
        if (field.wire_type == 1) field.bits = take<uint64_t>(message);
        if (field.wire_type == 2) field.text = take_bytes(message, take_varint(message));
        if (field.wire_type == 5) field.bits = take<uint32_t>(message);
        fields.push_back(field);
    }
    return fields;
}

// The events of a file; checks the framing.
std::vector<std::vector<Field>> events_of(const fs::path& path) {
    std::string bytes = read_text_file(path);
    std::vector<std::vector<Field>> events;
    while (!bytes.empty()) {
        const std::string length = bytes.substr(0, 8);
        const auto count = take<uint64_t>(bytes);
        CHECK(take<uint32_t>(bytes) == masked_crc32c(length));
        const std::string event = take_bytes(bytes, count);
        CHECK(take<uint32_t>(bytes) == masked_crc32c(event));
        events.push_back(fields_of(event));
    }
    return events;
}

float float_of(uint64_t bits) { return std::bit_cast<float>(static_cast<uint32_t>(bits)); }

struct Folder {
    Folder() { fs::create_directories(path); }
    ~Folder() { fs::remove_all(path); }
    fs::path path = fs::temp_directory_path() / ("fettle_events_" + std::to_string(getpid()));
};

}  // namespace

TEST_CASE("crc32c: the vectors of RFC 3720, B.4") {
    CHECK(crc32c(std::string(32, '\0')) == 0x8a9136aa);
    CHECK(crc32c(std::string(32, '\xff')) == 0x62a8ab43);
    std::string rising, falling;
    for (int i = 0; i < 32; ++i) {
        rising += static_cast<char>(i);
        falling += static_cast<char>(31 - i);
    }
    CHECK(crc32c(rising) == 0x46dd794e);
    CHECK(crc32c(falling) == 0x113fdb5c);
    CHECK(crc32c("123456789") == 0xe3069283);
    CHECK(crc32c("") == 0);
}

TEST_CASE("masked_crc32c: rotated by 15 bits, plus TensorFlow's constant") {
    // 0xe3069283 rotated right by 15 bits is 0x2507c60d.
    CHECK(masked_crc32c("123456789") == static_cast<uint32_t>(0x2507c60dull + 0xa282ead8ull));
}

TEST_CASE("TensorBoardWriter: version first, then a step with one scalar for each value") {
    const Folder folder;
    TensorBoardWriter writer(folder.path);
    writer.append({300, 1.5, {{"loss", 2.5}, {"eval_loss", 1e-3}, {"tokens", int64_t{1} << 33}}});
    const auto events = events_of(writer.path());
    REQUIRE(events.size() == 2);

    REQUIRE(events[0].size() == 2);
    CHECK(events[0][0].number == 1);
    CHECK(events[0][1].number == 3);
    CHECK(events[0][1].text == "brain.Event:2");

    REQUIRE(events[1].size() == 3);
    CHECK(std::bit_cast<double>(events[1][0].bits) > 1.6e9);  // seconds since 1970
    CHECK(events[1][1].number == 2);
    CHECK(events[1][1].bits == 300);
    CHECK(events[1][2].number == 5);
    const auto values = fields_of(events[1][2].text);
    REQUIRE(values.size() == 3);
    const std::vector<std::pair<std::string, float>> expected = {
        {"train/loss", 2.5f}, {"eval/loss", 1e-3f}, {"train/tokens", 8589934592.0f}};
    for (size_t i = 0; i < expected.size(); ++i) {
        CHECK(values[i].number == 1);
        const auto scalar = fields_of(values[i].text);
        REQUIRE(scalar.size() == 2);
        CHECK(scalar[0].number == 1);
        CHECK(scalar[0].text == expected[i].first);
        CHECK(scalar[1].number == 2);
        CHECK(float_of(scalar[1].bits) == expected[i].second);
    }
}

TEST_CASE("TensorBoardWriter: after a resume a session starts at the next step") {
    const Folder folder;
    const TensorBoardWriter writer(folder.path, 200);
    const auto events = events_of(writer.path());
    REQUIRE(events.size() == 2);
    REQUIRE(events[1].size() == 3);
    CHECK(events[1][1].bits == 201);
    CHECK(events[1][2].number == 7);
    const auto session = fields_of(events[1][2].text);
    REQUIRE(session.size() == 1);
    CHECK(session[0].number == 1);
    CHECK(session[0].bits == 1);  // START
}
