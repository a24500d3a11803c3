// Options as JSON, for run.json and checkpoints, and what may change between a run and its resume.

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <string_view>

#include "kernels/core/check.h"
#include "model/io/json.h"
#include "train/options.h"

namespace {

using Json = nlohmann::ordered_json;

// Where a run writes, how often, and what it prints: no number of it depends on these. A new flag
// counts as affecting numbers until it is listed.
constexpr std::array<std::string_view, 11> kFreeToDiffer = {"config",
                                                            "output_dir",
                                                            "overwrite_output_dir",
                                                            "resume_from_checkpoint",
                                                            "dry_run",
                                                            "report_to",
                                                            "logging_steps",
                                                            "save_strategy",
                                                            "save_steps",
                                                            "save_total_limit",
                                                            "save_dtype"};

// When and by what the best model is chosen.
constexpr std::array<std::string_view, 6> kSelection = {
    "eval_strategy",         "eval_steps",        "load_best_model_at_end",
    "metric_for_best_model", "greater_is_better", "early_stopping_patience"};

template <typename List>
bool contains(const List& list, std::string_view name) {
    return std::find(list.begin(), list.end(), name) != list.end();
}

template <typename T>
Json json_of(const T& value) {
    return value;
}
template <typename T>
Json json_of(const std::optional<T>& value) {
    return value ? Json(*value) : Json();
}

Json json_of(const Flag& flag) {
    return std::visit([](const auto* variable) { return json_of(*variable); }, flag.target());
}

Json options_json(TrainOptions options) {  // a copy, which the flags refer to
    Flags flags("", "");
    add_train_flags(flags, options);
    Json json = Json::object();
    for (const Flag& flag : flags.all())
        if (flag.name() != "config") json[flag.name()] = json_of(flag);
    return json;
}

std::string text_of(const Json& value) {
    return value.is_string() ? value.get<std::string>() : value.dump();
}

bool selects(const TrainOptions& options) {
    return options.load_best_model_at_end || options.early_stopping_patience.has_value();
}

bool grew(const TrainOptions& then, const TrainOptions& now, std::string_view name) {
    const bool counted_then = then.max_steps > 0, counted_now = now.max_steps > 0;
    if (counted_then != counted_now) return true;  // the caller compares the steps
    if (name == "max_steps") return !counted_now || now.max_steps >= then.max_steps;
    return counted_now || now.num_train_epochs >= then.num_train_epochs;
}

}  // namespace

std::string to_json(const TrainOptions& options) { return options_json(options).dump(2); }

TrainOptions train_options_from_json(const std::string& json, const std::string& source) {
    const Json object = parse_ordered_json(json, source);
    ENSURE_INPUT(object.is_object(), source, "expected an object of options");
    TrainOptions options;
    Flags flags("", "");
    add_train_flags(flags, options);
    for (const auto& [key, value] : object.items()) {
        if (value.is_null()) continue;
        std::vector<std::string> values;
        if (value.is_array())
            for (const Json& element : value) values.push_back(text_of(element));
        else
            values.push_back(text_of(value));
        // What is absent is written as an empty text, which a number or a choice would refuse.
        if (value.is_string() && values.front().empty()) continue;
        flags.set(key, values, fmt::format("{}: {}", source, key));
    }
    return options;
}

std::vector<std::string> numeric_differences(const TrainOptions& then, const TrainOptions& now) {
    const Json before = options_json(then), after = options_json(now);
    const bool selection_counts = selects(then) || selects(now);
    std::vector<std::string> differences;
    for (const auto& [name, value] : after.items()) {
        const bool is_length = name == "max_steps" || name == "num_train_epochs";
        const bool may_differ = is_length ? grew(then, now, name)
                                          : contains(kFreeToDiffer, name) ||
                                                (contains(kSelection, name) && !selection_counts);
        if (may_differ || before.at(name) == value) continue;
        differences.push_back(
            fmt::format("--{}: was {}, is now {}", name, before.at(name).dump(), value.dump()));
    }
    return differences;
}
