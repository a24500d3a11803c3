// The flags of bin/train: defaults, what must be given, what contradicts.

#include "train/options.h"

#include "kernels/core/check.h"
#include "tests/support/doctest.h"

namespace {

// The smallest complete command line and `more` after it.
TrainOptions parsed(const std::vector<const char*>& more) {
    std::vector<const char*> arguments = {"train",       "--model",      "m",  "--train_data",
                                          "a.txt,b.txt", "--output_dir", "out"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return parse_train_options(static_cast<int>(arguments.size()), arguments.data());
}

std::string complaint_of(const std::vector<const char*>& arguments) {
    try {
        parse_train_options(static_cast<int>(arguments.size()), arguments.data());
    } catch (const InputError& error) {
        return error.what();
    }
    return "";
}

std::string complaint(const std::vector<const char*>& more) {
    try {
        parsed(more);
    } catch (const InputError& error) {
        return error.what();
    }
    return "";
}

}  // namespace

TEST_CASE("train options: the defaults are those of Hugging Face's TrainingArguments") {
    const TrainOptions options = parsed({});
    CHECK(options.learning_rate == 5e-5);
    CHECK(options.weight_decay == 0);
    CHECK(options.adam_beta1 == 0.9);
    CHECK(options.adam_beta2 == 0.999);
    CHECK(options.adam_epsilon == 1e-8);
    CHECK(options.max_grad_norm == 1);
    CHECK(options.lr_scheduler_type == "linear");
    CHECK(options.num_train_epochs == 3);
    CHECK(options.max_steps == -1);
    CHECK(options.per_device_train_batch_size == 8);
    CHECK(options.gradient_accumulation_steps == 1);
    CHECK(options.save_steps == 500);
    CHECK(options.common.seed == 42);
    CHECK(options.train_data == std::vector<std::string>{"a.txt", "b.txt"});
}

TEST_CASE("train options: what is missing is named") {
    CHECK(complaint_of({"train"}).find("--model: missing") == 0);
    CHECK(complaint_of({"train", "--init", "gpt2"}).find("--tokenizer: missing") == 0);
    CHECK(complaint_of({"train", "--model", "m"}).find("--train_data: missing") == 0);
    CHECK(complaint_of({"train", "--model", "m", "--train_data", "a"})
              .find("--output_dir: missing") == 0);
}

TEST_CASE("train options: contradictions and impossible values are named") {
    CHECK(complaint({"--init", "gpt2"}).find("--init: contradicts --model") == 0);
    CHECK(complaint({"--num_train_epochs", "0"}).find("--num_train_epochs: found 0") == 0);
    CHECK(complaint({"--num_train_epochs", "0", "--max_steps", "3"}).empty());
    CHECK(complaint({"--lr_scheduler_type", "cosine_with_min_lr"}).find("--lr_scheduler_kwargs") ==
          0);
    CHECK(complaint({"--eval_steps", "5"}).find("--eval_steps: expected --eval_data") == 0);
    CHECK(complaint({"--eval_data", "v", "--eval_steps", "5", "--eval_strategy", "epoch"}) ==
          "--eval_steps: contradicts --eval_strategy epoch");
    CHECK(complaint({"--load_best_model_at_end"}).find("--load_best_model_at_end: expected") == 0);
    CHECK(complaint({"--early_stopping_patience", "2", "--eval_split", "0.1", "--eval_strategy",
                     "no"}) == "--early_stopping_patience: contradicts --eval_strategy no");
    CHECK(complaint({"--overwrite_output_dir", "--resume_from_checkpoint", "latest"})
              .find("--overwrite_output_dir: contradicts") == 0);
    CHECK(complaint({"--adam_beta2", "1"}) ==
          "--adam_beta2: expected a number of at least 0 and below 1, found '1'");
    CHECK(complaint({"--text_rows", "page"}).find("file or paragraph or line") !=
          std::string::npos);
}

TEST_CASE("train options: what JSON cannot hold is refused before run.json is written") {
    CHECK(complaint({"--model", "caf\xe9"}) ==
          "--model: found bytes that are not UTF-8, expected text");
    CHECK(complaint({"--train_data", "a.txt,\xff"}).find("--train_data: found bytes") == 0);
}

TEST_CASE("train options: other tools' flags are accepted or explained") {
    CHECK(parsed({"--bf16"}).precision == "bf16");
    CHECK(parsed({"--max-seq-length", "128"}).max_length == 128);
    CHECK(parsed({"--evaluation_strategy", "no"}).eval_strategy == "no");
    for (const char* flag : {"--fp16", "--warmup_ratio=0.1", "--load_in_4bit", "--optim=adamw"}) {
        CAPTURE(flag);
        CHECK(complaint({flag}).find("not a flag here") != std::string::npos);
    }
    CHECK(complaint({"--lora_r", "8"}).find("--lora_r: unknown flag") == 0);
}

TEST_CASE("train options: evaluation is by epochs unless steps are asked for") {
    CHECK(parsed({"--eval_data", "v"}).eval_strategy == "epoch");
    CHECK(parsed({"--eval_data", "v", "--eval_steps", "7"}).eval_strategy == "steps");
    CHECK(parsed({"--eval_data", "v", "--eval_strategy", "steps"}).eval_steps == 10);
    CHECK_FALSE(parsed({}).better_is_greater());
    CHECK(parsed({"--metric_for_best_model", "eval_accuracy"}).better_is_greater());
    CHECK_FALSE(parsed({"--metric_for_best_model", "eval_accuracy", "--no_greater_is_better"})
                    .better_is_greater());
}

TEST_CASE("train options: help names every flag") {
    TrainOptions options;
    Flags flags("bin/train", "fine-tune");
    add_train_flags(flags, options);
    const std::string help = flags.help();
    for (const Flag& flag : flags.all()) {
        CAPTURE(flag.name());
        CHECK(help.find("--" + flag.name()) != std::string::npos);
    }
}
