#include "train/preparation.h"

#include "tests/support/doctest.h"
#include "tests/support/tiny_run.h"

namespace {

std::string refusal_of(const TrainOptions& options) {
    try {
        prepare(options);
    } catch (const InputError& error) {
        return error.what();
    }
    return "";
}

bool mentions(const std::string& text, const std::string& part) {
    return text.find(part) != std::string::npos;
}

}  // namespace

TEST_CASE("preparation: steps are epochs times the steps of an epoch, rounded up") {
    const TinyRun run;
    TrainOptions options = run.options();
    options.max_steps = -1;
    options.num_train_epochs = 2.5;
    const Preparation prepared = prepare(options);
    // 1,520 bytes and one EOS: 48 rows of 32 tokens, the last shorter.
    CHECK(prepared.corpus.num_rows() == 48);
    CHECK(prepared.steps_per_epoch == 6);
    CHECK(prepared.total_steps == 15);
    CHECK(prepared.limits.tokens == 8 * 32);
    CHECK(prepared.limits.longest_row == 32);
}

TEST_CASE("preparation: rows held out for evaluation are not trained on, and none is lost") {
    const TinyRun run;
    TrainOptions options = run.options();
    options.eval_split = 0.25;
    const Preparation prepared = prepare(options);
    REQUIRE(prepared.eval.size() == 1);
    CHECK(prepared.eval[0].corpus.num_rows() == 12);
    CHECK(prepared.corpus.num_rows() == 36);
    CHECK(prepared.corpus.num_tokens() + prepared.eval[0].corpus.num_tokens() == 1521);
}

TEST_CASE("preparation: evaluation domains are named by their files") {
    const TinyRun run;
    TrainOptions options = run.options();
    options.eval_data = {(run.folder / "text.txt").string(), (run.folder / "other.txt").string()};
    const Preparation prepared = prepare(options);
    REQUIRE(prepared.eval.size() == 2);
    CHECK(prepared.eval[0].name == "text");
    CHECK(prepared.eval[1].name == "other");
}

TEST_CASE("preparation: what cannot be used is refused by flag, with what was found") {
    const TinyRun run;
    TrainOptions options = run.options();
    options.max_length = 65;
    CHECK(mentions(refusal_of(options), "--max_length: is 65, expected at most the model's 64"));

    options = run.options();
    options.eval_data = {(run.folder / "other.txt").string(), (run.folder / "other.txt").string()};
    CHECK(mentions(refusal_of(options), "two files have the stem \"other\""));

    options = run.options();
    options.init = "no-such-size";
    CHECK(mentions(refusal_of(options), "--init: no-such-size is neither"));

    options = run.options();
    write_file(run.folder / "small.json", config_to_json(tiny_config(200), TensorType::f32));
    options.init = (run.folder / "small.json").string();
    CHECK(mentions(refusal_of(options), "has 257 tokens, the model a vocabulary of 200"));

    options = run.options();
    options.eval_split = 0.99;
    CHECK(mentions(refusal_of(options), "--eval_split"));
}

TEST_CASE("preparation: the memory forecast counts weights, gradients, moments and activations") {
    const TinyRun run;
    TrainOptions options = run.options();
    const auto bytes = [](const MemoryForecast& forecast, const std::string& name) {
        for (const PlannedBytes& part : forecast.parts)
            if (part.name == name) return part.bytes;
        return int64_t{0};
    };
    const int64_t elements = ParameterTable(tiny_config()).total_elements();
    const MemoryForecast fp32 = forecast_memory(prepare(options));
    CHECK(bytes(fp32, "weights") == 4 * elements);
    CHECK(bytes(fp32, "AdamW moments (fp32)") == 8 * elements);
    CHECK(bytes(fp32, "activations") == fp32.activations.peak_bytes());
    options.precision = "bf16";
    const MemoryForecast half = forecast_memory(prepare(options));
    CHECK(bytes(half, "weights") == 2 * elements);
    CHECK(bytes(half, "master weights (fp32)") == 4 * elements);
    const MemoryForecast parameters = forecast_parameters(prepare(options));
    CHECK(bytes(parameters, "master weights (fp32)") == 4 * elements);
    CHECK(bytes(parameters, "activations") == 0);
}
