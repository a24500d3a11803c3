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

size_t common_prefix(std::span<const int32_t> a, std::span<const int32_t> b) {
    const auto departed = std::mismatch(a.begin(), a.end(), b.begin(), b.end());
    return static_cast<size_t>(departed.first - a.begin());
}

// A place to cut the text (Tokenizer::next_cut) near its end; `begin` if there is none behind it.
size_t last_cut(const Tokenizer& tokenizer, std::string_view text, size_t begin) {
    for (size_t back = 16;; back *= 2) {
        const size_t from = text.size() > begin + back ? text.size() - back : begin;
        const size_t cut = tokenizer.next_cut(text, from);
        if (cut > begin && cut < text.size()) return cut;
        if (from == begin) return begin;
    }
}

// How far the ids of a text are also those of another.
struct Shared {
    size_t ids = 0;         // until they depart, those before the text's included
    bool is_whole = false;  // none of the other's departs
};

// Appends the text's ids and compares them with those of each of `fronts`, shorter ones first.
// What begins the text as well is encoded once, up to its last cut.
std::vector<Shared> encode_with_fronts(const Tokenizer& tokenizer, std::string_view text,
                                       std::initializer_list<std::string_view> fronts,
                                       std::vector<int32_t>& ids) {
    struct Own {
        size_t begin;               // in ids
        std::vector<int32_t> rest;  // of the front, from there
    };
    const auto encode = [&](std::string_view part, bool is_rest, std::vector<int32_t>& out) {
        is_rest ? tokenizer.encode_rest(part, out) : tokenizer.encode(part, out);
    };
    const size_t before = ids.size();
    std::vector<Own> own;
    size_t done = 0;  // bytes of the text
    for (const std::string_view front : fronts) {
        const bool is_front = text.starts_with(front) && front.size() >= done;
        const size_t cut = is_front ? last_cut(tokenizer, front, done) : 0;
        if (is_front) {
            encode(text.substr(done, cut - done), done > 0, ids);
            done = cut;
        }
        own.push_back({is_front ? ids.size() : before, {}});
        encode(front.substr(cut), cut > 0, own.back().rest);
    }
    encode(text.substr(done), done > 0, ids);
    std::vector<Shared> shared;
    for (const auto& [begin, rest] : own) {
        const size_t same = common_prefix(std::span(ids).subspan(begin), rest);
        shared.push_back({.ids = begin + same, .is_whole = same == rest.size()});
    }
    return shared;
}

std::vector<int32_t> with_prefix(const Tokenizer& tokenizer, std::string_view text) {
    std::vector<int32_t> ids = tokenizer.prefix_ids();
    tokenizer.encode(text, ids);
    return ids;
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

void end_with_eos(const Tokenizer& tokenizer, std::vector<int32_t>& ids) {
    const auto eos = tokenizer.eos_id();
    if (eos && (ids.empty() || ids.back() != *eos)) ids.push_back(*eos);
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
    TrainingRow row{.ids = tokenizer.prefix_ids(), .bytes = static_cast<int64_t>(text.size())};
    row.trained_begin = encode_with_fronts(tokenizer, text, {prompt}, row.ids)[0].ids;
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
    const std::string to_turn_end = before + answer + std::string(chat.turn_end());
    TrainingRow row{.ids = {}, .bytes = static_cast<int64_t>(text.size())};
    const auto shared = encode_with_fronts(tokenizer, text, {before, to_turn_end}, row.ids);
    row.trained_begin = shared[0].ids;
    // A token that holds both the turn's end and what follows it is trained: it ends the turn.
    row.trained_end = shared[1].is_whole ? shared[1].ids : row.ids.size();
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
