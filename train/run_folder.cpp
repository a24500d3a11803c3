#include "train/run_folder.h"

#include <unistd.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "eval/trainer_state.h"
#include "kernels/core/check.h"
#include "model/io/atomic_file.h"
#include "model/io/hugging_face.h"
#include "model/parameters.h"
#include "model/program/say.h"
#include "model/program/version.h"
#include "model/text/unicode.h"

namespace fs = std::filesystem;

namespace {

using Json = nlohmann::ordered_json;

// What a run writes besides weights, checkpoints, TensorBoard's files and copies of a tokenizer's.
constexpr const char* kOwnFiles[] = {"config.json", "metrics.jsonl", "trainer_state.json",
                                     "run.json", "plan.json"};

// A checkpoint, or what was left of one that was being written.
bool is_checkpoint(const fs::path& folder) {
    const auto steps = checkpoint_steps(folder.parent_path());
    if (folder.extension() == ".partial")
        return folder.filename().string().starts_with("checkpoint-");
    return std::any_of(steps.begin(), steps.end(), [&](int64_t step) {
        return folder == checkpoint_path(folder.parent_path(), step);
    });
}

bool is_own(const fs::path& file) {
    const std::string name = file.filename().string();
    const auto is_name = [&](const char* own) { return name == own; };
    const auto tokenizer = tokenizer_file_names();
    return std::any_of(std::begin(kOwnFiles), std::end(kOwnFiles), is_name) ||
           std::any_of(tokenizer.begin(), tokenizer.end(), is_name) ||
           name == "model.safetensors" || name == "model.safetensors.index.json" ||
           name.rfind("events.out.tfevents.", 0) == 0 || is_checkpoint(file) ||
           (name.rfind("model-", 0) == 0 && file.extension() == ".safetensors");
}

bool holds_run_or_model(const fs::path& folder) {
    constexpr const char* kMarks[] = {"run.json",           "config.json",
                                      "metrics.jsonl",      "trainer_state.json",
                                      "model.safetensors",  "model.safetensors.index.json",
                                      "adapter_config.json"};
    return std::any_of(std::begin(kMarks), std::end(kMarks),
                       [&](const char* mark) { return fs::exists(folder / mark); }) ||
           !checkpoint_steps(folder).empty();
}

// True if the file, or what it is a link to, lies where the run writes or removes: in the folder
// itself, or anywhere in a checkpoint there.
bool in_reach(const fs::path& folder, const fs::path& file) {
    const fs::path root = fs::weakly_canonical(folder);
    for (const fs::path& parent : {fs::weakly_canonical(fs::absolute(file).parent_path()),
                                   fs::weakly_canonical(file).parent_path()}) {
        const fs::path below = parent.lexically_relative(root);
        if (below.empty() || *below.begin() == "..") continue;
        if (below == "." || is_own(root / *below.begin())) return true;
    }
    return false;
}

void ensure_no_input(const Preparation& prepared, const fs::path& folder) {
    for (const fs::path& input : {prepared.model_folder, prepared.tokenizer_folder}) {
        if (input.empty()) continue;
        for (const auto& entry : fs::directory_iterator(input))
            ENSURE_INPUT(!in_reach(folder, entry.path()), "--output_dir",
                         "{} is or holds the folder {} of the model or tokenizer, or a file that "
                         "is linked from it; expected another",
                         folder.string(), input.string());
    }
    for (const auto* hashes : {&prepared.input_hashes, &prepared.eval_hashes})
        for (const auto& [file, hash] : *hashes) {
            ENSURE_INPUT(!in_reach(folder, file), "--output_dir",
                         "{} holds the input {}, expected another folder", folder.string(), file);
            ENSURE_INPUT(is_valid_utf8(file), file,
                         "its name is not UTF-8, expected one that run.json can hold");
        }
}

void ensure_writable(const fs::path& folder) {
    fs::path existing = fs::absolute(folder);
    while (!fs::exists(existing)) {
        ENSURE_INPUT(!fs::is_symlink(existing), "--output_dir",
                     "{} is a link to nothing, expected a folder or no file", existing.string());
        existing = existing.parent_path();
    }
    ENSURE_INPUT(fs::is_directory(existing), "--output_dir", "{} is no folder", existing.string());
    ENSURE_INPUT(access(existing.c_str(), W_OK | X_OK) == 0, "--output_dir",
                 "{} cannot be written to", existing.string());
}

// A folder that holds anything but this run would lose it.
void ensure_resumes_here(const fs::path& folder, const fs::path& checkpoint) {
    const bool is_own_run = checkpoint.empty() ? fs::exists(folder / "run.json")
                                               : fs::weakly_canonical(checkpoint).parent_path() ==
                                                     fs::weakly_canonical(folder);
    ENSURE_INPUT(is_own_run || !holds_run_or_model(folder), "--output_dir",
                 "{} holds another run or model; expected an empty folder, or the one whose "
                 "checkpoint is resumed",
                 folder.string());
}

void ensure_continues(const Preparation& prepared, const fs::path& checkpoint) {
    const TrainState state = read_checkpoint_state(checkpoint);
    std::vector<std::string> differences = numeric_differences(
        train_options_from_json(state.settings, checkpoint.string()), prepared.options);
    const auto inputs = deciding_inputs(prepared);
    for (const auto& [file, hash] : state.input_hashes) {
        const auto now = inputs.find(file);
        if (now == inputs.end())
            differences.push_back(file + ": was an input, is none now");
        else if (now->second != hash)
            differences.push_back(file + ": its contents changed");
    }
    for (const auto& [file, hash] : inputs)
        if (!state.input_hashes.contains(file)) differences.push_back(file + ": is a new input");
    std::string list;
    for (const std::string& difference : differences)
        list += (list.empty() ? "" : "; ") + difference;
    ENSURE_INPUT(differences.empty(), checkpoint.string(), "does not go on to the same numbers: {}",
                 list);
    const fs::path log = checkpoint.parent_path() / "metrics.jsonl";
    if (fs::exists(log)) read_run_log(log);  // complains now rather than when the run begins
    ENSURE_INPUT(state.step <= prepared.total_steps, checkpoint.string(),
                 "is at step {}, expected at most the run's {} steps", state.step,
                 prepared.total_steps);
}

}  // namespace

std::optional<fs::path> claim_run_folder(const Preparation& prepared) {
    const TrainOptions& options = prepared.options;
    const fs::path folder = options.output_dir;
    ensure_no_input(prepared, folder);
    ensure_writable(folder);
    if (!options.resume_from_checkpoint) {
        ENSURE_INPUT(!holds_run_or_model(folder) || options.overwrite_output_dir, "--output_dir",
                     "{} holds a run or a model already; give another folder, "
                     "--resume_from_checkpoint latest or --overwrite_output_dir",
                     folder.string());
        return std::nullopt;
    }
    fs::path checkpoint = *options.resume_from_checkpoint;
    if (checkpoint == "latest" || checkpoint == "true") {
        const auto steps = checkpoint_steps(folder);
        if (steps.empty()) {
            ensure_resumes_here(folder, {});
            say("{}: no complete checkpoint; the run starts at step 0\n", folder.string());
            return std::nullopt;
        }
        checkpoint = checkpoint_path(folder, steps.back());
    }
    ensure_continues(prepared, checkpoint);
    ensure_resumes_here(folder, checkpoint);
    return checkpoint;
}

RunFolder::RunFolder(const Preparation& prepared, const std::string& command)
    : prepared_(prepared), path_(prepared.options.output_dir), command_(command) {
    std::error_code error;
    fs::create_directories(path_, error);
    ENSURE_INPUT(!error, "--output_dir", "{} cannot be made: {}", path_.string(), error.message());
    if (!prepared.options.overwrite_output_dir || prepared.options.resume_from_checkpoint) return;
    std::vector<fs::path> own;
    for (const auto& entry : fs::directory_iterator(path_))
        if (is_own(entry.path())) own.push_back(entry.path());
    for (const fs::path& path : own) fs::remove_all(path);
}

void RunFolder::begin(const TrainState& state, const MemoryForecast& memory) {
    const auto resume = state.step > 0 ? std::optional(state.step) : std::nullopt;
    remove_checkpoints_after(path_, state.step);
    write_file(path_ / "run.json", run_json());
    write_file(path_ / "plan.json", plan_json(prepared_, memory));
    log_ = std::make_unique<RunLog>(path_, resume);
    if (prepared_.options.report_to == "tensorboard")
        tensorboard_ = std::make_unique<TensorBoardWriter>(path_, resume);
}

void RunFolder::write(const LogRecord& record) {
    log_->append(record);
    if (tensorboard_) tensorboard_->append(record);
}

void RunFolder::sync() { log_->sync(); }

void RunFolder::finish(const TrainState& state) {
    const TrainOptions& options = prepared_.options;
    log_->sync();
    TrainerState out{.global_step = state.step,
                     .max_steps = prepared_.total_steps,
                     .epoch = log_->records().empty() ? 0.0 : log_->records().back().epoch,
                     .num_train_epochs = prepared_.epochs,
                     .train_batch_size = options.per_device_train_batch_size,
                     .logging_steps = options.logging_steps,
                     .eval_steps = options.eval_steps,
                     .save_steps = options.save_steps,
                     .num_input_tokens_seen = state.tokens,
                     .best_metric = state.best_metric,
                     .best_global_step = state.best_step,
                     .best_model_checkpoint = {}};
    if (options.load_best_model_at_end && state.best_step)
        out.best_model_checkpoint = checkpoint_path(path_, *state.best_step).string();
    write_file(path_ / "trainer_state.json", to_json(out, log_->records()));
}

std::string RunFolder::run_json() const {
    auto hashes = prepared_.input_hashes;
    hashes.insert(prepared_.eval_hashes.begin(), prepared_.eval_hashes.end());
    const ParameterTable table(prepared_.config);
    const Json json = {{"command", command_},
                       {"version", kVersion},
                       {"device", name_of(prepared_.limits.device)},
                       {"precision", precision_of(prepared_.options)},
                       {"threads", prepared_.options.common.threads},
                       {"seed", prepared_.options.common.seed},
                       {"parameters", table.num_parameters()},
                       {"options", Json::parse(to_json(prepared_.options))},
                       {"input_hashes", hashes}};
    return json.dump(2) + "\n";
}

std::string plan_json(const Preparation& prepared, const MemoryForecast& memory) {
    Json parts = Json::object(), tensors = Json::array();
    for (const PlannedBytes& part : memory.parts) parts[part.name] = part.bytes;
    for (const PlannedTensor& tensor : memory.activations.tensors())
        if (tensor.bytes > 0)
            tensors.push_back({{"name", tensor.name},
                               {"bytes", tensor.bytes},
                               {"first_phase", tensor.first_phase},
                               {"last_phase", tensor.last_phase},
                               {"offset", tensor.offset}});
    const Corpus& corpus = prepared.corpus;
    const Json json = {{"total_bytes", memory.total_bytes()},
                       {"parts", parts},
                       {"total_steps", prepared.total_steps},
                       {"steps_per_epoch", prepared.steps_per_epoch},
                       {"epochs", prepared.epochs},
                       {"tokens_of_largest_micro_batch", prepared.limits.tokens},
                       {"longest_row", prepared.limits.longest_row},
                       {"rows",
                        {{"read", corpus.source.rows_read},
                         {"used", corpus.num_rows()},
                         {"trained_tokens", corpus.target_tokens()},
                         {"dropped_without_target", corpus.source.dropped_empty},
                         {"dropped_too_long", corpus.source.dropped_long},
                         {"truncated", corpus.source.truncated_rows},
                         {"truncated_tokens", corpus.source.truncated_tokens}}},
                       {"activations", tensors}};
    return json.dump(2) + "\n";
}
