#include "train/demo/demo.h"

#include "tests/support/doctest.h"

TEST_CASE("demo: the table compares the first evaluation with the last, domain by domain") {
    const std::vector<LogRecord> log = {
        {.step = 0,
         .epoch = 0.0,
         .values = {{"eval_loss", 4.0}, {"eval_plays_loss", 4.5}, {"eval_novels_loss", 3.5}}},
        {.step = 10, .epoch = 0.5, .values = {{"loss", 4.2}}},
        {.step = 20,
         .epoch = 1.0,
         .values = {{"eval_loss", 3.5}, {"eval_plays_loss", 3.25}, {"eval_novels_loss", 3.75}}}};
    const std::string table = loss_table(log);
    CHECK(table.find("plays                           4.500    3.250    -1.250") !=
          std::string::npos);
    CHECK(table.find("novels                          3.500    3.750    +0.250") !=
          std::string::npos);
    CHECK(table.find("eval") == std::string::npos);
}

TEST_CASE("demo: a log without evaluations makes no table") {
    CHECK(loss_table({{.step = 1, .epoch = 0.1, .values = {{"loss", 1.0}}}}).empty());
}
