// Checkpoints: what is read back is what was written, bit for bit, and nothing half-written counts.

#include "train/checkpoint.h"

#include <cmath>

#include "kernels/core/check.h"
#include "tests/support/devices.h"
#include "tests/support/doctest.h"
#include "tests/support/golden.h"
#include "tests/support/temporary_folder.h"

namespace fs = std::filesystem;

namespace {

// A model in training: the golden weights, and masters and moments of no simple value.
template <typename T>
struct Run {
    ModelConfig config = open_model_folder(golden_folder("llama")).config;
    ParameterTable table{config};
    ParameterStore<T> store{table};

    explicit Run(uint64_t seed) {
        store.allocate(Role::weight);
        store.allocate(Role::moment1);
        store.allocate(Role::moment2);
        if constexpr (std::is_same_v<T, bf16>) store.allocate(Role::master);
        if (seed == 0) return;
        for (const Parameter& p : table.parameters()) {
            const auto fill = [&](auto* to, uint64_t salt) {
                const auto values = normal_doubles(p.count, 0.0, 1.0, seed + salt + p.offset);
                for (int64_t i = 0; i < p.count; ++i)
                    to[p.offset + i] = static_cast<float>(values[i]);
            };
            fill(store.all(Role::moment1).data(), 1);
            fill(store.all(Role::moment2).data(), 2);
            for (float& mean_of_squares : store.all(Role::moment2))
                mean_of_squares = std::abs(mean_of_squares);
            if constexpr (std::is_same_v<T, float>) {
                fill(store.weights().data(), 3);
            } else {
                fill(store.all(Role::master).data(), 3);
                for (int64_t i = p.offset; i < p.offset + p.count; ++i)
                    store.weights()[i] = bf16(store.all(Role::master)[i]);
            }
        }
    }
};

template <typename Span>
auto copy(const Span& span) {
    return std::vector<std::remove_cv_t<std::remove_reference_t<decltype(span[0])>>>(span.begin(),
                                                                                     span.end());
}

template <typename T>
void check_same(Run<T>& a, Run<T>& b) {
    CHECK(same_bits(copy(a.store.weights()), copy(b.store.weights())));
    CHECK(same_bits(copy(a.store.all(Role::moment1)), copy(b.store.all(Role::moment1))));
    CHECK(same_bits(copy(a.store.all(Role::moment2)), copy(b.store.all(Role::moment2))));
    if (a.store.has(Role::master))
        CHECK(same_bits(copy(a.store.all(Role::master)), copy(b.store.all(Role::master))));
}

TrainState state_at(int64_t step) {
    TrainState state{.step = step, .tokens = 12345};
    state.loss_sum = 0.1 + 0.2;  // no short decimal
    state.loss_count = 3;
    state.tokens_since_log = 77;
    state.seconds = 1.0 / 3.0;
    state.seconds_since_log = 1e-7;
    state.best_metric = 2.0 / 3.0;
    state.best_step = 4;
    state.evaluations_since_best = 2;
    state.settings = "{\"learning_rate\": 5e-05, \"text\": \"\\u00e9 \\\"\"}";
    state.input_hashes = {{"a.txt", "00ff"}, {"b c.txt", "1234"}};
    return state;
}

template <typename T>
void save(Run<T>& run, const TemporaryFolder& folder, int64_t step,
          TensorType type = TensorType::f32, int64_t keep = 0) {
    TrainState state = state_at(step);
    state.best_step.reset();
    save_checkpoint(run.config, run.store, state,
                    {.folder = folder.path(), .type = type, .tokenizer_from = {}, .keep = keep});
}

// What a run saved in `type` reads back.
template <typename T>
void check_round_trip(TensorType type) {
    const TemporaryFolder folder;
    Run<T> run(/*seed=*/1), resumed(/*seed=*/0);
    save(run, folder, 7, type);
    load_checkpoint(checkpoint_path(folder.path(), 7), resumed.store);
    check_same(run, resumed);
}

using Steps = std::vector<int64_t>;

}  // namespace

TEST_CASE("checkpoint: weights, masters and moments come back bit for bit, however saved") {
    SUBCASE("an fp32 run saved in fp32") { check_round_trip<float>(TensorType::f32); }
    SUBCASE("an fp32 run saved in bf16") { check_round_trip<float>(TensorType::bf16); }
    SUBCASE("an fp32 run saved in fp16") { check_round_trip<float>(TensorType::f16); }
    SUBCASE("a bf16 run saved in bf16") { check_round_trip<bf16>(TensorType::bf16); }
    SUBCASE("a bf16 run saved in fp32") { check_round_trip<bf16>(TensorType::f32); }
}

TEST_CASE("checkpoint: the state comes back exactly") {
    const TemporaryFolder folder;
    Run<float> run(1);
    const TrainState state = state_at(4);
    save_checkpoint(run.config, run.store, state, {.folder = folder.path(), .tokenizer_from = {}});
    const TrainState read = read_checkpoint_state(checkpoint_path(folder.path(), 4));
    CHECK(read.step == 4);
    CHECK(read.tokens == state.tokens);
    CHECK(read.loss_sum == state.loss_sum);
    CHECK(read.loss_count == state.loss_count);
    CHECK(read.tokens_since_log == state.tokens_since_log);
    CHECK(read.seconds == state.seconds);
    CHECK(read.seconds_since_log == state.seconds_since_log);
    CHECK(read.best_metric == state.best_metric);
    CHECK(read.best_step == state.best_step);
    CHECK(read.evaluations_since_best == state.evaluations_since_best);
    CHECK(read.settings == state.settings);
    CHECK(read.input_hashes == state.input_hashes);

    save(run, folder, 5);
    CHECK(read_checkpoint_state(checkpoint_path(folder.path(), 5)).best_step == std::nullopt);
}

TEST_CASE("checkpoint: is a model folder that loads by itself") {
    const TemporaryFolder folder;
    Run<float> run(1), other(0);
    save(run, folder, 3);
    load_weights(open_model_folder(checkpoint_path(folder.path(), 3)), other.store);
    CHECK(same_bits(copy(run.store.weights()), copy(other.store.weights())));
}

TEST_CASE("checkpoint: one without its state does not count and is refused") {
    const TemporaryFolder folder;
    Run<float> run(1);
    save(run, folder, 10);
    save(run, folder, 20);
    const fs::path broken = checkpoint_path(folder.path(), 20);
    fs::remove(broken / "state.json");
    CHECK(checkpoint_steps(folder.path()) == Steps{10});
    CHECK_THROWS_WITH_AS(
        load_checkpoint(broken, run.store),
        (broken.string() + ": is no complete checkpoint: it has no state.json").c_str(),
        InputError);
    CHECK_THROWS_AS(read_checkpoint_state(broken), InputError);
    save(run, folder, 20);  // takes its place
    CHECK(checkpoint_steps(folder.path()) == Steps{10, 20});
}

TEST_CASE("checkpoint: what a killed run left half-written is no checkpoint, and in nobody's way") {
    const TemporaryFolder folder;
    Run<float> run(1), resumed(0);
    save(run, folder, 5);
    const fs::path partial = folder / "checkpoint-10.partial";
    fs::create_directories(partial);
    put(partial / "config.json", "{");
    put(partial / "model.safetensors.partial", "half");
    put(partial / "state.json", "{}");
    CHECK(checkpoint_steps(folder.path()) == Steps{5});
    save(run, folder, 10);
    CHECK(checkpoint_steps(folder.path()) == Steps{5, 10});
    CHECK(!fs::exists(partial));
    CHECK(!fs::exists(checkpoint_path(folder.path(), 10) / "model.safetensors.partial"));
    load_checkpoint(checkpoint_path(folder.path(), 10), resumed.store);
    check_same(run, resumed);
}

TEST_CASE("checkpoint: steps are in their order as numbers, and other names do not count") {
    const TemporaryFolder folder;
    CHECK(checkpoint_steps(folder / "absent").empty());
    for (const char* name : {"checkpoint-9", "checkpoint-10", "checkpoint-x", "checkpoint-3b",
                             "model-4", "checkpoint-"}) {
        fs::create_directories(folder / name);
        put(folder / name / "state.json", "{}");
    }
    CHECK(checkpoint_steps(folder.path()) == Steps{9, 10});
}

TEST_CASE("checkpoint: the newest stay, and the best whatever its age") {
    const TemporaryFolder folder;
    Run<float> run(1);
    for (const int64_t step : {1, 2, 3}) save(run, folder, step, TensorType::f32, /*keep=*/0);
    CHECK(checkpoint_steps(folder.path()) == Steps{1, 2, 3});
    save(run, folder, 4, TensorType::f32, /*keep=*/3);
    CHECK(checkpoint_steps(folder.path()) == Steps{2, 3, 4});
    save_checkpoint(run.config, run.store, state_at(5),
                    {.folder = folder.path(), .tokenizer_from = {}, .keep = 1, .keep_step = 2});
    CHECK(checkpoint_steps(folder.path()) == Steps{2, 5});
    CHECK(!fs::exists(folder / "checkpoint-3"));
}

TEST_CASE(
    "checkpoint: the one just written stays, also where later steps are from an earlier run") {
    const TemporaryFolder folder;
    Run<float> run(1);
    save(run, folder, 20);
    save(run, folder, 10, TensorType::f32, /*keep=*/1);
    const Steps left = checkpoint_steps(folder.path());
    CHECK(std::count(left.begin(), left.end(), 10) == 1);
}

TEST_CASE("checkpoint: a spoilt one is refused with the file and the tensor or key at fault") {
    const TemporaryFolder folder;
    Run<float> run(1);
    save(run, folder, 6, TensorType::bf16);
    const fs::path checkpoint = checkpoint_path(folder.path(), 6);
    const auto says = [&] { return input_error([&] { load_checkpoint(checkpoint, run.store); }); };
    SUBCASE("a tensor of the optimiser is missing") {
        std::string bytes = get(checkpoint / "optimizer.safetensors");
        bytes.replace(bytes.find("moment2.model.norm"), 7, "momentX");
        put(checkpoint / "optimizer.safetensors", bytes);
        CHECK(contains(says(), "optimizer.safetensors"));
        CHECK(contains(says(), "moment2.model.norm.weight"));
    }
    SUBCASE("the optimiser's file is cut short") {
        const std::string bytes = get(checkpoint / "optimizer.safetensors");
        put(checkpoint / "optimizer.safetensors", bytes.substr(0, bytes.size() - 4));
        CHECK(contains(says(), "optimizer.safetensors"));
    }
    SUBCASE("the optimiser's file is gone") {
        fs::remove(checkpoint / "optimizer.safetensors");
        CHECK(contains(says(), "optimizer.safetensors"));
    }
    SUBCASE("a moment is no number, or a mean of squares below 0") {
        const std::string bytes = get(checkpoint / "optimizer.safetensors");
        for (const char* last : {"\xff\xff\xff\xff", "\x01\x01\x01\x81"}) {
            put(checkpoint / "optimizer.safetensors", bytes.substr(0, bytes.size() - 4) + last);
            CHECK(contains(says(), "optimizer.safetensors: moment2."));
            CHECK(contains(says(), "expected a finite number of 0 or more"));
        }
    }
    SUBCASE("the state counts below 0, or is of another step than its folder's") {
        const std::string text = get(checkpoint / "state.json");
        for (const char* key : {"step", "tokens", "loss_count", "evaluations_since_best"}) {
            CAPTURE(key);
            const std::string quoted = fmt::format("\"{}\": ", key);
            std::string changed = text;
            put(checkpoint / "state.json",
                changed.insert(changed.find(quoted) + quoted.size(), "-"));
            CHECK(contains(says(), fmt::format("state.json: {}: found -", key)));
        }
        std::string changed = text;
        put(checkpoint / "state.json",
            changed.replace(changed.find("\"step\": 6"), 9, "\"step\": 5"));
        CHECK(contains(says(), "state.json: step: found 5, expected that of its folder"));
    }
    SUBCASE("the state is of another format") {
        std::string text = get(checkpoint / "state.json");
        text.replace(text.find("fettle-checkpoint-1"), 19, "fettle-checkpoint-9");
        put(checkpoint / "state.json", text);
        CHECK(contains(says(), "state.json: format: found \"fettle-checkpoint-9\""));
    }
    SUBCASE("the state counts what cannot be counted") {
        const std::string text = get(checkpoint / "state.json");
        for (const char* number : {"-6", "9223372036854775807"}) {
            std::string spoilt = text;
            spoilt.replace(spoilt.find("\"step\": 6"), 9, fmt::format("\"step\": {}", number));
            put(checkpoint / "state.json", spoilt);
            CHECK(contains(says(), fmt::format("state.json: step: found {}, expected 0", number)));
        }
    }
    SUBCASE("the state lacks a key") {
        std::string text = get(checkpoint / "state.json");
        text.replace(text.find("\"tokens\""), 8, "\"token_\"");
        put(checkpoint / "state.json", text);
        CHECK(contains(says(), "state.json: tokens"));
    }
}
