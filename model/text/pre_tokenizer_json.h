// The published pre-tokenizers in the JSON of a tokenizer.json.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

#include "model/text/pre_tokenizer.h"

// ByteLevel, alone or last in a Sequence after Digits, after Split with a known pattern, or after
// both. Anything else is an InputError that says what was found.
PreTokenizer read_pre_tokenizer(const nlohmann::json& description, const std::string& source);

// The reverse.
nlohmann::ordered_json pre_tokenizer_json(const PreTokenizer& cut);
nlohmann::ordered_json byte_level_json(bool use_regex);
