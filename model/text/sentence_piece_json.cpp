#include "model/text/sentence_piece_json.h"

#include <nlohmann/json.hpp>

#include "kernels/core/check.h"
#include "model/io/json.h"

namespace {

using nlohmann::json;
using nlohmann::ordered_json;
using Prefix = SentencePiece::Prefix;

const std::string kMark(kSpaceMark);

ordered_json replace_json(const std::string& from, const std::string& to) {
    return {{"type", "Replace"}, {"pattern", {{"String", from}}}, {"content", to}};
}

ordered_json strip_json() {
    return {{"type", "Strip"}, {"content", " "}, {"start", 1}, {"stop", 0}};
}

const json& member(const json& document, const char* key) {
    static const json null;
    const auto found = document.find(key);
    return found == document.end() ? null : *found;
}

// The steps of a Sequence, else the one step there is; none for null.
json steps_of(const json& description, const char* list) {
    if (description.is_null()) return json::array();
    const json& steps = member(description, list);
    const bool is_sequence = description.is_object() && member(description, "type") == "Sequence";
    return is_sequence && steps.is_array() ? steps : json::array({description});
}

void read_normalizer(const json& steps, const std::string& source, SentencePiece& rule) {
    const json prepend = {{"type", "Prepend"}, {"prepend", kMark}};
    const json replace = json(replace_json(" ", kMark));
    const bool prepends = steps == json::array({prepend, replace});
    ENSURE_INPUT(
        prepends || steps == json::array({replace}), source,
        "found {}, expected Prepend of U+2581 and Replace of \" \" by it, or Replace alone",
        excerpt(steps));
    rule.in_normalizer = true;
    rule.prefix = prepends ? Prefix::all : Prefix::none;
}

void read_metaspace(const json& description, const std::string& source, SentencePiece& rule) {
    const JsonObject fields(description, source);
    const std::string type = fields.string("type");
    ENSURE_INPUT(type == "Metaspace", source, "found \"{}\", expected \"Metaspace\" or none", type);
    const std::string mark = fields.string_or("replacement", kMark);
    ENSURE_INPUT(mark == kMark, source, "replacement: found \"{}\", expected U+2581", mark);
    const std::string scheme = fields.string_or("prepend_scheme", "always");
    ENSURE_INPUT(scheme == "always" || scheme == "first" || scheme == "never", source,
                 "prepend_scheme: found \"{}\", expected always, first or never", scheme);
    ENSURE_INPUT(scheme == "never" || fields.boolean_or("add_prefix_space", true), source,
                 "add_prefix_space: found false beside prepend_scheme \"{}\"", scheme);
    rule.in_normalizer = false;
    rule.splits_words = fields.boolean_or("split", true);
    rule.prefix = scheme == "always"  ? Prefix::all_without
                  : scheme == "first" ? Prefix::first_if_without
                                      : Prefix::none;
}

void read_decoder(const json& steps, const std::string& source, SentencePiece& rule) {
    json expected = json::array(
        {json(replace_json(kMark, " ")), {{"type", "ByteFallback"}}, {{"type", "Fuse"}}});
    const bool keeps_space = steps == expected;
    expected.push_back(json(strip_json()));
    rule.strips_space = steps == expected;
    ENSURE_INPUT(keeps_space || rule.strips_space, source,
                 "found {}, expected Replace of U+2581 by \" \", ByteFallback, Fuse and perhaps "
                 "Strip of one \" \" at the start",
                 excerpt(steps));
}

}  // namespace

SentencePiece read_sentence_piece(const json& document, const std::string& source) {
    SentencePiece rule;
    const json normalizer = steps_of(member(document, "normalizer"), "normalizers");
    const json& pre_tokenizer = member(document, "pre_tokenizer");
    ENSURE_INPUT(normalizer.empty() || pre_tokenizer.is_null(), source + ": pre_tokenizer",
                 "found {} beside a normalizer, expected only one of them with byte_fallback",
                 excerpt(pre_tokenizer));
    if (pre_tokenizer.is_null()) {
        read_normalizer(normalizer, source + ": normalizer", rule);
    } else {
        read_metaspace(pre_tokenizer, source + ": pre_tokenizer", rule);
    }
    read_decoder(steps_of(member(document, "decoder"), "decoders"), source + ": decoder", rule);
    return rule;
}

void write_sentence_piece(const SentencePiece& rule, ordered_json& document) {
    ordered_json steps = ordered_json::array();
    if (rule.prefix == Prefix::all) steps.push_back({{"type", "Prepend"}, {"prepend", kMark}});
    steps.push_back(replace_json(" ", kMark));
    document["normalizer"] = {{"type", "Sequence"}, {"normalizers", std::move(steps)}};
    document["pre_tokenizer"] = nullptr;
    if (!rule.in_normalizer) {
        document["normalizer"] = nullptr;
        document["pre_tokenizer"] = {
            {"type", "Metaspace"},
            {"replacement", kMark},
            {"prepend_scheme", rule.prefix == Prefix::all_without        ? "always"
                               : rule.prefix == Prefix::first_if_without ? "first"
                                                                         : "never"},
            {"split", rule.splits_words}};
    }
    ordered_json decoders = ordered_json::array(
        {replace_json(kMark, " "), {{"type", "ByteFallback"}}, {{"type", "Fuse"}}});
    if (rule.strips_space) decoders.push_back(strip_json());
    document["decoder"] = {{"type", "Sequence"}, {"decoders", std::move(decoders)}};
}
