// The vocabulary and the merges of a tokenizer, checked.
#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "model/text/bpe.h"

using TokenIds = std::unordered_map<std::string, int32_t>;

// Ids are indices of tables, so an absurd one would cost memory; real vocabularies stay below 2^18.
constexpr int64_t kMaxTokenId = (int64_t{1} << 22) - 1;

int32_t checked_token_id(const nlohmann::json& value, const std::string& token,
                         const std::string& source);

// From a JSON object of token to id: not empty, ids in bounds and all different.
TokenIds read_token_ids(const nlohmann::json& vocabulary, const std::string& source);

// From a JSON list of "left right" or ["left", "right"].
std::vector<Merge> read_merges(const nlohmann::json& list, const TokenIds& ids,
                               const std::string& source);

// From lines "left right", after an optional first line "#version...".
std::vector<Merge> parse_merges(std::string_view text, const TokenIds& ids,
                                const std::string& source);
