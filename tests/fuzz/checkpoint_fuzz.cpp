// A checkpoint's folder: state.json, the options in it, and the weights and moments that a run
// goes on from, in one file or in parts.

#include "model/parameters.h"
#include "tests/fuzz/target.h"
#include "train/checkpoint.h"
#include "train/options.h"

namespace {

constexpr int64_t kMaxElements = 1 << 16;

template <typename T>
void load(const std::filesystem::path& folder, const ParameterTable& table) {
    ParameterStore<T> store(table);
    for (const Role role : {Role::weight, Role::moment1, Role::moment2}) store.allocate(role);
    if (!std::is_same_v<T, float>) store.allocate(Role::master);
    accepted([&] { load_checkpoint(folder, store); });
}

void run(std::string_view input) {
    static const TemporaryFolder folder;
    put_files(input, folder.path());
    accepted([&] {
        const TrainState state = read_checkpoint_state(folder.path());
        ENSURE(state.step >= 0 && state.tokens >= 0 && state.loss_count >= 0 &&
                   state.evaluations_since_best >= 0 && state.best_step.value_or(0) >= 0,
               "a negative number was accepted");
        const TrainOptions then = train_options_from_json(state.settings, "settings");
        numeric_differences(then, TrainOptions());
    });
    accepted([&] {
        const ModelFolder model = open_model_folder(folder.path());
        stored_type(model);
        if (model.config.num_layers > 10) return;
        const ParameterTable table(model.config);
        if (table.total_elements() > kMaxElements) return;  // the caller's plan refuses too much
        if (input.size() % 2 == 0)                          // either, for speed
            load<float>(folder.path(), table);
        else
            load<bf16>(folder.path(), table);
    });
}

const bool kAdded = add_fuzz_target("checkpoint", run);

}  // namespace
