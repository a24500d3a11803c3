#include "eval/trainer_state.h"

#include <nlohmann/json.hpp>

#include "kernels/core/check.h"
#include "model/io/json.h"

namespace {

using Json = nlohmann::ordered_json;

template <typename T>
Json json_of(const std::optional<T>& value) {
    return value ? Json(*value) : Json();
}

}  // namespace

std::string to_json(const TrainerState& state, const std::vector<LogRecord>& history) {
    Json log_history = Json::array();
    for (const LogRecord& record : history)
        log_history.push_back(Json::parse(to_json_line(record)));
    const Json json = {
        {"best_global_step", json_of(state.best_global_step)},
        {"best_metric", json_of(state.best_metric)},
        {"best_model_checkpoint", json_of(state.best_model_checkpoint)},
        {"epoch", state.epoch},
        {"eval_steps", json_of(state.eval_steps)},
        {"global_step", state.global_step},
        {"is_hyper_param_search", false},
        {"is_local_process_zero", true},
        {"is_world_process_zero", true},
        {"log_history", log_history},
        {"logging_steps", state.logging_steps},
        {"max_steps", state.max_steps},
        {"num_input_tokens_seen", state.num_input_tokens_seen},
        {"num_train_epochs", state.num_train_epochs},
        {"save_steps", state.save_steps},
        {"stateful_callbacks", Json::object()},
        {"total_flos", state.total_flos},
        {"train_batch_size", state.train_batch_size},
        {"trial_name", nullptr},
        {"trial_params", nullptr},
    };
    return json.dump(2) + "\n";
}

TrainerState trainer_state_from_json(const std::string& json, const std::string& source) {
    const nlohmann::json parsed = parse_json(json, source);
    ENSURE_INPUT(parsed.is_object(), source, "expected an object");
    const JsonObject object(parsed, source);
    TrainerState state;
    state.global_step = object.integer_or("global_step", 0);
    state.max_steps = object.integer_or("max_steps", 0);
    state.epoch = object.number_or("epoch", 0);
    state.num_train_epochs = object.number_or("num_train_epochs", 0);
    state.train_batch_size = object.integer_or("train_batch_size", 0);
    state.logging_steps = object.integer_or("logging_steps", 0);
    state.save_steps = object.integer_or("save_steps", 0);
    state.num_input_tokens_seen = object.integer_or("num_input_tokens_seen", 0);
    state.total_flos = object.number_or("total_flos", 0);
    if (object.has("eval_steps")) state.eval_steps = object.integer("eval_steps");
    if (object.has("best_metric")) state.best_metric = object.number("best_metric");
    if (object.has("best_global_step")) state.best_global_step = object.integer("best_global_step");
    if (object.has("best_model_checkpoint"))
        state.best_model_checkpoint = object.string("best_model_checkpoint");
    return state;
}
