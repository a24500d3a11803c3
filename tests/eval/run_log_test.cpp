// metrics.jsonl: what is written reads back, and a resumed log equals an uninterrupted one.

#include "eval/run_log.h"

#include <unistd.h>

#include <cmath>
#include <fstream>
#include <limits>

#include "kernels/core/check.h"
#include "model/io/json.h"
#include "tests/support/doctest.h"

namespace {

namespace fs = std::filesystem;

// An empty folder that lives as long as the object.
struct Folder {
    Folder() { fs::create_directories(path); }
    ~Folder() { fs::remove_all(path); }
    fs::path path = fs::temp_directory_path() / ("fettle_run_log_" + std::to_string(getpid()));
    fs::path metrics = path / "metrics.jsonl";
};

LogRecord record_of(int64_t step) {
    const auto at = static_cast<double>(step);
    return {step, at / 7, {{"loss", 4.0 / (1 + at)}, {"tokens", 1000 * step}}};
}

void log_steps(RunLog& log, int64_t first, int64_t last) {
    for (int64_t step = first; step <= last; ++step) log.append(record_of(step));
}

std::string complaint(const std::string& text) {
    const Folder folder;
    std::ofstream(folder.metrics) << text;
    try {
        read_run_log(folder.metrics);
    } catch (const InputError& error) {
        return std::string(error.what()).substr(folder.metrics.string().size());
    }
    return "";
}

}  // namespace

TEST_CASE("to_json_line: step and epoch first, then the values in their order") {
    CHECK(to_json_line({10, 0.5, {{"loss", 3.25}, {"tokens", int64_t{80}}}}) ==
          R"({"step":10,"epoch":0.5,"loss":3.25,"tokens":80})");
    const double nan = std::numeric_limits<double>::quiet_NaN();
    CHECK(to_json_line({1, 0.0, {{"loss", nan}}}) == R"({"step":1,"epoch":0.0,"loss":null})");
}

TEST_CASE("RunLog: reads back what was appended, to the last bit") {
    const Folder folder;
    RunLog log(folder.path);
    log_steps(log, 0, 20);
    log.sync();
    const auto records = read_run_log(folder.metrics);
    REQUIRE(records.size() == 21);
    for (int64_t step = 0; step <= 20; ++step) {
        const LogRecord& record = records[static_cast<size_t>(step)];
        CHECK(record.step == step);
        CHECK(record.epoch == record_of(step).epoch);
        CHECK(record.number("loss") == record_of(step).number("loss"));
        CHECK(std::get<int64_t>(record.values.at(1).value) == 1000 * step);
    }
    CHECK(std::isnan(records.front().number("eval_loss")));
}

TEST_CASE("RunLog: a run killed anywhere and resumed leaves the same file") {
    const Folder folder;
    {
        RunLog log(folder.path);
        log_steps(log, 0, 12);
    }
    const std::string uninterrupted = read_text_file(folder.metrics);
    for (const int64_t checkpoint : {0, 4, 12})
        for (size_t bytes = uninterrupted.find("\"step\":5"); bytes <= uninterrupted.size();
             bytes += 17) {
            // Killed while writing byte `bytes`; lines up to the checkpoint were synced before it.
            if (checkpoint == 12 && bytes < uninterrupted.size()) continue;
            std::ofstream(folder.metrics, std::ios::binary) << uninterrupted.substr(0, bytes);
            RunLog log(folder.path, checkpoint);
            CHECK(static_cast<int64_t>(log.records().size()) == checkpoint + 1);
            log_steps(log, checkpoint + 1, 12);
            CHECK(read_text_file(folder.metrics) == uninterrupted);
        }
}

TEST_CASE("RunLog: a new run empties the file, a resume without one starts it") {
    const Folder folder;
    { RunLog(folder.path, 5).append(record_of(6)); }
    CHECK(read_run_log(folder.metrics).size() == 1);
    { RunLog(folder.path).append(record_of(0)); }
    CHECK(read_run_log(folder.metrics).front().step == 0);
    CHECK(read_run_log(folder.metrics).size() == 1);
}

TEST_CASE("RunLog: steps that go back are our fault") {
    const Folder folder;
    RunLog log(folder.path);
    log.append(record_of(3));
    log.append(record_of(3));  // an evaluation after the step's own line
    CHECK_THROWS_AS(log.append(record_of(2)), Error);
}

TEST_CASE("read_run_log: a broken line is named, an unfinished last one skipped") {
    CHECK(complaint("{\"step\":1,\"epoch\":0.5}\n{\"step\":2,\"ep").empty());
    CHECK(complaint("{\"step\":1,\"epoch\":0.5}\n{\"step\":2,\n").find(":2: ") == 0);
    CHECK(complaint("{\"epoch\":1}\n") == ":1: expected an object with step and epoch");
    CHECK(complaint("[1]\n") == ":1: expected an object with step and epoch");
    CHECK(complaint("{\"step\":1,\"epoch\":0,\"loss\":\"x\"}\n") == ":1: loss: expected a number");
    CHECK_THROWS_AS(read_run_log("/no/such/metrics.jsonl"), InputError);
}
