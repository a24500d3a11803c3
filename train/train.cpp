#include "train/train.h"

#include <fmt/core.h>

#include <algorithm>
#include <filesystem>
#include <optional>

#include "kernels/core/check.h"
#include "model/io/folder_lock.h"
#include "model/program/memory.h"
#include "model/program/progress.h"
#include "model/program/say.h"
#include "model/program/signals.h"
#include "train/trainer.h"

namespace {

double mebibytes(int64_t bytes) { return static_cast<double>(bytes) / (1 << 20); }

// "chat.jsonl is alpaca rows in the template smollm2, book.txt is text"
std::string formats_text(const Preparation& prepared) {
    constexpr size_t kNamed = 4;  // files; of more, how many
    const std::vector<CorpusFile>& files = prepared.corpus.source.files;
    const std::string& chat = prepared.options.chat_template;
    std::string text;
    for (size_t i = 0; i < std::min(files.size(), kNamed); ++i) {
        const bool alpaca = files[i].format == RowFormat::alpaca;
        text += fmt::format("{}{} is {}", i == 0 ? "" : ", ", files[i].path,
                            !alpaca        ? "text"
                            : chat.empty() ? "alpaca rows"
                                           : "alpaca rows in the template " + chat);
    }
    if (files.size() > kNamed) text += fmt::format(" and {} more", files.size() - kNamed);
    return text;
}

void print_plan(const Preparation& prepared, const MemoryForecast& memory) {
    const Corpus& corpus = prepared.corpus;
    say("data: {}\n", formats_text(prepared));
    say("data: {} rows of {} tokens in all, {} trained; {} of {} rows dropped, {} cut\n",
        grouped_digits(corpus.num_rows()), grouped_digits(corpus.num_tokens()),
        grouped_digits(corpus.target_tokens()),
        grouped_digits(corpus.source.dropped_empty + corpus.source.dropped_long),
        grouped_digits(corpus.source.rows_read), grouped_digits(corpus.source.truncated_rows));
    say("steps: {} ({} an epoch)\n", grouped_digits(prepared.total_steps),
        grouped_digits(prepared.steps_per_epoch));
    say("memory plan:\n");
    for (const PlannedBytes& part : memory.parts)
        say("  {:<24} {:>9.1f} MiB\n", part.name, mebibytes(part.bytes));
    say("  {:<24} {:>9.1f} MiB\n", "peak", mebibytes(memory.total_bytes()));
}

void ensure_fits(const MemoryForecast& memory) {
    const int64_t available = available_memory_bytes();
    ENSURE_INPUT(memory.total_bytes() <= available, "memory",
                 "the run needs at least {:.0f} MiB, {:.0f} MiB are available; a smaller "
                 "--per_device_train_batch_size (with --gradient_accumulation_steps), a shorter "
                 "--max_length or --precision bf16 needs less",
                 mebibytes(memory.total_bytes()), mebibytes(available));
}

void print_largest_activations(const MemoryForecast& memory) {
    auto tensors = memory.activations.tensors();
    std::sort(tensors.begin(), tensors.end(),
              [](const auto& a, const auto& b) { return a.bytes > b.bytes; });
    say("largest activations (all of them are in plan.json of a run):\n");
    for (size_t i = 0; i < std::min<size_t>(8, tensors.size()); ++i)
        say("  {:<24} {:>9.1f} MiB\n", tensors[i].name, mebibytes(tensors[i].bytes));
}

template <typename T>
int run(const Preparation& prepared, const std::string& command) {
    const std::filesystem::path output = prepared.options.output_dir;
    std::optional<FolderLock> lock;  // before anything in the folder is looked at
    const bool writes = !prepared.options.dry_run;
    if (writes && std::filesystem::is_directory(output)) lock.emplace(output, "--output_dir");
    const auto checkpoint = claim_run_folder(prepared);
    ensure_fits(forecast_parameters(prepared));
    const MemoryForecast memory = forecast_memory(prepared);
    ensure_fits(memory);
    Trainer<T> trainer(prepared);
    trainer.load(checkpoint);
    print_plan(prepared, memory);
    if (prepared.options.dry_run) {
        print_largest_activations(memory);
        const double seconds = trainer.seconds_per_step();
        say("time: {:.3f} s a step, {} in all (evaluation and saving not counted)\n", seconds,
            duration_text(seconds * static_cast<double>(prepared.total_steps)));
        return 0;
    }
    watch_stop_signals();
    RunFolder folder(prepared, command);
    if (!lock) lock.emplace(folder.path(), "--output_dir");
    const TrainResult result = trainer.run(folder);
    say("peak memory: {:.1f} MiB measured, {:.1f} MiB planned\n", mebibytes(result.peak_bytes),
        mebibytes(memory.total_bytes()));
    if (result.stopped_by) {
        const TrainOptions& options = prepared.options;
        say("stopped at step {}; to go on: {}{}{}\n", result.steps, command,
            options.resume_from_checkpoint ? "" : " --resume_from_checkpoint latest",
            options.overwrite_output_dir ? " --overwrite_output_dir false" : "");
        return stop_exit_code(*result.stopped_by);
    }
    say("{} steps in {}; the model is in {}\n", result.steps, duration_text(result.seconds),
        folder.path().string());
    return 0;
}

}  // namespace

int train(const TrainOptions& options, const std::string& command) {
    const Preparation prepared = prepare(options);
    return precision_of(options) == "bf16" ? run<bf16>(prepared, command)
                                           : run<float>(prepared, command);
}
