// trainer_state.json under Hugging Face's keys.

#include "eval/trainer_state.h"

#include <nlohmann/json.hpp>

#include "kernels/core/check.h"
#include "tests/support/doctest.h"

namespace {

TrainerState some_state() {
    TrainerState state;
    state.global_step = 20;
    state.max_steps = 40;
    state.epoch = 1.5;
    state.num_train_epochs = 3;
    state.train_batch_size = 8;
    state.logging_steps = 10;
    state.save_steps = 500;
    state.best_metric = 2.25;
    state.best_global_step = 10;
    state.best_model_checkpoint = "out/checkpoint-10";
    return state;
}

}  // namespace

TEST_CASE("trainer_state.json: has exactly the keys of Hugging Face's TrainerState") {
    const auto json = nlohmann::json::parse(to_json(some_state(), {}));
    std::vector<std::string> keys;
    for (const auto& [key, value] : json.items()) keys.push_back(key);
    CHECK(keys == std::vector<std::string>{"best_global_step",
                                           "best_metric",
                                           "best_model_checkpoint",
                                           "epoch",
                                           "eval_steps",
                                           "global_step",
                                           "is_hyper_param_search",
                                           "is_local_process_zero",
                                           "is_world_process_zero",
                                           "log_history",
                                           "logging_steps",
                                           "max_steps",
                                           "num_input_tokens_seen",
                                           "num_train_epochs",
                                           "save_steps",
                                           "stateful_callbacks",
                                           "total_flos",
                                           "train_batch_size",
                                           "trial_name",
                                           "trial_params"});
}

TEST_CASE("trainer_state.json: the history is the log's records") {
    const std::vector<LogRecord> history = {{10, 0.75, {{"loss", 3.0}, {"learning_rate", 1e-5}}},
                                            {10, 0.75, {{"eval_loss", 2.25}}}};
    const auto json = nlohmann::json::parse(to_json(some_state(), history));
    CHECK(json.at("log_history").size() == 2);
    CHECK(json.at("log_history").at(0).at("learning_rate") == 1e-5);
    CHECK(json.at("log_history").at(1).at("eval_loss") == 2.25);
    CHECK(json.at("log_history").at(1).at("step") == 10);
}

TEST_CASE("trainer_state.json: reads back to the same state") {
    const TrainerState state = some_state();
    const TrainerState copy = trainer_state_from_json(to_json(state, {}), "trainer_state.json");
    CHECK(to_json(copy, {}) == to_json(state, {}));
    CHECK(copy.best_model_checkpoint == "out/checkpoint-10");
    CHECK_FALSE(copy.eval_steps.has_value());
}

TEST_CASE("trainer_state.json: a wrong type names file and key") {
    CHECK_THROWS_WITH_AS(trainer_state_from_json(R"({"global_step": "x"})", "state.json"),
                         doctest::Contains("state.json: global_step"), InputError);
    CHECK_THROWS_AS(trainer_state_from_json("[]", "state.json"), InputError);
}
