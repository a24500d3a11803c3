#include "eval/run_log.h"

#include <fmt/format.h>

#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>
#include <string_view>

#include "kernels/core/check.h"
#include "model/io/json.h"

namespace {

using Json = nlohmann::ordered_json;

Json json_of(const LogValue& value) {
    if (const auto* whole = std::get_if<int64_t>(&value.value)) return *whole;
    const double number = std::get<double>(value.value);
    return std::isfinite(number) ? Json(number) : Json();
}

LogRecord record_from(std::string_view line, const std::string& source) {
    const Json json = parse_ordered_json(line, source);
    ENSURE_INPUT(json.is_object() && json.contains("step") && json["step"].is_number_integer() &&
                     json.contains("epoch") && json["epoch"].is_number(),
                 source, "expected an object with step and epoch");
    LogRecord record;
    record.step = json["step"];
    record.epoch = json["epoch"];
    for (const auto& [name, value] : json.items()) {
        if (name == "step" || name == "epoch") continue;
        ENSURE_INPUT(value.is_number() || value.is_null(), source, "{}: expected a number", name);
        if (value.is_number_integer())
            record.values.push_back({name, value.get<int64_t>()});
        else
            record.values.push_back({name, value.is_null()
                                               ? std::numeric_limits<double>::quiet_NaN()
                                               : value.get<double>()});
    }
    return record;
}

struct Line {
    LogRecord record;
    int64_t end = 0;  // the byte after its newline
};

std::vector<Line> read_lines(const std::filesystem::path& path) {
    const std::string text = read_text_file(path);
    std::vector<Line> lines;
    size_t begin = 0;
    for (size_t end = text.find('\n'); end != std::string::npos; end = text.find('\n', begin)) {
        const std::string_view line = std::string_view(text).substr(begin, end - begin);
        const std::string source = fmt::format("{}:{}", path.string(), lines.size() + 1);
        begin = end + 1;
        lines.push_back({record_from(line, source), static_cast<int64_t>(begin)});
    }
    return lines;
}

}  // namespace

double LogRecord::number(const std::string& name) const {
    for (const LogValue& value : values)
        if (value.name == name)
            return std::visit([](auto number) { return static_cast<double>(number); }, value.value);
    return std::numeric_limits<double>::quiet_NaN();
}

std::string to_json_line(const LogRecord& record) {
    Json json = {{"step", record.step}, {"epoch", record.epoch}};
    for (const LogValue& value : record.values) json[value.name] = json_of(value);
    return json.dump();
}

std::vector<LogRecord> read_run_log(const std::filesystem::path& metrics_file) {
    std::vector<LogRecord> records;
    for (Line& line : read_lines(metrics_file)) records.push_back(std::move(line.record));
    return records;
}

RunLog::RunLog(const std::filesystem::path& folder, std::optional<int64_t> resume_step) {
    const std::filesystem::path path = folder / "metrics.jsonl";
    int64_t kept_bytes = 0;
    if (resume_step && std::filesystem::exists(path))
        for (Line& line : read_lines(path)) {
            if (line.record.step > *resume_step) break;
            kept_bytes = line.end;
            records_.push_back(std::move(line.record));
        }
    file_ = std::make_unique<AppendFile>(path, kept_bytes);
}

void RunLog::append(const LogRecord& record) {
    ENSURE(records_.empty() || records_.back().step <= record.step,
           "run log: step {} after step {}", record.step, records_.back().step);
    file_->append(to_json_line(record) + "\n");
    records_.push_back(record);
}
