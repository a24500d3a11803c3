// The schedules against tests/golden/schedules.json, which transformers computed
// (scripts/make_golden_schedule.py).

#include "train/schedule.h"

#include <cmath>
#include <nlohmann/json.hpp>

#include "kernels/core/check.h"
#include "model/io/json.h"
#include "tests/support/doctest.h"

namespace {

// Both compute in double; the C library's cos and pow may differ in the last bit.
constexpr double kTolerance = 1e-15;

std::string complaint(const std::string& type, const std::string& kwargs, double rate = 1e-3) {
    try {
        make_schedule(type, kwargs, 0, rate, 100);
    } catch (const InputError& error) {
        return error.what();
    }
    return "";
}

}  // namespace

TEST_CASE("learning_rate_factor: equals transformers for every schedule") {
    const auto golden = read_json_file("tests/golden/schedules.json");
    REQUIRE(golden.at("cases").size() >= 2 * schedule_names().size());
    for (const auto& golden_case : golden.at("cases")) {
        const auto kwargs = golden_case.at("kwargs").dump();
        const Schedule schedule = make_schedule(
            golden_case.at("type"), kwargs, golden_case.at("warmup_steps"),
            golden_case.at("learning_rate"), golden_case.at("total_steps").get<int64_t>());
        INFO(golden_case.at("type").get<std::string>(), " ", kwargs);
        for (const auto& pair : golden_case.at("factors")) {
            const auto step = pair.at(0).get<int64_t>();
            CAPTURE(step);
            CHECK(std::abs(learning_rate_factor(schedule, step) - pair.at(1).get<double>()) <=
                  kTolerance);
        }
    }
}

TEST_CASE("make_schedule: a warm-up below 1 is a share of the steps, rounded up") {
    CHECK(make_schedule("linear", "", 0.03, 1e-3, 101).warmup_steps == 4);
    CHECK(make_schedule("linear", "", 1, 1e-3, 101).warmup_steps == 1);
    CHECK(make_schedule("linear", "", 0, 1e-3, 101).warmup_steps == 0);
}

TEST_CASE("make_schedule: wrong arguments are refused by name") {
    CHECK(complaint("linear", R"({"power": 2})") ==
          "--lr_scheduler_kwargs: linear has no argument 'power', expected none");
    CHECK(complaint("cosine_with_min_lr", "{}").find("min_lr or min_lr_rate, found neither") !=
          std::string::npos);
    CHECK(complaint("cosine_with_min_lr", R"({"min_lr": 1e-5, "min_lr_rate": 0.1})")
              .find("found both") != std::string::npos);
    CHECK(complaint("polynomial", "", 1e-8).find("lr_end is 1e-07") != std::string::npos);
    CHECK(complaint("warmup_stable_decay", "{}").find("num_decay_steps") != std::string::npos);
    CHECK(complaint("warmup_stable_decay", R"({"num_decay_steps": 1, "decay_type": "sqrt"})")
              .find("1-sqrt") != std::string::npos);
    CHECK(complaint("inverse_sqrt", R"({"timescale": 0})").find("timescale") != std::string::npos);
    CHECK(complaint("cosine", "[1]").find("JSON object") != std::string::npos);
    CHECK(complaint("cosine", "{").find("--lr_scheduler_kwargs") == 0);
    CHECK(complaint("sine", "").find("--lr_scheduler_type: found 'sine'") == 0);
}
