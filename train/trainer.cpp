#include "train/trainer.h"

#include <algorithm>
#include <chrono>
#include <cmath>

#include "kernels/core/check.h"
#include "model/initialize.h"
#include "model/io/hugging_face.h"
#include "model/program/memory.h"
#include "model/program/signals.h"
#include "model/score.h"

namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) {
    return std::chrono::duration<double>(Clock::now() - start).count();
}

// "step 40/200  epoch 0.80  loss 3.2140  learning_rate 5.00e-05  ..."
std::string console_line(const LogRecord& record, int64_t total_steps) {
    std::string line =
        fmt::format("step {}/{}  epoch {:.2f}", record.step, total_steps, record.epoch);
    for (const LogValue& value : record.values) {
        if (const auto* whole = std::get_if<int64_t>(&value.value))
            line += fmt::format("  {} {}", value.name, grouped_digits(*whole));
        else if (value.name == "tokens_per_second")
            line += fmt::format("  {} tokens/s",
                                grouped_digits(std::llround(std::get<double>(value.value))));
        else if (value.name == "learning_rate")
            line += fmt::format("  {} {:.2e}", value.name, std::get<double>(value.value));
        else
            line += fmt::format("  {} {:.4f}", value.name, std::get<double>(value.value));
    }
    return line;
}

PhiloxKey step_key(int64_t seed, int64_t step) {
    return {static_cast<uint32_t>(seed), static_cast<uint32_t>(step)};
}

}  // namespace

template <typename T>
Trainer<T>::Trainer(const Preparation& prepared)
    : prepared_(prepared),
      options_(prepared.options),
      table_(prepared.config),
      stream_(prepared.limits.device),
      store_(table_, prepared.limits.device),
      optimizer_(store_,
                 {.beta1 = options_.adam_beta1,
                  .beta2 = options_.adam_beta2,
                  .epsilon = options_.adam_epsilon,
                  .weight_decay = options_.weight_decay,
                  .max_grad_norm = options_.max_grad_norm},
                 stream_.view()),
      model_(prepared.config, store_, prepared.limits, stream_.view()),
      loader_(prepared.corpus, prepared.loader),
      loss_(prepared.limits.device, 1, "loss") {
    store_.allocate(Role::weight);
    store_.allocate(Role::gradient);
}

template <typename T>
TrainResult Trainer<T>::run(RunFolder& folder) {
    start(folder);
    if (state_.step == 0) evaluate();
    while (state_.step < prepared_.total_steps && !stop_requested() && !stops_early()) {
        const StepResult step = train_step();
        log(step);
        if (evaluates_now()) evaluate();
        if (saves_now()) save();
    }
    const auto stopped_by = stop_requested();  // asked once: a signal may come at any moment
    if (stopped_by)
        save();
    else
        finish();
    progress_.reset();
    return {stopped_by, state_.step, state_.seconds, peak_memory_bytes()};
}

template <typename T>
void Trainer<T>::load(const std::optional<std::filesystem::path>& checkpoint) {
    store_.write_on_host([&](ParameterStore<T>& store) {
        if (checkpoint)
            state_ = load_checkpoint(*checkpoint, store);
        else if (prepared_.model_folder.empty())
            initialize(store, static_cast<uint64_t>(options_.common.seed));
        else
            load_weights(open_model_folder(prepared_.model_folder), store);
    });
    if (state_.step == 0) {  // a checkpoint before the first step: its evaluation comes again
        state_.best_metric.reset();
        state_.best_step.reset();
        state_.evaluations_since_best = 0;
    }
    state_.settings = to_json(options_);
    state_.input_hashes = deciding_inputs(prepared_);
    if (state_.step > 0) epoch_ = loader_.batch_at(state_.step - 1).epoch;
}

template <typename T>
void Trainer<T>::start(RunFolder& folder) {
    folder_ = &folder;
    folder_->begin(state_, forecast_memory(prepared_));
    progress_ = std::make_unique<Progress>("train", prepared_.total_steps, state_.step);
}

template <typename T>
auto Trainer<T>::train_step() -> StepResult {
    const auto begin = Clock::now();
    const GlobalBatch global = loader_.batch_at(state_.step);
    StepResult step;
    step.loss = accumulate_gradients(global);
    step.learning_rate =
        options_.learning_rate * learning_rate_factor(prepared_.schedule, state_.step);
    ensure_finite(step,
                  std::isfinite(step.loss));  // before the weights: finite gradients may follow
    const auto norm = optimizer_.update(state_.step + 1, step.learning_rate);
    step.grad_norm = norm.norm;
    ensure_finite(step, norm.finite);
    for (const Batch& batch : global.micro_batches) step.tokens += batch.num_targets();
    step.epoch = epoch_ = global.epoch;

    ++state_.step;
    state_.tokens += step.tokens;
    state_.loss_sum += step.loss;
    ++state_.loss_count;
    const double seconds = seconds_since(begin);
    state_.seconds += seconds;
    state_.seconds_since_log += seconds;
    state_.tokens_since_log += step.tokens;
    return step;
}

template <typename T>
double Trainer<T>::accumulate_gradients(const GlobalBatch& global) {
    using Real = Accumulator<T>;
    store_.set_to_zero(Role::gradient, stream_.view());
    set_to_zero(stream_.view(), loss_.data(), loss_.bytes());
    for (const Batch& batch : global.micro_batches) {
        const Targets targets = targets_of(batch);
        grad_logprob_.clear();
        for (const float weight : targets.weights)
            grad_logprob_.push_back(static_cast<Real>(-weight / global.divisor));
        model_.forward(batch, {.probability = options_.dropout,
                               .key = step_key(options_.common.seed, state_.step)});
        model_.head(grad_logprob_.data(), loss_.data());
        model_.backward();
    }
    return loss_.to_host()[0];
}

// The optimiser has left the weights alone; whoever reads the message should know where to look.
template <typename T>
void Trainer<T>::ensure_finite(const StepResult& step, bool finite) const {
    if (finite && std::isfinite(step.loss)) return;
    std::string first = "none";
    store_.read_on_host([&](const ParameterStore<T>& store) {
        for (int p = 0; p < table_.size() && first == "none"; ++p) {
            const auto* gradient = store.at(Role::gradient, p);
            for (int64_t i = 0; i < table_[p].count && first == "none"; ++i)
                if (!std::isfinite(gradient[i])) first = table_[p].name;
        }
    });
    throw InputError(
        fmt::format("step {}: loss {}, gradient norm {}, expected finite numbers; first bad "
                    "gradient: {}. No weight was changed by this step; checkpoints before it "
                    "stand. A lower --learning_rate or a longer --warmup_steps usually helps",
                    state_.step + 1, step.loss, step.grad_norm, first));
}

template <typename T>
void Trainer<T>::log(const StepResult& step) {
    last_step_ = step;
    progress_->update(state_.step, step.loss, tokens_per_second());
    if (state_.step == prepared_.total_steps || state_.step % options_.logging_steps == 0)
        write_log_line();
}

template <typename T>
double Trainer<T>::tokens_per_second() const {
    return static_cast<double>(state_.tokens_since_log) / std::max(state_.seconds_since_log, 1e-9);
}

template <typename T>
void Trainer<T>::write_log_line() {
    const LogRecord record{
        .step = state_.step,
        .epoch = last_step_.epoch,
        .values = {{"loss", state_.loss_sum / static_cast<double>(state_.loss_count)},
                   {"learning_rate", last_step_.learning_rate},
                   {"grad_norm", last_step_.grad_norm},
                   {"tokens", state_.tokens},
                   {"tokens_per_second", tokens_per_second()}}};
    folder_->write(record);
    progress_->log(console_line(record, prepared_.total_steps));
    state_.loss_sum = 0.0;
    state_.loss_count = 0;
    state_.seconds_since_log = 0.0;
    state_.tokens_since_log = 0;
}

template <typename T>
bool Trainer<T>::at_epoch_end() const {
    return std::abs(epoch_ - std::round(epoch_)) < 1e-9;
}

template <typename T>
bool Trainer<T>::evaluates_now() const {
    if (prepared_.eval.empty()) return false;
    if (state_.step == prepared_.total_steps) return true;
    if (options_.eval_strategy == "steps") return state_.step % *options_.eval_steps == 0;
    return options_.eval_strategy == "epoch" && at_epoch_end();
}

template <typename T>
void Trainer<T>::evaluate() {
    if (prepared_.eval.empty() || options_.eval_strategy == "no") return;
    const auto begin = Clock::now();
    LogRecord record{.step = state_.step, .epoch = epoch_, .values = {}};
    ScoreSum all;
    std::vector<LogValue> domains;
    for (const EvalDomain& domain : prepared_.eval) {
        Progress progress("eval " + domain.name, domain.corpus.num_rows());
        const ScoreSum sum =
            score(model_, domain.corpus, [&](int64_t done) { progress.update(done); });
        domains.push_back({"eval_" + domain.name + "_loss", sum.mean()});
        all.loss += sum.loss;
        all.tokens += sum.tokens;
    }
    record.values.push_back({"eval_loss", all.mean()});
    if (domains.size() > 1)
        record.values.insert(record.values.end(), domains.begin(), domains.end());
    record.values.push_back({"eval_runtime", seconds_since(begin)});
    folder_->write(record);
    progress_->log(console_line(record, prepared_.total_steps));

    const double metric = record.number(options_.metric_for_best_model);
    ENSURE_INPUT(std::isfinite(metric), options_.metric_for_best_model,
                 "found {} at step {}, expected a finite number", metric, state_.step);
    const bool better =
        !state_.best_metric || (options_.better_is_greater() ? metric > *state_.best_metric
                                                             : metric < *state_.best_metric);
    state_.evaluations_since_best = better ? 0 : state_.evaluations_since_best + 1;
    if (stops_early() && state_.loss_count > 0) write_log_line();  // the last step always logs
    if (!better) return;
    state_.best_metric = metric;
    state_.best_step = state_.step;
    if (options_.load_best_model_at_end) save();
}

template <typename T>
bool Trainer<T>::stops_early() const {
    return options_.early_stopping_patience &&
           state_.evaluations_since_best >= *options_.early_stopping_patience;
}

template <typename T>
bool Trainer<T>::saves_now() const {
    if (options_.save_strategy == "steps") return state_.step % options_.save_steps == 0;
    return options_.save_strategy == "epoch" && at_epoch_end();
}

template <typename T>
void Trainer<T>::save() {
    folder_->sync();
    const CheckpointArgs args{
        .folder = folder_->path(),
        .type = prepared_.save_type,
        .tokenizer_from = prepared_.tokenizer_folder,
        .chat_jinja = prepared_.chat_jinja,
        .keep = options_.save_total_limit,
        .keep_step = options_.load_best_model_at_end ? state_.best_step : std::nullopt};
    store_.read_on_host([&](const ParameterStore<T>& store) {
        save_checkpoint(prepared_.config, store, state_, args);
    });
}

template <typename T>
void Trainer<T>::finish() {
    if (options_.load_best_model_at_end && state_.best_step && *state_.best_step != state_.step)
        store_.write_on_host([&](ParameterStore<T>& store) {
            load_checkpoint(checkpoint_path(folder_->path(), *state_.best_step), store);
        });
    const SaveModel args{.folder = folder_->path(),
                         .type = prepared_.save_type,
                         .tokenizer_from = prepared_.tokenizer_folder,
                         .chat_jinja = prepared_.chat_jinja};
    store_.read_on_host(
        [&](const ParameterStore<T>& store) { save_model(prepared_.config, store, args); });
    folder_->finish(state_);
}

template <typename T>
double Trainer<T>::seconds_per_step() {
    const GlobalBatch global = loader_.batch_at(0);
    accumulate_gradients(global);  // the first one also builds the products' code
    const auto begin = Clock::now();
    accumulate_gradients(global);
    optimizer_.update(1, /*learning_rate=*/0.0);
    return seconds_since(begin);
}

template class Trainer<float>;
template class Trainer<bf16>;
