#include "train/preparation.h"

#include <algorithm>
#include <cmath>
#include <set>

#include "kernels/core/check.h"
#include "model/io/hugging_face.h"
#include "model/io/sha256.h"
#include "model/parameters.h"
#include "model/program/memory.h"
#include "model/program/progress.h"
#include "model/program/say.h"
#include "model/text/data_files.h"

namespace fs = std::filesystem;

namespace {

// What decides which ids a text has.
TextRows text_rows_of(const std::string& name) {
    return name == "line"        ? TextRows::line
           : name == "paragraph" ? TextRows::paragraph
                                 : TextRows::file;
}

Truncation truncation_of(const std::string& name) {
    return name == "error"      ? Truncation::error
           : name == "truncate" ? Truncation::truncate
                                : Truncation::drop;
}

void read_model(Preparation& out) {
    const TrainOptions& options = out.options;
    if (!options.model.empty()) {
        const ModelFolder folder = open_model_folder(resolve_model(options.model, "--model"));
        out.model_folder = out.tokenizer_folder = folder.path;
        out.config = folder.config;
        out.save_type = stored_type(folder);
        out.input_hashes[(folder.path / "config.json").string()] =
            sha256_of_file(folder.path / "config.json");
        for (const fs::path& file : folder.weight_files)
            out.input_hashes[file.string()] = sha256_of_file(file);
    } else if (const auto preset = preset_config(options.init)) {
        out.config = *preset;
    } else {
        ENSURE_INPUT(fs::is_regular_file(options.init), "--init",
                     "{} is neither a config.json nor gpt2, gpt2-medium, gpt2-large or gpt2-xl",
                     options.init);
        out.config = read_config(options.init);
        out.input_hashes[options.init] = sha256_of_file(options.init);
    }
    if (!options.tokenizer.empty()) out.tokenizer_folder = options.tokenizer;
    if (!options.save_dtype.empty())
        out.save_type = type_from_flag(options.save_dtype, "--save_dtype");
}

CorpusOptions corpus_options(const Preparation& out) {
    const ModelConfig& config = out.config;
    const int64_t length = out.options.max_length.value_or(std::min(1024, config.max_positions));
    ENSURE_INPUT(length <= config.max_positions, "--max_length",
                 "is {}, expected at most the model's {} positions", length, config.max_positions);
    CorpusOptions options{.text_rows = text_rows_of(out.options.text_rows),
                          .truncation = truncation_of(out.options.truncation),
                          .max_length = length,
                          .format = row_format_from(out.options.format, "--format")};
    if (!out.options.chat_template.empty())
        options.chat = ChatTemplate::named(out.options.chat_template, "--chat_template");
    return options;
}

void ensure_trainable(const Corpus& corpus, const std::vector<std::string>& paths,
                      const std::string& flag) {
    std::string files;
    for (const std::string& path : paths) files += (files.empty() ? "" : ", ") + path;
    ENSURE_INPUT(
        corpus.num_rows() > 0, flag,
        "{}: no row is left of {} ({} without a token to predict, {} longer than --max_length)",
        files, corpus.source.rows_read, corpus.source.dropped_empty, corpus.source.dropped_long);
}

// A chat template that no row is written in was meant for other data.
void ensure_template_used(const Preparation& out) {
    if (out.options.chat_template.empty()) return;
    const auto uses = [](const Corpus& corpus) {
        return std::any_of(corpus.source.files.begin(), corpus.source.files.end(),
                           [](const CorpusFile& file) { return file.format == RowFormat::alpaca; });
    };
    ENSURE_INPUT(uses(out.corpus), "--chat_template",
                 "the rows of --train_data are text, expected instructions: {{\"instruction\", "
                 "\"input\", \"output\"}}");
}

// Moves a share of the rows, drawn by the seed, into a domain of their own.
void split_off_eval(Preparation& out) {
    const double share = out.options.eval_split;
    if (share == 0.0) return;
    const int64_t rows = out.corpus.num_rows();
    const auto held_out = static_cast<int64_t>(std::ceil(share * static_cast<double>(rows)));
    ENSURE_INPUT(held_out < rows, "--eval_split", "{} of {} rows leaves none to train on", share,
                 rows);
    const std::vector<int64_t> order =
        permutation(rows, static_cast<uint64_t>(out.options.common.seed), /*epoch=*/-1);
    std::vector<bool> chosen(static_cast<size_t>(rows));
    for (int64_t i = 0; i < held_out; ++i) chosen[static_cast<size_t>(order[i])] = true;
    Corpus kept, split;
    kept.source = split.source = out.corpus.source;
    for (int64_t r = 0; r < rows; ++r) {
        Corpus& part = chosen[static_cast<size_t>(r)] ? split : kept;
        part.append(out.corpus.row(r), out.corpus.row_weights(r));
    }
    out.corpus.forget_read();
    out.corpus = std::move(kept);
    out.eval.push_back({"split", std::move(split)});
}

// Reading that takes its time is seen to go on.
Corpus read_shown(const std::vector<std::string>& paths, const std::string& flag,
                  const Tokenizer& tokenizer, CorpusOptions options) {
    int64_t bytes = 0;
    for (const std::string& path : paths) bytes += bytes_of(files_of(path, flag));
    ReadingProgress progress(flag, bytes);
    options.progress = [&](int64_t done) { progress.update(done); };
    return read_corpus(paths, flag, tokenizer, options);
}

void read_data(Preparation& out) {
    const TrainOptions& options = out.options;
    const Tokenizer tokenizer = Tokenizer::from_folder(out.tokenizer_folder);
    ENSURE_INPUT(tokenizer.vocab_size() <= out.config.vocab_size, out.tokenizer_folder.string(),
                 "the tokenizer has {} tokens, the model a vocabulary of {}",
                 tokenizer.vocab_size(), out.config.vocab_size);
    for (const char* name : tokenizer_file_names())
        if (const fs::path file = out.tokenizer_folder / name; fs::is_regular_file(file))
            out.input_hashes[file.string()] = sha256_of_file(file);
    const CorpusOptions corpus = corpus_options(out);
    if (corpus.chat) out.chat_jinja = corpus.chat->jinja_beside(out.tokenizer_folder);
    out.corpus = read_shown(options.train_data, "--train_data", tokenizer, corpus);
    for (const CorpusFile& file : out.corpus.source.files)
        out.input_hashes[file.path] = file.sha256;
    ensure_trainable(out.corpus, options.train_data, "--train_data");
    ensure_template_used(out);
    std::set<std::string> stems;
    if (options.eval_split > 0.0) stems.insert("split");
    for (const std::string& path : options.eval_data) {
        for (const fs::path& file : files_of(path, "--eval_data")) {
            const std::string stem = file.stem().string();
            ENSURE_INPUT(stems.insert(stem).second, "--eval_data",
                         "two files have the stem \"{}\", expected a name of its own for each",
                         stem);
            out.eval.push_back(
                {stem, read_shown({file.string()}, "--eval_data", tokenizer, corpus)});
            ensure_trainable(out.eval.back().corpus, {file.string()}, "--eval_data");
            out.eval_hashes[file.string()] = out.eval.back().corpus.source.files[0].sha256;
        }
    }
    say_note(tokenizer.dropped_text());
    split_off_eval(out);
    out.loader = {.batch_size = options.per_device_train_batch_size,
                  .accumulation = options.gradient_accumulation_steps,
                  .shuffle = options.shuffle,
                  .packing = options.packing,
                  .max_length = corpus.max_length,
                  .seed = static_cast<uint64_t>(options.common.seed)};
}

// One domain is logged as eval_loss alone.
void ensure_metric(const Preparation& out) {
    if (out.eval.empty()) return;
    std::string known = "eval_loss";
    bool found = out.options.metric_for_best_model == known;
    for (size_t i = 0; i < out.eval.size() && out.eval.size() > 1; ++i) {
        const std::string metric = "eval_" + out.eval[i].name + "_loss";
        found |= out.options.metric_for_best_model == metric;
        known += " or " + metric;
    }
    ENSURE_INPUT(found, "--metric_for_best_model", "found '{}', expected {}",
                 out.options.metric_for_best_model, known);
}

void count_steps(Preparation& out) {
    const TrainOptions& options = out.options;
    Loader loader(out.corpus, out.loader);
    out.steps_per_epoch = loader.steps_in(1.0);
    out.total_steps =
        options.max_steps > 0 ? options.max_steps : loader.steps_in(options.num_train_epochs);
    ENSURE_INPUT(out.total_steps > 0, "--num_train_epochs", "{} makes no step of {} rows",
                 options.num_train_epochs, out.corpus.num_rows());
    out.epochs = static_cast<double>(out.total_steps) / static_cast<double>(out.steps_per_epoch);
    out.schedule = make_schedule(options.lr_scheduler_type, options.lr_scheduler_kwargs,
                                 options.warmup_steps, options.learning_rate, out.total_steps);

    const int64_t batch = options.per_device_eval_batch_size.value_or(out.loader.batch_size);
    int64_t longest = out.corpus.longest_row(), eval_tokens = 0;
    for (const EvalDomain& domain : out.eval) {
        longest = std::max(longest, domain.corpus.longest_row());
        eval_tokens = std::max(
            eval_tokens, domain.corpus.longest_row() * std::min(batch, domain.corpus.num_rows()));
    }
    out.limits = {.tokens = std::max(loader.largest_micro_batch(out.total_steps), eval_tokens),
                  .longest_row = longest,
                  .backward = true,
                  .dropout = options.dropout > 0.0,
                  .device = device_of(options.common)};
}

}  // namespace

std::string precision_of(const TrainOptions& options) {
    return options.precision.empty() ? "fp32" : options.precision;
}

std::map<std::string, std::string> deciding_inputs(const Preparation& prepared) {
    auto hashes = prepared.input_hashes;
    if (prepared.options.load_best_model_at_end || prepared.options.early_stopping_patience)
        hashes.insert(prepared.eval_hashes.begin(), prepared.eval_hashes.end());
    return hashes;
}

Preparation prepare(const TrainOptions& options) {
    Preparation out;
    out.options = options;
    read_model(out);
    read_data(out);
    ensure_metric(out);
    count_steps(out);
    out.resident_bytes = resident_memory_bytes();
    return out;
}

int64_t MemoryForecast::total_bytes() const {
    int64_t sum = 0;
    for (const PlannedBytes& part : parts) sum += part.bytes;
    return sum;
}

MemoryForecast forecast_parameters(const Preparation& prepared) {
    const bool bf16_model = precision_of(prepared.options) == "bf16";
    const int64_t elements = ParameterTable(prepared.config).total_elements();
    MemoryForecast forecast;
    forecast.parts = {{"program and data", prepared.resident_bytes},
                      {"weights", elements * (bf16_model ? 2 : 4)},
                      {"gradients (fp32)", elements * 4},
                      {"AdamW moments (fp32)", elements * 8}};
    if (bf16_model) forecast.parts.push_back({"master weights (fp32)", elements * 4});
    return forecast;
}

MemoryForecast forecast_memory(const Preparation& prepared) {
    MemoryForecast forecast = forecast_parameters(prepared);
    forecast.activations = precision_of(prepared.options) == "bf16"
                               ? plan_activations<bf16>(prepared.config, prepared.limits)
                               : plan_activations<float>(prepared.config, prepared.limits);
    forecast.parts.push_back({"activations", forecast.activations.peak_bytes()});
    return forecast;
}
