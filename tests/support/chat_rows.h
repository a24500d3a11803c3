// tests/golden/chat.json, and the tokenizer that its ids are of.
#pragma once

#include <nlohmann/json.hpp>

#include "model/io/json.h"
#include "model/text/tokenizer.h"

inline nlohmann::json chat_golden() { return read_json_file("tests/golden/chat.json"); }

// small_smollm with <|im_start|> and <|im_end|>, which is the EOS.
inline Tokenizer chat_tokenizer() {
    const nlohmann::json added = chat_golden()["added_tokens"];
    TokenizerFiles files = read_tokenizer_files("tests/golden/tokenizer/small_smollm");
    for (const auto& [content, id] : added.items())
        files.added.push_back({.id = id.get<int32_t>(), .content = content, .special = true});
    files.eos = added["<|im_end|>"].get<int32_t>();
    return Tokenizer(files);
}
