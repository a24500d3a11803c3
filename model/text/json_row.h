// A line of a .jsonl file as JSON.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>

// What parse_json (model/io/json.h) makes of it, complaints included. Rows of data are nearly
// always an object of strings; those are read here, several times as fast.
nlohmann::json parse_json_row(std::string_view text, const std::string& source);
