#include "train/checkpoint.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstring>
#include <nlohmann/json.hpp>

#include "kernels/core/check.h"
#include "model/io/atomic_file.h"
#include "model/io/json.h"
#include "model/io/mapped_file.h"
#include "model/io/safetensors.h"

namespace fs = std::filesystem;

namespace {

constexpr const char* kPrefix = "checkpoint-";
constexpr const char* kOptimizerFile = "optimizer.safetensors";
constexpr const char* kStateFile = "state.json";
constexpr const char* kFormat = "fettle-checkpoint-1";

template <typename Value>
nlohmann::ordered_json or_null(const std::optional<Value>& value) {
    return value ? nlohmann::ordered_json(*value) : nlohmann::ordered_json();
}

std::string state_json(const TrainState& state) {
    const nlohmann::ordered_json json = {{"format", kFormat},
                                         {"step", state.step},
                                         {"tokens", state.tokens},
                                         {"loss_sum", state.loss_sum},
                                         {"loss_count", state.loss_count},
                                         {"tokens_since_log", state.tokens_since_log},
                                         {"seconds", state.seconds},
                                         {"seconds_since_log", state.seconds_since_log},
                                         {"best_metric", or_null(state.best_metric)},
                                         {"best_step", or_null(state.best_step)},
                                         {"evaluations_since_best", state.evaluations_since_best},
                                         {"settings", state.settings},
                                         {"input_hashes", state.input_hashes}};
    return json.dump(2) + "\n";
}

// A number of things, which the run adds to.
int64_t count_of(const JsonObject& object, const char* key) {
    constexpr int64_t kMost = int64_t{1} << 53;
    const int64_t count = object.integer(key);
    if (count < 0 || count > kMost) object.refuse(key, fmt::format("0 to {}", kMost));
    return count;
}

double seconds_of(const JsonObject& object, const char* key) {
    const double seconds = object.number(key);
    if (seconds < 0) object.refuse(key, "0 or more");
    return seconds;
}

TrainState read_state(const fs::path& file) {
    const auto json = read_json_file(file);
    const JsonObject object(json, file.string());
    if (object.string("format") != kFormat) object.refuse("format", kFormat);
    TrainState state{.step = count_of(object, "step"),
                     .tokens = count_of(object, "tokens"),
                     .loss_sum = object.number("loss_sum"),
                     .loss_count = count_of(object, "loss_count"),
                     .tokens_since_log = count_of(object, "tokens_since_log"),
                     .seconds = seconds_of(object, "seconds"),
                     .seconds_since_log = seconds_of(object, "seconds_since_log"),
                     .evaluations_since_best = count_of(object, "evaluations_since_best"),
                     .settings = object.string("settings")};
    if (object.has("best_metric")) state.best_metric = object.number("best_metric");
    if (object.has("best_step")) state.best_step = count_of(object, "best_step");
    const std::string folder = fs::absolute(file).parent_path().filename().string();
    if (folder.starts_with(kPrefix) && folder != kPrefix + std::to_string(state.step))
        object.refuse("step", fmt::format("that of its folder, {}", folder));
    const auto hashes = json.find("input_hashes");
    if (hashes == json.end() || !hashes->is_object()) object.refuse("input_hashes", "an object");
    for (const auto& [name, hash] : hashes->items())
        state.input_hashes[name] = hash.is_string() ? hash.get<std::string>() : "";
    return state;
}

// The roles that a checkpoint keeps beside the model, with the prefix of their tensors' names.
std::vector<std::pair<Role, std::string>> kept_roles(bool master) {
    std::vector<std::pair<Role, std::string>> roles = {{Role::moment1, "moment1."},
                                                       {Role::moment2, "moment2."}};
    if (master) roles.emplace_back(Role::master, "master.");
    return roles;
}

// Role::master of a store whose weights are their own masters is the weights.
template <typename T>
const Accumulator<T>* elements(const ParameterStore<T>& store, Role role, int parameter) {
    if constexpr (std::is_same_v<T, Accumulator<T>>)
        if (role == Role::master) return store.weight(parameter);
    return store.at(role, parameter);
}

template <typename T>
std::vector<TensorToWrite> optimizer_tensors(const ParameterStore<T>& store, bool master) {
    std::vector<TensorToWrite> tensors;
    for (const auto& [role, prefix] : kept_roles(master)) {
        for (int p = 0; p < store.table().size(); ++p) {
            const Parameter& parameter = store.table()[p];
            if (parameter.tied_to) continue;
            const float* from = elements(store, role, p);
            tensors.push_back({.name = prefix + parameter.name,
                               .type = TensorType::f32,
                               .shape = parameter.shape,
                               .fill = [from](int64_t first, std::span<std::byte> bytes) {
                                   std::memcpy(bytes.data(), from + first, bytes.size());
                               }});
        }
    }
    return tensors;
}

float stored_float(const StoredTensor& tensor, int64_t index) {
    float value = 0;  // the file need not have it aligned
    std::memcpy(&value, tensor.bytes.data() + index * int64_t{sizeof value}, sizeof value);
    return value;
}

// AdamW's second moment is a mean of squares.
bool is_possible(Role role, float value) {
    return std::isfinite(value) && (role != Role::moment2 || value >= 0);
}

template <typename T>
void load_role(const SafetensorsFile& file, ParameterStore<T>& store, Role role,
               const std::string& prefix) {
    for (int p = 0; p < store.table().size(); ++p) {
        const Parameter& parameter = store.table()[p];
        if (parameter.tied_to) continue;
        const StoredTensor* tensor = file.find(prefix + parameter.name);
        ENSURE_INPUT(tensor, file.path().string(), "has no tensor {}", prefix + parameter.name);
        ENSURE_INPUT(tensor->type == TensorType::f32 && tensor->shape == parameter.shape,
                     file.path().string(), "{}: found shape {}, expected fp32 {}", tensor->name,
                     shape_text(tensor->shape), shape_text(parameter.shape));
        for (int64_t i = 0; i < parameter.count; ++i)
            ENSURE_INPUT(is_possible(role, stored_float(*tensor, i)), file.path().string(),
                         "{}: element {} is {}, expected a finite number{}", tensor->name, i,
                         stored_float(*tensor, i), role == Role::moment2 ? " of 0 or more" : "");
        auto* to = const_cast<Accumulator<T>*>(elements(store, role, p));
        std::memcpy(to, tensor->bytes.data(), tensor->bytes.size());
        forget(tensor->bytes);  // or a checkpoint in memory comes on top of the planned peak
        if constexpr (!std::is_same_v<T, Accumulator<T>>)
            if (role == Role::master)
                for (int64_t i = 0; i < parameter.count; ++i)
                    store.weight(p)[i] = static_cast<T>(to[i]);
    }
}

// Its state goes first: a checkpoint that is half removed is no longer complete.
void remove_checkpoint(const fs::path& checkpoint) {
    fs::remove(checkpoint / kStateFile);
    fs::remove_all(checkpoint);
}

void remove_old(const fs::path& run_folder, int64_t keep, int64_t written,
                std::optional<int64_t> keep_step) {
    if (keep == 0) return;
    std::vector<int64_t> steps = checkpoint_steps(run_folder);
    // The one just written stays, even where an earlier run of the folder went further.
    keep -= static_cast<int64_t>(std::erase(steps, written));
    if (keep_step) std::erase(steps, *keep_step);
    for (size_t i = 0; i + static_cast<size_t>(keep) < steps.size(); ++i)
        remove_checkpoint(checkpoint_path(run_folder, steps[i]));
}

}  // namespace

fs::path checkpoint_path(const fs::path& run_folder, int64_t step) {
    return run_folder / (kPrefix + std::to_string(step));
}

std::vector<int64_t> checkpoint_steps(const fs::path& run_folder) {
    std::vector<int64_t> steps;
    if (!fs::is_directory(run_folder)) return steps;
    for (const auto& entry : fs::directory_iterator(run_folder)) {
        const std::string name = entry.path().filename().string();
        if (name.rfind(kPrefix, 0) != 0 || !fs::exists(entry.path() / kStateFile)) continue;
        int64_t step = 0;
        const char* end = name.data() + name.size();
        const auto [rest, error] = std::from_chars(name.data() + std::strlen(kPrefix), end, step);
        if (error == std::errc{} && rest == end) steps.push_back(step);
    }
    std::sort(steps.begin(), steps.end());
    return steps;
}

void remove_checkpoints_after(const fs::path& run_folder, int64_t step) {
    for (const int64_t later : checkpoint_steps(run_folder))
        if (later > step) remove_checkpoint(checkpoint_path(run_folder, later));
}

template <typename T>
void save_checkpoint(const ModelConfig& config, const ParameterStore<T>& store,
                     const TrainState& state, const CheckpointArgs& args) {
    const fs::path final_path = checkpoint_path(args.folder, state.step);
    if (fs::exists(final_path / kStateFile)) return;  // the same step was saved already
    fs::remove_all(final_path);
    AtomicFolder folder(final_path);
    save_model(config, store,
               {.folder = folder.path(),
                .type = args.type,
                .tokenizer_from = args.tokenizer_from,
                .chat_jinja = args.chat_jinja});
    write_safetensors(folder.path() / kOptimizerFile,
                      optimizer_tensors(store, args.type != TensorType::f32));
    write_file(folder.path() / kStateFile, state_json(state));
    folder.commit();
    remove_old(args.folder, args.keep, state.step, args.keep_step);
}

template <typename T>
TrainState load_checkpoint(const fs::path& checkpoint, ParameterStore<T>& store) {
    ENSURE_INPUT(fs::exists(checkpoint / kStateFile), checkpoint.string(),
                 "is no complete checkpoint: it has no {}", kStateFile);
    const ModelFolder folder = open_model_folder(checkpoint);
    load_weights(folder, store);
    const SafetensorsFile file(checkpoint / kOptimizerFile);
    for (const auto& [role, prefix] : kept_roles(stored_type(folder) != TensorType::f32))
        load_role(file, store, role, prefix);
    return read_checkpoint_state(checkpoint);
}

TrainState read_checkpoint_state(const fs::path& checkpoint) {
    ENSURE_INPUT(fs::exists(checkpoint / kStateFile), checkpoint.string(),
                 "is no complete checkpoint: it has no {}", kStateFile);
    return read_state(checkpoint / kStateFile);
}

#define INSTANTIATE(T)                                                                             \
    template void save_checkpoint(const ModelConfig&, const ParameterStore<T>&, const TrainState&, \
                                  const CheckpointArgs&);                                          \
    template TrainState load_checkpoint(const std::filesystem::path&, ParameterStore<T>&);
INSTANTIATE(float)
INSTANTIATE(bf16)
