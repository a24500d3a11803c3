#include "model/text/vocabulary.h"

#include <nlohmann/json.hpp>

#include "kernels/core/check.h"
#include "model/io/json.h"

namespace {

// Where a merge stands, spelt out only for complaints: there are hundreds of thousands.
struct Place {
    const std::string& source;
    const char* unit = "";  // "merge" or "line"
    int64_t number = 0;

    std::string name() const { return fmt::format("{}: {} {}", source, unit, number); }
};

int32_t id_of(const std::string& token, const TokenIds& ids, const Place& place,
              std::string_view role) {
    const auto found = ids.find(token);
    ENSURE_INPUT(found != ids.end(), place.name(), "{} token \"{}\" is not in the vocabulary", role,
                 token);
    return found->second;
}

Merge make_merge(const std::string& left, const std::string& right, const TokenIds& ids,
                 const Place& place) {
    ENSURE_INPUT(!left.empty() && !right.empty(), place.name(), "found an empty token");
    return {.left = id_of(left, ids, place, "left"),
            .right = id_of(right, ids, place, "right"),
            .merged = id_of(left + right, ids, place, "merged")};
}

// "left right": exactly one space, neither side empty.
Merge parse_merge(std::string_view line, const TokenIds& ids, const Place& place) {
    const size_t space = line.find(' ');
    const bool well_formed = space != std::string_view::npos && space > 0 &&
                             space + 1 < line.size() &&
                             line.find(' ', space + 1) == std::string_view::npos;
    ENSURE_INPUT(well_formed, place.name(),
                 "found \"{}\", expected two tokens with a space between", line.substr(0, 60));
    return make_merge(std::string(line.substr(0, space)), std::string(line.substr(space + 1)), ids,
                      place);
}

}  // namespace

int32_t checked_token_id(const nlohmann::json& value, const std::string& token,
                         const std::string& source) {
    const bool in_bounds = value.is_number_integer() && value.get<int64_t>() >= 0 &&
                           value.get<int64_t>() <= kMaxTokenId;
    ENSURE_INPUT(in_bounds, source, "token \"{}\": found id {}, expected an integer from 0 to {}",
                 token, excerpt(value), kMaxTokenId);
    return static_cast<int32_t>(value.get<int64_t>());
}

TokenIds read_token_ids(const nlohmann::json& vocabulary, const std::string& source) {
    ENSURE_INPUT(vocabulary.is_object() && !vocabulary.empty(), source,
                 "vocabulary: found {}, expected an object of token to id", excerpt(vocabulary));
    TokenIds ids;
    ids.reserve(vocabulary.size());
    std::vector<const std::string*> token_of_id;
    for (const auto& [token, value] : vocabulary.items()) {
        const int32_t id = checked_token_id(value, token, source);
        ENSURE_INPUT(!token.empty(), source, "id {} has an empty token", id);
        const auto [placed, is_new] = ids.emplace(token, id);
        ENSURE_INPUT(is_new, source, "token \"{}\" appears twice", token);
        if (token_of_id.size() <= static_cast<size_t>(id)) token_of_id.resize(id + 1, nullptr);
        ENSURE_INPUT(token_of_id[id] == nullptr, source, "tokens \"{}\" and \"{}\" share id {}",
                     *token_of_id[id], token, id);
        token_of_id[id] = &placed->first;
    }
    return ids;
}

std::vector<Merge> read_merges(const nlohmann::json& list, const TokenIds& ids,
                               const std::string& source) {
    ENSURE_INPUT(list.is_array(), source, "merges: found {}, expected a list", excerpt(list));
    std::vector<Merge> merges;
    merges.reserve(list.size());
    for (const auto& entry : list) {
        const Place where{source, "merge", static_cast<int64_t>(merges.size())};
        if (entry.is_string()) {
            merges.push_back(parse_merge(entry.get_ref<const std::string&>(), ids, where));
            continue;
        }
        const bool is_pair =
            entry.is_array() && entry.size() == 2 && entry[0].is_string() && entry[1].is_string();
        ENSURE_INPUT(is_pair, where.name(), "found {}, expected two tokens", excerpt(entry));
        merges.push_back(
            make_merge(entry[0].get<std::string>(), entry[1].get<std::string>(), ids, where));
    }
    return merges;
}

std::vector<Merge> parse_merges(std::string_view text, const TokenIds& ids,
                                const std::string& source) {
    std::vector<Merge> merges;
    int64_t line_number = 0;
    while (!text.empty()) {
        const size_t end = std::min(text.find('\n'), text.size());
        std::string_view line = text.substr(0, end);
        text.remove_prefix(std::min(end + 1, text.size()));
        ++line_number;
        if (line.ends_with('\r')) line.remove_suffix(1);
        if (line.empty() || (line_number == 1 && line.starts_with("#version"))) continue;
        merges.push_back(parse_merge(line, ids, {source, "line", line_number}));
    }
    return merges;
}
