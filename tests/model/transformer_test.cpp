// The decoder against transformers (tests/golden/models), against finite differences of its own
// double instantiation, and against itself with the batch cut in other ways.

#include "model/transformer.h"

#include "tests/support/devices.h"
#include "tests/support/doctest.h"
#include "tests/support/golden.h"

namespace {

// What one training step computes.
struct StepResult {
    double loss = 0.0;                           // sum of weight * -logprob / sum of weight
    std::vector<double> logprob;                 // [N]  of token n as a target
    std::vector<double> logits;                  // [N, V]
    std::vector<std::vector<double>> gradients;  // by parameter
};

template <typename T>
std::vector<double> as_doubles(const T* from, int64_t count) {
    std::vector<double> out;
    for (int64_t i = 0; i < count; ++i) out.push_back(static_cast<double>(from[i]));
    return out;
}

BatchLimits limits_of(const Batch& batch) {
    return {.tokens = batch.num_tokens(), .longest_row = batch.longest_row(), .backward = true};
}

// Forward, head and backward of the micro-batches; gradients add up in the store.
template <typename T>
StepResult run_step(const ModelConfig& config, ParameterStore<T>& store,
                    const std::vector<Batch>& micro_batches, const DropoutOptions& dropout = {}) {
    using Real = Accumulator<T>;
    double divisor = 0.0;
    for (const Batch& batch : micro_batches) divisor += batch.weight_sum();
    auto gradients = store.all(Role::gradient);
    std::fill(gradients.begin(), gradients.end(), Real{0});
    StepResult result;
    for (const Batch& batch : micro_batches) {
        Transformer<T> model(config, store, limits_of(batch));
        model.forward(batch, dropout);
        std::vector<Real> logits(batch.tokens.size() * static_cast<size_t>(config.vocab_size));
        model.logits(0, batch.num_tokens(), logits.data());
        const Targets targets = targets_of(batch);
        std::vector<Real> grad, logprob(batch.tokens.size());
        for (const float weight : targets.weights)
            grad.push_back(static_cast<Real>(-weight / divisor));
        model.head(grad.data(), logprob.data());
        model.backward();
        for (size_t n = 0; n < logprob.size(); ++n) {
            result.loss -= targets.weights[n] * static_cast<double>(logprob[n]) / divisor;
            const bool starts = batch.positions[n] == 0;
            result.logprob.push_back(starts ? 0.0 : static_cast<double>(logprob[n - 1]));
        }
        for (const Real logit : logits) result.logits.push_back(static_cast<double>(logit));
    }
    for (int p = 0; p < store.table().size(); ++p)
        result.gradients.push_back(as_doubles(store.gradient(p), store.table()[p].count));
    return result;
}

bool tied(const Parameter& parameter) { return parameter.tied_to.has_value(); }

}  // namespace

TEST_CASE("transformer: fp32 logits, loss and gradients are those of transformers") {
    for (const std::string& name : kGoldenModels) {
        CAPTURE(name);
        GoldenModel<float> golden(name);
        const StepResult step = run_step(golden.folder.config, golden.store, {golden.batch()});
        CHECK(relative_norm_error(step.logits, golden.floats("logits")) <= 1e-5);
        CHECK(relative_norm_error(step.logprob, golden.floats("logprob")) <= 1e-5);
        const double loss = golden.number({"loss"});
        CHECK(std::abs(step.loss - loss) <= 1e-6 * loss);
        for (int p = 0; p < golden.table.size(); ++p) {
            if (tied(golden.table[p])) continue;
            const std::string parameter = golden.table[p].name;
            CAPTURE(parameter);
            CHECK(relative_norm_error(step.gradients[p], golden.floats("grad." + parameter)) <=
                  1e-5);
        }
    }
}

TEST_CASE("transformer: bf16 errs at most twice as much as PyTorch in bf16") {
    for (const std::string& name : kGoldenModels) {
        CAPTURE(name);
        GoldenModel<bf16> golden(name);
        const StepResult step = run_step(golden.folder.config, golden.store, {golden.batch()});
        CHECK(relative_norm_error(step.logits, golden.floats("logits")) <=
              2.0 * golden.number({"bf16_error", "logits"}));
        for (int p = 0; p < golden.table.size(); ++p) {
            if (tied(golden.table[p])) continue;
            const std::string parameter = golden.table[p].name;
            CAPTURE(parameter);
            CHECK(relative_norm_error(step.gradients[p], golden.floats("grad." + parameter)) <=
                  2.0 * golden.number({"bf16_error", "grad", parameter}));
        }
    }
}
