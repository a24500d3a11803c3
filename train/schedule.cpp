#include "train/schedule.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <nlohmann/json.hpp>
#include <numbers>
#include <utility>

#include "kernels/core/check.h"
#include "model/io/json.h"

namespace {

constexpr const char* kKwargs = "--lr_scheduler_kwargs";

struct TypeEntry {
    const char* name;
    ScheduleType type;
    std::vector<std::string> arguments;
};

const std::vector<TypeEntry>& types() {
    static const std::vector<TypeEntry> table = {
        {"linear", ScheduleType::linear, {}},
        {"cosine", ScheduleType::cosine, {"num_cycles"}},
        {"cosine_with_min_lr",
         ScheduleType::cosine_with_min_lr,
         {"num_cycles", "min_lr", "min_lr_rate"}},
        {"constant", ScheduleType::constant, {}},
        {"constant_with_warmup", ScheduleType::constant_with_warmup, {}},
        {"inverse_sqrt", ScheduleType::inverse_sqrt, {"timescale"}},
        {"polynomial", ScheduleType::polynomial, {"lr_end", "power"}},
        {"warmup_stable_decay",
         ScheduleType::warmup_stable_decay,
         {"num_decay_steps", "num_stable_steps", "warmup_type", "decay_type", "min_lr_ratio",
          "num_cycles"}},
    };
    return table;
}

const TypeEntry& entry_of(const std::string& name) {
    for (const TypeEntry& entry : types())
        if (name == entry.name) return entry;
    throw InputError(fmt::format("--lr_scheduler_type: found '{}', expected {}", name,
                                 fmt::join(schedule_names(), " or ")));
}

nlohmann::json parse_arguments(const TypeEntry& entry, const std::string& kwargs_json) {
    if (kwargs_json.empty()) return nlohmann::json::object();
    nlohmann::json arguments = parse_json(kwargs_json, kKwargs);
    ENSURE_INPUT(arguments.is_object(), kKwargs, "found {}, expected a JSON object",
                 excerpt(arguments));
    const auto& known = entry.arguments;
    for (const auto& [key, value] : arguments.items())
        ENSURE_INPUT(std::find(known.begin(), known.end(), key) != known.end(), kKwargs,
                     "{} has no argument '{}', expected {}", entry.name, key,
                     known.empty() ? "none" : fmt::format("{}", fmt::join(known, " or ")));
    return arguments;
}

RampShape shape_from(const JsonObject& arguments, const char* key, const char* fallback) {
    const std::string name = arguments.string_or(key, fallback);
    if (name == "linear") return RampShape::linear;
    if (name == "cosine") return RampShape::cosine;
    if (name == "1-sqrt") return RampShape::one_minus_sqrt;
    arguments.refuse(key, "linear, cosine or 1-sqrt");
}

// The floor of cosine_with_min_lr, as a share of the learning rate.
double cosine_floor(const JsonObject& arguments, double learning_rate) {
    const bool has_rate = arguments.has("min_lr_rate"), has_min = arguments.has("min_lr");
    ENSURE_INPUT(has_rate != has_min, kKwargs,
                 "cosine_with_min_lr expects either min_lr or min_lr_rate, found {}",
                 has_rate ? "both" : "neither");
    if (has_rate) return arguments.number("min_lr_rate");
    ENSURE_INPUT(learning_rate > 0, kKwargs, "min_lr needs a --learning_rate above 0");
    return arguments.number("min_lr") / learning_rate;
}

double polynomial_floor(const JsonObject& arguments, double learning_rate) {
    const double lr_end = arguments.number_or("lr_end", 1e-7);
    ENSURE_INPUT(learning_rate > lr_end, kKwargs,
                 "lr_end is {}, expected less than --learning_rate {}", lr_end, learning_rate);
    return lr_end / learning_rate;
}

double cosine_wave(double cycles, double progress) {
    return 0.5 * (1.0 + std::cos(std::numbers::pi * cycles * 2.0 * progress));
}

double share(int64_t part, int64_t whole) {
    return static_cast<double>(part) / static_cast<double>(std::max<int64_t>(1, whole));
}

double above_floor(double factor, double floor) {
    return std::max(0.0, factor * (1.0 - floor) + floor);
}

double warmup_stable_decay(const Schedule& s, int64_t step) {
    if (step < s.warmup_steps) {
        const double progress = share(step, s.warmup_steps);
        const double factor = s.warmup_shape == RampShape::linear ? progress
                              : s.warmup_shape == RampShape::cosine
                                  ? 0.5 * (1.0 - std::cos(std::numbers::pi * progress))
                                  : 1.0 - std::sqrt(1.0 - progress);
        return above_floor(factor, s.floor);
    }
    const int64_t decay_start = s.warmup_steps + s.stable_steps;
    if (step < decay_start) return 1.0;
    if (step >= decay_start + s.decay_steps) return s.floor;
    const double progress = share(step - decay_start, s.decay_steps);
    const double factor = s.decay_shape == RampShape::linear   ? 1.0 - progress
                          : s.decay_shape == RampShape::cosine ? cosine_wave(s.cycles, progress)
                                                               : 1.0 - std::sqrt(progress);
    return above_floor(factor, s.floor);
}

}  // namespace

std::vector<std::string> schedule_names() {
    std::vector<std::string> names;
    for (const TypeEntry& entry : types()) names.push_back(entry.name);
    return names;
}

Schedule make_schedule(const std::string& type, const std::string& kwargs_json, double warmup_steps,
                       double learning_rate, int64_t total_steps) {
    const TypeEntry& entry = entry_of(type);
    const nlohmann::json json = parse_arguments(entry, kwargs_json);
    const JsonObject arguments(json, kKwargs);
    Schedule schedule;
    schedule.type = entry.type;
    schedule.total_steps = total_steps;
    schedule.warmup_steps =
        warmup_steps >= 1
            ? static_cast<int64_t>(warmup_steps)
            : static_cast<int64_t>(std::ceil(static_cast<double>(total_steps) * warmup_steps));
    schedule.cycles = arguments.number_or("num_cycles", 0.5);

    if (entry.type == ScheduleType::cosine_with_min_lr)
        schedule.floor = cosine_floor(arguments, learning_rate);
    if (entry.type == ScheduleType::polynomial) {
        schedule.floor = polynomial_floor(arguments, learning_rate);
        schedule.power = arguments.number_or("power", 1.0);
    }
    if (entry.type == ScheduleType::inverse_sqrt) {
        const int64_t fallback = schedule.warmup_steps > 0 ? schedule.warmup_steps : 10000;
        schedule.timescale = static_cast<double>(arguments.integer_or("timescale", fallback));
        if (schedule.timescale < 1) arguments.refuse("timescale", "at least 1");
    }
    if (entry.type == ScheduleType::warmup_stable_decay) {
        schedule.floor = arguments.number_or("min_lr_ratio", 0.0);
        schedule.decay_steps = arguments.integer("num_decay_steps");
        schedule.stable_steps = arguments.integer_or(
            "num_stable_steps", total_steps - schedule.warmup_steps - schedule.decay_steps);
        schedule.warmup_shape = shape_from(arguments, "warmup_type", "linear");
        schedule.decay_shape = shape_from(arguments, "decay_type", "cosine");
    }
    return schedule;
}

double learning_rate_factor(const Schedule& s, int64_t step) {
    if (s.type == ScheduleType::constant) return 1.0;
    if (s.type == ScheduleType::warmup_stable_decay) return warmup_stable_decay(s, step);
    if (step < s.warmup_steps) return share(step, s.warmup_steps);

    const double progress = share(step - s.warmup_steps, s.total_steps - s.warmup_steps);
    switch (s.type) {
        case ScheduleType::linear:
            return std::max(0.0, share(s.total_steps - step, s.total_steps - s.warmup_steps));
        case ScheduleType::cosine:
            return std::max(0.0, cosine_wave(s.cycles, progress));
        case ScheduleType::cosine_with_min_lr:
            return above_floor(cosine_wave(s.cycles, progress), s.floor);
        case ScheduleType::polynomial:
            if (step > s.total_steps) return s.floor;
            return (1.0 - s.floor) * std::pow(1.0 - progress, s.power) + s.floor;
        case ScheduleType::inverse_sqrt:
            return 1.0 / std::sqrt((static_cast<double>(step - s.warmup_steps) + s.timescale) /
                                   s.timescale);
        default:
            return 1.0;  // constant_with_warmup
    }
}
