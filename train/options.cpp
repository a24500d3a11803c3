#include "train/options.h"

#include <fmt/format.h>

#include "kernels/core/check.h"
#include "model/text/chat_template.h"
#include "model/text/unicode.h"
#include "train/schedule.h"

namespace {

void add_model_flags(Flags& flags, TrainOptions& o) {
    flags.group("Model");
    flags
        .add("model", o.model,
             "The model to fine-tune: a Hugging Face folder, or a model of the local Hugging Face "
             "cache.")
        .value_name("DIR|org/name")
        .alias("model_name_or_path");
    flags
        .add("init", o.init,
             "Start from random weights instead: a config file, or gpt2, gpt2-medium, gpt2-large, "
             "gpt2-xl. Needs --tokenizer.")
        .value_name("CONFIG.json|NAME");
    flags.add("tokenizer", o.tokenizer, "Folder of the tokenizer.")
        .value_name("DIR")
        .default_text("the model's");
    flags
        .add("precision", o.precision,
             "What weights and activations are computed in; optimiser state and sums are fp32.")
        .choices({"fp32", "bf16"})
        .default_text("fp32");
    flags.boolean_spelling("bf16", "precision", "bf16", "fp32");
    flags.add("save_dtype", o.save_dtype, "What weights are saved in.")
        .choices({"fp32", "bf16", "fp16"})
        .default_text("as the input model");
    flags
        .add("dropout", o.dropout,
             "Probability of dropping a value of the embeddings or of what a branch adds; the "
             "model's own setting is not used.")
        .at_least(0)
        .below(1);
}

void add_data_flags(Flags& flags, TrainOptions& o) {
    flags.group("Data");
    flags
        .add("train_data", o.train_data,
             "Text to train on: a file, folder or glob of .txt, .jsonl, .json; `:3` repeats its "
             "rows three times. Of much data, what memory need not hold lies in $TMPDIR, else in "
             "/var/tmp.")
        .value_name("PATH[:repeat]");
    flags
        .add("eval_data", o.eval_data,
             "Text to evaluate on. Each file is a domain of its own, named by its stem.")
        .value_name("PATH");
    flags.add("eval_split", o.eval_split, "Share of the training rows to hold out and evaluate on.")
        .at_least(0)
        .below(1);
    flags
        .add("format", o.format,
             "What the rows of a .json or .jsonl file are: {\"text\"}, or {\"instruction\", "
             "\"input\", \"output\"} (alpaca), of which only the output is trained; auto: what "
             "the file's first row is.")
        .choices({"auto", "text", "alpaca"});
    flags
        .add("chat_template", o.chat_template,
             "Write instructions and their outputs as a conversation in this form.")
        .choices(ChatTemplate::names())
        .default_text("none: Stanford's alpaca prompts");
    flags.add("text_rows", o.text_rows, "What a row of a .txt file is.")
        .choices({"file", "paragraph", "line"});
    flags.add("max_length", o.max_length, "Longest row.")
        .at_least(2)
        .unit("tokens")
        .default_text("the model's positions, at most 1024")
        .alias("max_seq_length");
    flags
        .add("truncation", o.truncation,
             "What happens to longer rows; always counted. Whole text files are cut into rows and "
             "lose nothing.")
        .choices({"error", "drop", "truncate"});
    flags.add("packing", o.packing,
              "Let short rows share the place of a long one. They still do not see each other.");
    flags.add("shuffle", o.shuffle, "A new order of the rows each epoch.");
}

// How many steps the optimiser takes, and of how many rows each.
void add_step_flags(Flags& flags, TrainOptions& o) {
    flags.add("num_train_epochs", o.num_train_epochs, "Passes over the data.")
        .range(0, 1e6)
        .unit("epochs");
    flags.add("max_steps", o.max_steps, "Above 0: this many steps instead of epochs.")
        .range(-1, 1e12)
        .unit("steps");
    flags
        .add("per_device_train_batch_size", o.per_device_train_batch_size,
             "Rows, or packs, computed at a time.")
        .range(1, 1e6)
        .unit("rows");
    flags
        .add("gradient_accumulation_steps", o.gradient_accumulation_steps,
             "Batches whose gradients add up to one step.")
        .range(1, 1e6)
        .unit("batches");
}

void add_optimiser_flags(Flags& flags, TrainOptions& o) {
    flags.group("Optimiser");
    flags.add("learning_rate", o.learning_rate, "Peak learning rate.").at_least(0);
    flags
        .add("lr_scheduler_type", o.lr_scheduler_type,
             fmt::format("Learning rate over the steps: {}.", fmt::join(schedule_names(), ", ")))
        .choices(schedule_names())
        .value_name("NAME");
    flags
        .add("lr_scheduler_kwargs", o.lr_scheduler_kwargs,
             "Arguments of the schedule, as in transformers: '{\"min_lr\": 1e-6}'.")
        .value_name("JSON");
    flags
        .add("warmup_steps", o.warmup_steps,
             "Steps of rising learning rate; below 1, a share of all steps. The schedule "
             "`constant` has none.")
        .range(0, 1e12)
        .unit("steps");
    flags.add("weight_decay", o.weight_decay, "AdamW's decay of all but biases and norms.")
        .at_least(0);
    flags.add("adam_beta1", o.adam_beta1, "Decay of the mean gradient.").at_least(0).below(1);
    flags.add("adam_beta2", o.adam_beta2, "Decay of the mean square.").at_least(0).below(1);
    flags.add("adam_epsilon", o.adam_epsilon, "Added to the denominator.")
        .range(1e-30, 1);  // at 0, what never had a gradient is 0 / 0
    flags
        .add("max_grad_norm", o.max_grad_norm,
             "Longer gradients are scaled to this norm; 0: none are.")
        .at_least(0);
    add_step_flags(flags, o);
}

void add_run_flags(Flags& flags, TrainOptions& o) {
    flags.group("Run");
    flags.add("output_dir", o.output_dir, "Where everything is written.").value_name("DIR");
    flags.add("overwrite_output_dir", o.overwrite_output_dir,
              "Remove what an earlier run left in it, and nothing else.");
    flags
        .add("resume_from_checkpoint", o.resume_from_checkpoint,
             "Go on from this checkpoint, or from the newest complete one.")
        .value_name("DIR|latest|true");
    flags.add("dry_run", o.dry_run, "Print the memory plan and a forecast, then stop.");
    flags.add("logging_steps", o.logging_steps, "A log line every N steps and at the end.")
        .at_least(1)
        .unit("steps");
    flags.add("report_to", o.report_to, "Event files for TensorBoard.")
        .choices({"tensorboard", "none"});
    flags.add("save_strategy", o.save_strategy, "When checkpoints are saved.")
        .choices({"no", "steps", "epoch"});
    flags.add("save_steps", o.save_steps, "A checkpoint every N steps.").at_least(1).unit("steps");
    flags.add("save_total_limit", o.save_total_limit, "Checkpoints kept, the newest; 0: all.")
        .at_least(0);
}

void add_evaluation_flags(Flags& flags, TrainOptions& o) {
    flags.group("Evaluation");
    flags.add("eval_strategy", o.eval_strategy, "When, besides the start and the end.")
        .choices({"no", "steps", "epoch"})
        .default_text("steps with --eval_steps, else epoch")
        .alias("evaluation_strategy");
    flags.add("eval_steps", o.eval_steps, "Every N steps.")
        .at_least(1)
        .unit("steps")
        .default_text("ends of epochs");
    flags.add("per_device_eval_batch_size", o.per_device_eval_batch_size, "Rows scored at a time.")
        .range(1, 1e6)
        .unit("rows")
        .default_text("the training batch size");
    flags.add("load_best_model_at_end", o.load_best_model_at_end,
              "Put the best model, not the last, into the output folder.");
    flags
        .add("metric_for_best_model", o.metric_for_best_model,
             "What best means: eval_loss, or eval_<stem>_loss of one domain.")
        .value_name("METRIC");
    flags.add("greater_is_better", o.greater_is_better, "Direction of that metric.")
        .default_text("true unless its name ends in loss");
    flags
        .add("early_stopping_patience", o.early_stopping_patience,
             "Stop after N evaluations without a new best.")
        .at_least(1)
        .unit("evaluations");
}

void add_refusals(Flags& flags) {
    flags.refuse("fp16",
                 "half precision needs loss scaling, which is not built; use --precision bf16");
    flags.refuse("warmup_ratio",
                 "write --warmup_steps with a number below 1, a share of all steps");
    flags.refuse("load_in_4bit", "training needs the weights in full; use --precision bf16");
    flags.refuse("load_in_8bit", "training needs the weights in full; use --precision bf16");
    flags.refuse("optim", "there is one optimiser, AdamW with fp32 state");
}

void check_length(const TrainOptions& o) {
    ENSURE_INPUT(o.max_steps > 0 || o.num_train_epochs > 0, "--num_train_epochs",
                 "found 0 and no --max_steps, expected something to train");
    // Its arguments, before any file is read; the number of steps does not matter to the checks.
    make_schedule(o.lr_scheduler_type, o.lr_scheduler_kwargs, o.warmup_steps, o.learning_rate, 1);
}

void check_evaluation(const TrainOptions& o) {
    ENSURE_INPUT(o.eval_strategy != "epoch" || !o.eval_steps, "--eval_steps",
                 "contradicts --eval_strategy epoch");
    ENSURE_INPUT(o.eval_strategy != "no" || !o.eval_steps, "--eval_steps",
                 "contradicts --eval_strategy no");
    ENSURE_INPUT(o.evaluates() || o.eval_strategy != "steps" || o.eval_steps, "--eval_strategy",
                 "found steps, expected --eval_data or --eval_split with it");
    ENSURE_INPUT(o.evaluates() || !o.eval_steps, "--eval_steps",
                 "expected --eval_data or --eval_split with it, found neither");
    for (const auto& [is_used, flag] :
         {std::pair(o.load_best_model_at_end, "load_best_model_at_end"),
          {o.early_stopping_patience.has_value(), "early_stopping_patience"}}) {
        ENSURE_INPUT(!is_used || o.evaluates(), fmt::format("--{}", flag),
                     "expected --eval_data or --eval_split with it, found neither");
        ENSURE_INPUT(!is_used || o.eval_strategy != "no", fmt::format("--{}", flag),
                     "contradicts --eval_strategy no");
    }
}

}  // namespace

bool TrainOptions::better_is_greater() const {
    return greater_is_better.value_or(!metric_for_best_model.ends_with("loss"));
}

void add_train_flags(Flags& flags, TrainOptions& options) {
    add_model_flags(flags, options);
    add_data_flags(flags, options);
    add_optimiser_flags(flags, options);
    add_run_flags(flags, options);
    add_evaluation_flags(flags, options);
    add_common_flags(flags, options.common);
    add_refusals(flags);
}

void check_train_options(const TrainOptions& o) {
    ENSURE_INPUT(o.model.empty() || o.init.empty(), "--init",
                 "contradicts --model: either trained or random weights");
    ENSURE_INPUT(!o.model.empty() || !o.init.empty(), "--model",
                 "missing; expected a model's folder, or --init for random weights");
    ENSURE_INPUT(o.init.empty() || !o.tokenizer.empty(), "--tokenizer",
                 "missing; --init has none of its own");
    ENSURE_INPUT(!o.train_data.empty(), "--train_data", "missing; expected text to train on");
    ENSURE_INPUT(!o.output_dir.empty(), "--output_dir", "missing; expected a folder to write to");
    ENSURE_INPUT(!o.overwrite_output_dir || !o.resume_from_checkpoint, "--overwrite_output_dir",
                 "contradicts --resume_from_checkpoint");
    check_length(o);
    check_evaluation(o);
}

TrainOptions parse_train_options(int argc, const char* const* argv) {
    TrainOptions options;
    Flags flags("bin/train", "fine-tune a GPT-style language model");
    add_train_flags(flags, options);
    flags.parse(argc, argv);
    for (const Flag& flag : flags.all())  // run.json and the checkpoints will name them
        ENSURE_INPUT(is_valid_utf8(flag.value_text()), "--" + flag.name(),
                     "found bytes that are not UTF-8, expected text");
    if (options.common.device.empty()) options.common.device = name_of(default_device());
    if (options.eval_strategy.empty())
        options.eval_strategy = options.eval_steps ? "steps" : "epoch";
    if (options.eval_strategy == "steps" && !options.eval_steps && options.evaluates())
        options.eval_steps = options.logging_steps;  // as in transformers
    if (options.resume_from_checkpoint == "false") options.resume_from_checkpoint.reset();
    check_train_options(options);
    return options;
}
