// The log of a run: metrics.jsonl, one JSON object a line, and trainer_state.json, the same
// history under Hugging Face's keys. Training writes them, reports read them.
// The formats are described in docs/format_run.md.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "eval/append_file.h"

struct LogValue {
    std::string name;                     // "loss", "eval_loss", "tokens"
    std::variant<int64_t, double> value;  // a double that is not finite is written as null
};

// One line. Values keep their order.
struct LogRecord {
    int64_t step = 0;  // optimiser steps done
    double epoch = 0.0;
    std::vector<LogValue> values;

    // NaN if there is no such value.
    double number(const std::string& name) const;
};

std::string to_json_line(const LogRecord& record);  // without the newline
// The complete lines of the file; a last line that a killed run left unfinished is skipped. Any
// other line that is not a record is an InputError that names file and line.
std::vector<LogRecord> read_run_log(const std::filesystem::path& metrics_file);

// Appends to FOLDER/metrics.jsonl.
//
// A run that resumes at step s keeps the lines of steps <= s, byte for byte, and writes the later
// ones again, so that the finished file equals an uninterrupted run's but for its timings. This
// holds if everything up to a checkpoint's step is appended and synced before the checkpoint.
class RunLog {
public:
    // Without `resume_step` an existing file is emptied.
    explicit RunLog(const std::filesystem::path& folder, std::optional<int64_t> resume_step = {});

    void append(const LogRecord& record);
    void sync() { file_->sync(); }  // returns once the lines are on the disk
    const std::vector<LogRecord>& records() const { return records_; }

private:
    std::unique_ptr<AppendFile> file_;
    std::vector<LogRecord> records_;
};
