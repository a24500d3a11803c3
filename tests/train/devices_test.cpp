// Training on the tested device beside training on the cpu: the same losses, the same weights.

#include "tests/support/devices.h"

#include "model/transformer.h"
#include "tests/support/doctest.h"
#include "tests/support/golden.h"
#include "train/optimizer.h"

namespace {

constexpr int kSteps = 2;

struct Trained {
    std::vector<double> losses;
    std::vector<float> before, after;  // weights
};

std::vector<float> weights_of(const ParameterStore<float>& store) {
    std::vector<float> out;
    store.read_on_host([&](const ParameterStore<float>& on_host) {
        out.assign(on_host.weights().begin(), on_host.weights().end());
    });
    return out;
}

Trained train(const GoldenModel<float>& golden, Device device) {
    const ModelConfig& config = golden.folder.config;
    const StreamView stream = device == Device::cpu ? StreamView{} : test_stream();
    ParameterStore<float> store(golden.table, device);
    store.allocate(Role::weight);
    store.allocate(Role::gradient);
    store.write_on_host(
        [&](ParameterStore<float>& on_host) { load_weights(golden.folder, on_host); });
    const Batch batch = golden.batch();
    const Targets targets = targets_of(batch);
    Optimizer<float> optimizer(store, {.weight_decay = 0.1}, stream);
    Transformer<float> model(
        config, store,
        {.tokens = batch.num_tokens(), .longest_row = batch.longest_row(), .backward = true},
        stream);
    std::vector<float> gradient, logprob(batch.tokens.size());
    for (const float weight : targets.weights)
        gradient.push_back(static_cast<float>(-weight / batch.weight_sum()));
    Trained out{.losses = {}, .before = weights_of(store), .after = {}};
    for (int step = 1; step <= kSteps; ++step) {
        store.set_to_zero(Role::gradient);
        model.forward(batch);
        model.head(gradient.data(), logprob.data());
        model.backward();
        optimizer.update(step, /*learning_rate=*/1e-3);
        double loss = 0.0;
        for (size_t n = 0; n < logprob.size(); ++n)
            loss -= targets.weights[n] * static_cast<double>(logprob[n]) / batch.weight_sum();
        out.losses.push_back(loss);
    }
    out.after = weights_of(store);
    return out;
}

std::vector<double> difference(const std::vector<float>& a, const std::vector<float>& b) {
    std::vector<double> out;
    for (size_t i = 0; i < a.size(); ++i) out.push_back(double{a[i]} - double{b[i]});
    return out;
}

}  // namespace

TEST_CASE("devices: two steps give the cpu's losses, and its weights to 1e-4 of the update") {
    for (const char* name : {"gpt2", "llama", "qwen3"}) {
        CAPTURE(name);
        const GoldenModel<float> golden(name);
        const Trained here = train(golden, tested_device()), cpu = train(golden, Device::cpu);
        for (size_t step = 0; step < kSteps; ++step)
            CHECK(std::abs(here.losses[step] - cpu.losses[step]) <= 1e-5 * cpu.losses[step]);
        CHECK(relative_norm_error(difference(here.after, here.before),
                                  difference(cpu.after, cpu.before)) <= 1e-4);
    }
}
