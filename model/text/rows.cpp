#include "model/text/rows.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "kernels/core/check.h"
#include "model/io/json.h"

namespace {

// The prompts of Stanford's Alpaca, with and without an input.
constexpr const char* kAlpacaWithInput =
    "Below is an instruction that describes a task, paired with an input that provides further "
    "context. Write a response that appropriately completes the request.\n\n"
    "### Instruction:\n{}\n\n### Input:\n{}\n\n### Response:\n";
constexpr const char* kAlpacaWithoutInput =
    "Below is an instruction that describes a task. Write a response that appropriately completes "
    "the request.\n\n### Instruction:\n{}\n\n### Response:\n";

size_t common_prefix(const std::vector<int32_t>& a, const std::vector<int32_t>& b) {
    const size_t length = std::min(a.size(), b.size());
    const auto departed =
        std::mismatch(a.begin(), a.begin() + static_cast<int64_t>(length), b.begin());
    return static_cast<size_t>(departed.first - a.begin());
}

std::vector<int32_t> with_prefix(const Tokenizer& tokenizer, std::string_view text) {
    std::vector<int32_t> ids = tokenizer.prefix_ids();
    tokenizer.encode(text, ids);
    return ids;
}

void end_with_eos(const Tokenizer& tokenizer, std::vector<int32_t>& ids) {
    const auto eos = tokenizer.eos_id();
    if (eos && (ids.empty() || ids.back() != *eos)) ids.push_back(*eos);
}

std::string string_of(const nlohmann::json& row, const char* key, const std::string& source) {
    const auto found = row.find(key);
    ENSURE_INPUT(found != row.end(), source, "has no key \"{}\"", key);
    ENSURE_INPUT(found->is_string(), source, "\"{}\" is {}, expected a string", key,
                 excerpt(*found));
    return found->get<std::string>();
}

bool is_empty(const nlohmann::json& value) {
    return value.is_null() || (value.is_string() && value.get_ref<const std::string&>().empty()) ||
           (value.is_array() && value.empty());
}

TrainingRow alpaca_row(const nlohmann::json& row, const Tokenizer& tokenizer,
                       const ChatTemplate* chat, const std::string& source) {
    const std::string instruction = string_of(row, "instruction", source);
    const std::string output = string_of(row, "output", source);
    const bool has_input = row.contains("input") && !is_empty(row["input"]);
    const std::string input = has_input ? string_of(row, "input", source) : "";
    for (const char* key : {"system", "history"})  // other tools' rows have them
        ENSURE_INPUT(!row.contains(key) || is_empty(row[key]), source,
                     "\"{}\" is {}, expected it empty or absent: it would not be trained on", key,
                     excerpt(row[key]));
    if (chat) {
        const ChatMessage user{"user", has_input ? instruction + "\n" + input : instruction};
        return chat_row(tokenizer, *chat, std::span(&user, 1), output);
    }
    const std::string prompt = has_input ? fmt::format(kAlpacaWithInput, instruction, input)
                                         : fmt::format(kAlpacaWithoutInput, instruction);
    return completion_row(tokenizer, prompt, output);
}

}  // namespace

const char* name_of(RowFormat format) {
    return format == RowFormat::alpaca ? "alpaca" : format == RowFormat::text ? "text" : "auto";
}

RowFormat row_format_from(const std::string& name, const std::string& flag) {
    for (const RowFormat format : {RowFormat::automatic, RowFormat::text, RowFormat::alpaca})
        if (name == name_of(format)) return format;
    throw InputError(fmt::format("{}: found '{}', expected auto, text or alpaca", flag, name));
}

void TrainingRow::truncate(size_t length) {
    ids.resize(std::min(length, ids.size()));
    trained_begin = std::min(trained_begin, ids.size());
    trained_end = std::min(trained_end, ids.size());
}

int64_t TrainingRow::num_trained() const {
    const size_t begin = std::max<size_t>(trained_begin, 1);
    return trained_end > begin ? static_cast<int64_t>(trained_end - begin) : 0;
}

std::vector<float> TrainingRow::weights() const {
    if (trained_begin <= 1 && trained_end == ids.size()) return {};
    std::vector<float> weights(ids.size(), 0.0f);
    std::fill(weights.begin() + static_cast<int64_t>(trained_begin),
              weights.begin() + static_cast<int64_t>(trained_end), 1.0f);
    return weights;
}

TrainingRow text_row(const Tokenizer& tokenizer, std::string_view text) {
    TrainingRow row{.ids = with_prefix(tokenizer, text),
                    .bytes = static_cast<int64_t>(text.size())};
    end_with_eos(tokenizer, row.ids);
    row.trained_end = row.ids.size();
    return row;
}

TrainingRow completion_row(const Tokenizer& tokenizer, const std::string& prompt,
                           const std::string& completion) {
    const std::string text = prompt + completion;
    TrainingRow row{.ids = with_prefix(tokenizer, text),
                    .bytes = static_cast<int64_t>(text.size())};
    row.trained_begin = common_prefix(row.ids, with_prefix(tokenizer, prompt));
    end_with_eos(tokenizer, row.ids);
    row.trained_end = row.ids.size();
    return row;
}

TrainingRow chat_row(const Tokenizer& tokenizer, const ChatTemplate& chat,
                     std::span<const ChatMessage> prompt, const std::string& answer) {
    std::vector<ChatMessage> messages(prompt.begin(), prompt.end());
    const std::string before = chat.render(messages, /*add_generation_prompt=*/true);
    messages.push_back({"assistant", answer});
    const std::string text = chat.render(messages, /*add_generation_prompt=*/false);
    TrainingRow row{.ids = tokenizer.encode(text), .bytes = static_cast<int64_t>(text.size())};
    row.trained_begin = common_prefix(row.ids, tokenizer.encode(before));
    // A token that holds both the turn's end and what follows it is trained: it ends the turn.
    const auto to_turn_end = tokenizer.encode(before + answer + std::string(chat.turn_end()));
    const size_t same = common_prefix(row.ids, to_turn_end);
    row.trained_end = same == to_turn_end.size() ? same : row.ids.size();
    return row;
}

RowFormat format_of_row(const nlohmann::json& row, RowFormat asked, const std::string& source) {
    ENSURE_INPUT(row.is_object(), source, "found {}, expected an object", excerpt(row));
    if (asked != RowFormat::automatic) return asked;
    // Alpaca's own files also hold the two joined, as "text".
    if (row.contains("instruction") && row.contains("output")) return RowFormat::alpaca;
    ENSURE_INPUT(row.contains("text"), source,
                 "has no key \"text\", nor \"instruction\" and \"output\"");
    return RowFormat::text;
}

TrainingRow training_row(const nlohmann::json& row, RowFormat format, const Tokenizer& tokenizer,
                         const ChatTemplate* chat, const std::string& source) {
    ENSURE_INPUT(row.is_object(), source, "found {}, expected an object", excerpt(row));
    if (format == RowFormat::alpaca) return alpaca_row(row, tokenizer, chat, source);
    return text_row(tokenizer, string_of(row, "text", source));
}
