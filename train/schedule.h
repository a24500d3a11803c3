// The learning rate over the steps: the schedules of Hugging Face's transformers, formula for
// formula, as a pure function of the step. The learning rate of step s (from 0) is
// `learning_rate * learning_rate_factor(schedule, s)`.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

enum class ScheduleType {
    linear,
    cosine,
    cosine_with_min_lr,
    constant,  // has no warm-up, as in transformers
    constant_with_warmup,
    inverse_sqrt,
    polynomial,
    warmup_stable_decay,
};

// How warmup_stable_decay rises and falls.
enum class RampShape { linear, cosine, one_minus_sqrt };

struct Schedule {
    ScheduleType type = ScheduleType::linear;
    int64_t warmup_steps = 0;
    int64_t total_steps = 0;
    double cycles = 0.5;       // waves of a cosine
    double floor = 0.0;        // the lowest factor: cosine_with_min_lr, polynomial, w_s_d
    double power = 1.0;        // polynomial
    double timescale = 1e4;    // inverse_sqrt
    int64_t stable_steps = 0;  // warmup_stable_decay
    int64_t decay_steps = 0;
    RampShape warmup_shape = RampShape::linear;
    RampShape decay_shape = RampShape::cosine;
};

// The names that --lr_scheduler_type takes.
std::vector<std::string> schedule_names();

// `kwargs_json`: --lr_scheduler_kwargs, an object with transformers' argument names, or empty.
// `warmup_steps` below 1 is a share of the total, rounded up. InputError on an argument that is
// unknown to the type, missing, or contradicts the learning rate.
Schedule make_schedule(const std::string& type, const std::string& kwargs_json, double warmup_steps,
                       double learning_rate, int64_t total_steps);

double learning_rate_factor(const Schedule& schedule, int64_t step);
