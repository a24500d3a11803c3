#include "eval/tensorboard.h"

#include <fmt/format.h>
#include <unistd.h>

#include <array>
#include <bit>
#include <chrono>

namespace {

constexpr uint32_t kPolynomial = 0x82f63b78;  // Castagnoli's, lowest bit first
constexpr uint32_t kMaskDelta = 0xa282ead8;

constexpr std::array<uint32_t, 256> make_table() {
    std::array<uint32_t, 256> table{};
    for (uint32_t byte = 0; byte < 256; ++byte) {
        uint32_t remainder = byte;
        for (int bit = 0; bit < 8; ++bit)
            remainder = (remainder >> 1) ^ ((remainder & 1) ? kPolynomial : 0);
        table[byte] = remainder;
    }
    return table;
}

template <typename T>
std::string little_endian(T value) {
    static_assert(std::endian::native == std::endian::little);
    return std::string(reinterpret_cast<const char*>(&value), sizeof value);
}

// Protobuf's wire format: a field is a key (number and wire type), then its value.
std::string varint(uint64_t value) {
    std::string bytes;
    for (; value >= 0x80; value >>= 7) bytes += static_cast<char>(value | 0x80);
    bytes += static_cast<char>(value);
    return bytes;
}

std::string varint_field(int number, int64_t value) {
    return varint(static_cast<uint64_t>(number) << 3) + varint(static_cast<uint64_t>(value));
}
std::string double_field(int number, double value) {
    return varint(static_cast<uint64_t>(number) << 3 | 1) + little_endian(value);
}
std::string bytes_field(int number, const std::string& value) {
    return varint(static_cast<uint64_t>(number) << 3 | 2) + varint(value.size()) + value;
}
std::string float_field(int number, float value) {
    return varint(static_cast<uint64_t>(number) << 3 | 5) + little_endian(value);
}

double now_in_seconds() {
    const auto since_epoch = std::chrono::system_clock::now().time_since_epoch();
    return std::chrono::duration<double>(since_epoch).count();
}

std::string event_at(int64_t step) {
    return double_field(1, now_in_seconds()) + varint_field(2, step);
}

std::string tag_of(const std::string& name) {
    return name.starts_with("eval_") ? "eval/" + name.substr(5) : "train/" + name;
}

}  // namespace

uint32_t crc32c(std::string_view bytes) {
    static constexpr std::array<uint32_t, 256> table = make_table();
    uint32_t crc = 0xffffffff;
    for (const char byte : bytes)
        crc = table[(crc ^ static_cast<unsigned char>(byte)) & 0xff] ^ (crc >> 8);
    return ~crc;
}

uint32_t masked_crc32c(std::string_view bytes) { return std::rotr(crc32c(bytes), 15) + kMaskDelta; }

TensorBoardWriter::TensorBoardWriter(const std::filesystem::path& folder,
                                     std::optional<int64_t> resume_step)
    // TensorBoard reads the files of a folder in the order of their names.
    : file_(folder / fmt::format("events.out.tfevents.{:010}.fettle.{}",
                                 static_cast<int64_t>(now_in_seconds()), getpid())) {
    write_record(double_field(1, now_in_seconds()) + bytes_field(3, "brain.Event:2"));
    constexpr int64_t kSessionStart = 1;
    if (resume_step)
        write_record(event_at(*resume_step + 1) + bytes_field(7, varint_field(1, kSessionStart)));
}

void TensorBoardWriter::append(const LogRecord& record) {
    std::string summary;
    for (const auto& [name, value] : record.values) {
        const double number = std::visit([](auto v) { return static_cast<double>(v); }, value);
        summary += bytes_field(
            1, bytes_field(1, tag_of(name)) + float_field(2, static_cast<float>(number)));
    }
    write_record(event_at(record.step) + bytes_field(5, summary));
}

void TensorBoardWriter::write_record(const std::string& event) {
    const std::string length = little_endian(uint64_t{event.size()});
    file_.append(length + little_endian(masked_crc32c(length)) + event +
                 little_endian(masked_crc32c(event)));
}
