// Event files that TensorBoard reads, written without TensorFlow or protobuf.
//
// A file is a sequence of records
//     uint64 length | uint32 masked CRC-32C of the length | bytes | uint32 masked CRC-32C of bytes
// little-endian, each holding one Event message (tensorflow/core/util/event.proto):
//     1 wall_time double | 2 step int64 | 3 file_version string ("brain.Event:2", first record)
//     5 summary { 1 value { 1 tag string | 2 simple_value float } ... } | 7 session_log { 1 status
//     }
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

#include "eval/append_file.h"
#include "eval/run_log.h"

// CRC-32C (Castagnoli) as TensorFlow stores it: rotated by 15 bits, plus a constant.
uint32_t crc32c(std::string_view bytes);
uint32_t masked_crc32c(std::string_view bytes);

class TensorBoardWriter {
public:
    // A new file events.out.tfevents.<seconds>.fettle.<pid> in the folder. After a resume at step
    // s it starts with a mark that makes TensorBoard forget what earlier files say of steps > s.
    explicit TensorBoardWriter(const std::filesystem::path& folder,
                               std::optional<int64_t> resume_step = {});

    // Each value as a scalar: "eval_x" under the tag eval/x, any other x under train/x.
    void append(const LogRecord& record);
    const std::filesystem::path& path() const { return file_.path(); }

private:
    void write_record(const std::string& event);

    AppendFile file_;
};
