#include "train/demo/demo.h"

#include <fmt/core.h>

#include <cmath>
#include <cstdio>
#include <string_view>

#include "model/generate/text_generator.h"
#include "train/train.h"

namespace {

constexpr const char* kPrompt = "ROMEO:\n";

void print_sample(const std::string& title, const std::string& model, int64_t seed) {
    TextGenerator generator(model, "fp32");
    const auto rows = generator.generate(kPrompt, {.max_new_tokens = 90,
                                                   .temperature = 0.8,
                                                   .top_k = 40,
                                                   .seed = static_cast<uint64_t>(seed)});
    fmt::print("\n---- {}\n{}{}\n----\n\n", title, kPrompt, rows.front().text);
    std::fflush(stdout);  // what follows goes to stderr
}

}  // namespace

std::string loss_table(const std::vector<LogRecord>& log) {
    const LogRecord *first = nullptr, *last = nullptr;
    for (const LogRecord& record : log) {
        if (std::isnan(record.number("eval_loss"))) continue;
        if (!first) first = &record;
        last = &record;
    }
    if (!first) return "";
    std::string table =
        fmt::format("{:<28} {:>8} {:>8} {:>9}\n", "loss, nats/token", "before", "after", "change");
    for (const LogValue& value : first->values) {
        const std::string& name = value.name;
        constexpr std::string_view kPrefix = "eval_", kSuffix = "_loss";
        if (name.size() <= kPrefix.size() + kSuffix.size() || !name.starts_with(kPrefix) ||
            !name.ends_with(kSuffix))
            continue;
        const std::string domain =
            name.substr(kPrefix.size(), name.size() - kPrefix.size() - kSuffix.size());
        const double before = first->number(name), after = last->number(name);
        table += fmt::format("{:<28} {:>8.3f} {:>8.3f} {:>+9.3f}\n", domain, before, after,
                             after - before);
    }
    return table;
}

int run_demo(const TrainOptions& options, const std::string& command) {
    print_sample("a sample before fine-tuning", options.model, options.common.seed);
    const int code = train(options, command);
    if (code != 0) return code;
    print_sample("a sample after fine-tuning", options.output_dir, options.common.seed);
    fmt::print("{}", loss_table(read_run_log(options.output_dir + "/metrics.jsonl")));
    fmt::print(
        "\nshakespeare is what the run was for; novels are the base's own domain: what rises "
        "there\n"
        "is what fine-tuning made it forget.\n\n"
        "The run is in {0}. To go on:\n"
        "  bin/generate --model {0} --prompt \"JULIET:\" --temperature 0.8\n"
        "  bin/train --model train/demo/base --train_data YOUR.txt --output_dir runs/mine\n"
        "  bin/eval --model {0} --suite perplexity=YOUR.txt\n",
        options.output_dir);
    return 0;
}
