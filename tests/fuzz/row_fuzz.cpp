// A line of a .jsonl file: as each format, with and without a chat template.

#include <nlohmann/json.hpp>

#include "model/io/json.h"
#include "model/text/rows.h"
#include "tests/fuzz/target.h"
#include "tests/support/chat_rows.h"

namespace {

void check_row(TrainingRow row, const Tokenizer& tokenizer) {
    for (const size_t length : {row.ids.size(), row.ids.size() / 2}) {
        row.truncate(length);
        const std::vector<float> weights = row.weights();
        ENSURE(weights.empty() || weights.size() == row.ids.size(), "{} weights for {} ids",
               weights.size(), row.ids.size());
        ENSURE(row.num_trained() <= static_cast<int64_t>(row.ids.size()),
               "{} of {} ids are trained", row.num_trained(), row.ids.size());
    }
    tokenizer.decode(row.ids);
}

void run(std::string_view input) {
    static const Tokenizer tokenizer = chat_tokenizer();
    static const ChatTemplate smollm2 = ChatTemplate::named("smollm2", "--chat_template");
    nlohmann::json object;
    if (!accepted([&] { object = parse_json(input, "rows.jsonl line 1"); })) return;
    for (const RowFormat asked : {RowFormat::automatic, RowFormat::text, RowFormat::alpaca})
        for (const ChatTemplate* chat : {static_cast<const ChatTemplate*>(nullptr), &smollm2})
            accepted([&] {
                const RowFormat format = format_of_row(object, asked, "rows.jsonl line 1");
                check_row(training_row(object, format, tokenizer, chat, "rows.jsonl line 1"),
                          tokenizer);
            });
}

const bool kAdded = add_fuzz_target("row", run);

}  // namespace
