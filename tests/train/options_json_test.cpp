// Options as JSON and back, and what a resumed run may change.

#include "kernels/core/check.h"
#include "tests/support/doctest.h"
#include "train/options.h"

namespace {

TrainOptions some_options() {
    TrainOptions options;
    options.model = "folder \"with\" quotes";
    options.train_data = {"a,b.txt", "c.txt:2"};
    options.learning_rate = 0.1 + 0.2;  // no short decimal form
    options.max_length = 77;
    options.greater_is_better = false;
    options.lr_scheduler_kwargs = R"({"num_cycles": 2})";
    options.common.seed = int64_t{1} << 60;
    return options;
}

}  // namespace

TEST_CASE("train options: JSON and back is the identity, to the last bit") {
    const TrainOptions options = some_options();
    const TrainOptions copy = train_options_from_json(to_json(options), "run.json");
    CHECK(to_json(copy) == to_json(options));
    CHECK(copy.learning_rate == options.learning_rate);
    CHECK(copy.train_data == options.train_data);
    CHECK(copy.max_length == 77);
    CHECK(copy.greater_is_better == false);
    CHECK(copy.common.seed == options.common.seed);
    CHECK_FALSE(copy.eval_steps.has_value());
}

TEST_CASE("train options: JSON with an unknown key or a wrong value names source and key") {
    CHECK_THROWS_WITH_AS(train_options_from_json(R"({"learning_rat": 1})", "run.json"),
                         "run.json: learning_rat: unknown flag, did you mean --learning_rate?",
                         InputError);
    CHECK_THROWS_WITH_AS(train_options_from_json(R"({"save_steps": 0})", "run.json"),
                         "run.json: save_steps: expected a whole number of at least 1, found '0'",
                         InputError);
    CHECK_THROWS_AS(train_options_from_json("[]", "run.json"), InputError);
    CHECK_THROWS_AS(train_options_from_json("{", "run.json"), InputError);
}

TEST_CASE("numeric_differences: logging, saving and a longer run are free, all else is listed") {
    const TrainOptions then = some_options();
    TrainOptions now = then;
    now.output_dir = "elsewhere";
    now.logging_steps = 1;
    now.save_steps = 7;
    now.save_total_limit = 0;
    now.report_to = "none";
    now.resume_from_checkpoint = "latest";
    now.num_train_epochs = 4;
    CHECK(numeric_differences(then, now).empty());

    now.learning_rate = 1e-4;
    now.packing = true;
    now.num_train_epochs = 2;
    CHECK(numeric_differences(then, now) ==
          std::vector<std::string>{"--packing: was false, is now true",
                                   "--learning_rate: was 0.30000000000000004, is now 0.0001",
                                   "--num_train_epochs: was 3.0, is now 2.0"});
}

TEST_CASE("numeric_differences: max_steps may grow, not shrink") {
    TrainOptions then;
    then.max_steps = 100;
    TrainOptions now = then;
    now.max_steps = 200;
    now.num_train_epochs = 1;  // not in force
    CHECK(numeric_differences(then, now).empty());
    now.max_steps = 50;
    CHECK(numeric_differences(then, now) ==
          std::vector<std::string>{"--max_steps: was 100, is now 50"});
    now.max_steps = -1;  // by epochs now: the trainer compares the steps
    CHECK(numeric_differences(then, now).empty());
}

TEST_CASE("numeric_differences: when to evaluate counts only if it decides what is kept") {
    TrainOptions then, now;
    now.eval_steps = 5;
    CHECK(numeric_differences(then, now).empty());
    then.early_stopping_patience = now.early_stopping_patience = 3;
    CHECK(numeric_differences(then, now) ==
          std::vector<std::string>{"--eval_steps: was null, is now 5"});
}
