// The loop: resuming is bit for bit, saving and logging change no weight, early stopping and the
// best model do what their names say.

#include "train/trainer.h"

#include "tests/support/doctest.h"
#include "tests/support/tiny_run.h"

namespace {

std::string weights_in(const std::string& folder) {
    return get(std::filesystem::path(folder) / "model.safetensors");
}

// Runs to the end and returns the bytes of the weights written.
template <typename T>
std::string run(const TrainOptions& options) {
    const Preparation prepared = prepare(options);
    const auto checkpoint = claim_run_folder(prepared);
    RunFolder folder(prepared, "test");
    Trainer<T> trainer(prepared);
    trainer.run(folder, checkpoint);
    return weights_in(options.output_dir);
}

std::vector<LogRecord> log_of(const TrainOptions& options) {
    return read_run_log(std::filesystem::path(options.output_dir) / "metrics.jsonl");
}

}  // namespace

TEST_CASE("trainer: the loss falls, and every step is logged with its learning rate") {
    const TinyRun tiny;
    TrainOptions options = tiny.options();
    options.max_steps = 30;
    run<float>(options);
    const auto log = log_of(options);
    REQUIRE(log.size() == 30);
    CHECK(log.front().number("loss") > 5.0);  // ln 257 is 5.55
    CHECK(log.back().number("loss") < 3.5);
    CHECK(log.front().number("learning_rate") == doctest::Approx(1e-2));
    CHECK(log.back().number("learning_rate") == doctest::Approx(1e-2 / 30));
    CHECK(log.back().number("tokens") == 5 * (1521 - 48));
    CHECK(log.back().epoch == doctest::Approx(5.0));
}

TEST_CASE_TEMPLATE("trainer: a run that goes on from a checkpoint ends at the same bits", T, float,
                   bf16) {
    const TinyRun tiny;
    TrainOptions options = tiny.options();
    options.precision = std::is_same_v<T, bf16> ? "bf16" : "fp32";
    options.dropout = 0.1;
    options.gradient_accumulation_steps = 2;
    options.per_device_train_batch_size = 3;
    options.save_steps = 4;
    options.max_steps = 7;
    const std::string whole = run<T>(options);

    std::filesystem::remove(std::filesystem::path(options.output_dir) / "model.safetensors");
    options.resume_from_checkpoint = "latest";
    CHECK(run<T>(options) == whole);
    CHECK(log_of(options).size() == 7);
}

TEST_CASE("trainer: going on from an earlier checkpoint leaves none of the steps after it behind") {
    const TinyRun tiny;
    TrainOptions options = tiny.options();
    options.save_steps = 2;
    options.save_total_limit = 0;
    run<float>(options);
    options.resume_from_checkpoint = checkpoint_path(options.output_dir, 2).string();
    options.max_steps = 7;  // another schedule: steps 4 and 6 would not be this run's
    options.save_strategy = "no";
    run<float>(options);
    CHECK(checkpoint_steps(options.output_dir) == std::vector<int64_t>{2});
}

TEST_CASE("trainer: how often it saves, logs and evaluates changes no weight") {
    const TinyRun tiny;
    TrainOptions options = tiny.options();
    const std::string weights = run<float>(options);
    options.output_dir = (tiny.folder / "other_out").string();
    options.save_steps = 1;
    options.logging_steps = 4;
    options.eval_data = {(tiny.folder / "other.txt").string()};
    options.eval_strategy = "steps";
    options.eval_steps = 2;
    CHECK(run<float>(options) == weights);
    const auto kept = checkpoint_steps(options.output_dir);  // the limit is 2
    REQUIRE(kept.size() == 2);
    CHECK(kept[0] == 5);
    CHECK(kept[1] == 6);
}

TEST_CASE("trainer: a batch or its rows one by one lead to the same weights but for rounding") {
    const TinyRun tiny;
    TrainOptions options = tiny.options();
    const auto final_loss = [&](int64_t batch, int64_t accumulation, const char* out) {
        options.per_device_train_batch_size = batch;
        options.gradient_accumulation_steps = accumulation;
        options.output_dir = (tiny.folder / out).string();
        run<float>(options);
        return log_of(options).back().number("loss");
    };
    const double whole = final_loss(8, 1, "whole");
    CHECK(final_loss(1, 8, "single") == doctest::Approx(whole).epsilon(1e-5));
}

TEST_CASE("trainer: early stopping ends the run, and the best model is what is written") {
    const TinyRun tiny;
    TrainOptions options = tiny.options();
    options.max_steps = 40;
    options.learning_rate = 0.5;  // soon worse than at the start
    options.max_grad_norm = 0.0;
    options.eval_data = {(tiny.folder / "other.txt").string()};
    options.eval_strategy = "steps";
    options.eval_steps = 1;
    options.load_best_model_at_end = true;
    options.early_stopping_patience = 3;
    run<float>(options);
    const auto log = log_of(options);
    double best = 1e9;
    int64_t best_step = -1;
    for (const LogRecord& record : log) {
        const double loss = record.number("eval_loss");
        if (std::isnan(loss) || loss >= best) continue;
        best = loss;
        best_step = record.step;
    }
    CHECK(log.back().step == best_step + 3);
    CHECK(weights_in(options.output_dir) ==
          weights_in(checkpoint_path(options.output_dir, best_step).string()));
}

TEST_CASE("trainer: numbers that are not finite stop the run and name the first bad gradient") {
    const TinyRun tiny;
    TrainOptions options = tiny.options();
    options.learning_rate = 1e30;
    options.max_grad_norm = 0.0;
    try {
        run<float>(options);
        CHECK(false);
    } catch (const InputError& error) {
        const std::string message = error.what();
        CHECK(message.find("first bad gradient: transformer.") != std::string::npos);
    }
    CHECK(
        !std::filesystem::exists(std::filesystem::path(options.output_dir) / "model.safetensors"));
}
