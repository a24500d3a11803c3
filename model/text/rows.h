// A row of data as ids, and which of them are trained.
//
//   text      {"text"}: the tokenizer's prefix, the text, one EOS; every token is trained
//   alpaca    {"instruction", "input", "output"}: Stanford's prompt, or under a chat template a
//             user's message; only the answer is trained
#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "model/text/chat_template.h"
#include "model/text/tokenizer.h"

enum class RowFormat { automatic, text, alpaca };
const char* name_of(RowFormat format);
// "auto", "text" or "alpaca"; anything else is an InputError that names `flag`.
RowFormat row_format_from(const std::string& name, const std::string& flag);

struct TrainingRow {
    std::vector<int32_t> ids;
    // Of the ids, the targets; the first id of a row is none, whatever this says.
    size_t trained_begin = 0, trained_end = 0;
    int64_t bytes = 0;  // of the text behind the ids

    // The row's first `length` ids.
    void truncate(size_t length);
    int64_t num_trained() const;
    // Loss weights; empty if every token is trained.
    std::vector<float> weights() const;
};

// One EOS ends a row, if the tokenizer has one; none is added to a text that ends with it.
void end_with_eos(const Tokenizer& tokenizer, std::vector<int32_t>& ids);
TrainingRow text_row(const Tokenizer& tokenizer, std::string_view text);

// Both are tokenised as one string; training starts where its ids depart from the prompt's own.
TrainingRow completion_row(const Tokenizer& tokenizer, const std::string& prompt,
                           const std::string& completion);

// The ids of the rendered conversation, nothing added. Trained are the answer and what ends its
// turn, nothing else.
TrainingRow chat_row(const Tokenizer& tokenizer, const ChatTemplate& chat,
                     std::span<const ChatMessage> prompt, const std::string& answer);

// The format that a file's first row is of: by its keys, unless `asked` says so.
RowFormat format_of_row(const nlohmann::json& row, RowFormat asked, const std::string& source);

// A row of that format. A missing key and a wrong type are InputErrors: `source` names file and
// row. `chat` may be null.
TrainingRow training_row(const nlohmann::json& row, RowFormat format, const Tokenizer& tokenizer,
                         const ChatTemplate* chat, const std::string& source);
