// run.json: what is written reads back.

#include "eval/run_info.h"

#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "kernels/core/check.h"
#include "tests/support/doctest.h"

namespace {

RunInfo some_info() {
    RunInfo info;
    info.command = {"bin/train", "--model", "m"};
    info.options = R"({"zeta":1,"alpha":[2.5,null]})";
    info.versions = {{"fettle", "0.1.0"}};
    info.device = "cpu";
    info.device_name = "a processor";
    info.threads = 2;
    info.seed = int64_t{1} << 60;
    info.started = utc_now();
    info.inputs = {{"train_data", "a.txt", 3, std::string(64, 'a')}};
    return info;
}

std::string without(const char* key) {
    auto json = nlohmann::json::parse(to_json(some_info()));
    json.erase(key);
    return json.dump();
}

}  // namespace

TEST_CASE("run.json: reads back to the same run, options in their order") {
    const RunInfo info = some_info();
    const RunInfo copy = run_info_from_json(to_json(info), "run.json");
    CHECK(to_json(copy) == to_json(info));
    CHECK(copy.options == info.options);
    CHECK(copy.seed == info.seed);
    REQUIRE(copy.inputs.size() == 1);
    CHECK(copy.inputs[0].sha256 == info.inputs[0].sha256);
}

TEST_CASE("run.json: each missing key is named") {
    for (const char* key :
         {"format", "started", "versions", "device", "threads", "seed", "options", "inputs"}) {
        CAPTURE(key);
        CHECK_THROWS_WITH_AS(run_info_from_json(without(key), "run.json"), doctest::Contains(key),
                             InputError);
    }
    CHECK_THROWS_AS(run_info_from_json("[]", "run.json"), InputError);
}

TEST_CASE("run.json: bytes of a command that are not UTF-8 do not stop the run") {
    RunInfo info = some_info();
    info.command.push_back("--model=\xff");
    CHECK_NOTHROW(run_info_from_json(to_json(info), "run.json"));
}

TEST_CASE("input_file: counts and hashes the bytes") {
    const auto path =
        std::filesystem::temp_directory_path() / ("fettle_input_" + std::to_string(getpid()));
    std::ofstream(path) << "abc";
    const InputFile input = input_file("train_data", path.string());
    std::filesystem::remove(path);
    CHECK(input.bytes == 3);
    // FIPS 180-2, appendix B.1
    CHECK(input.sha256 == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    CHECK_THROWS_AS(input_file("train_data", "/no/such/file"), InputError);
}

TEST_CASE("utc_now: a date and time that sort as text") {
    const std::string now = utc_now();
    CHECK(now.size() == 20);
    CHECK(now > "2025-01-01T00:00:00Z");
    CHECK(now[10] == 'T');
    CHECK(now.back() == 'Z');
}
