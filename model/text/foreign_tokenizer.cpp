#include "model/text/foreign_tokenizer.h"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "kernels/core/check.h"
#include "model/text/tokenizer.h"
#include "model/text/tokenizer_writer.h"
#include "model/text/vocabulary.h"

namespace {

using Role = ForeignTokenizer::Role;

// A pre-tokenizer that GGUF names, as the tokenizer.json of the model it is named after has it.
struct NamedCut {
    const char* name;
    PreTokenizer cut;
    bool normalize_nfc = false;
    bool ignore_merges = false;
};

using Pattern = PreTokenizer::Pattern;
constexpr PreTokenizer kGpt2 = {.pattern = Pattern::gpt2};
constexpr PreTokenizer kGpt2Digits = {.pattern = Pattern::gpt2,
                                      .digits = PreTokenizer::Digits::individual};
constexpr PreTokenizer kLlama3 = {.pattern = Pattern::llama3, .max_number_chars = 3};
constexpr PreTokenizer kQwen2 = {.pattern = Pattern::llama3, .max_number_chars = 1};
constexpr NamedCut kNamedCuts[] = {
    {.name = "gpt-2", .cut = kGpt2},
    {.name = "phi-2", .cut = kGpt2},
    {.name = "smollm", .cut = kGpt2Digits},
    {.name = "starcoder", .cut = kGpt2Digits},
    {.name = "refact", .cut = kGpt2Digits},
    {.name = "llama-bpe", .cut = kLlama3, .ignore_merges = true},
    {.name = "llama3", .cut = kLlama3, .ignore_merges = true},
    {.name = "llama-v3", .cut = kLlama3, .ignore_merges = true},
    {.name = "qwen2", .cut = kQwen2, .normalize_nfc = true},
    {.name = "deepseek-r1-qwen", .cut = kQwen2, .normalize_nfc = true},
};

const NamedCut& cut_of(const ForeignTokenizer& foreign) {
    std::string names;
    for (const NamedCut& known : kNamedCuts) {
        if (foreign.pre_tokenizer == known.name) return known;
        names += (names.empty() ? "" : ", ") + std::string(known.name);
    }
    ENSURE_INPUT(false, foreign.source, "pre-tokenizer: found \"{}\", expected one of {}",
                 foreign.pre_tokenizer, names);
}

void check_sizes(const ForeignTokenizer& foreign) {
    const size_t size = foreign.tokens.size();
    ENSURE_INPUT(size > 0 && size <= kMaxTokenId + 1, foreign.source,
                 "found {} tokens, expected 1 to {}", size, kMaxTokenId + 1);
    ENSURE_INPUT(foreign.roles.empty() || foreign.roles.size() == size, foreign.source,
                 "found {} roles of tokens, expected {}, one a token", foreign.roles.size(), size);
    for (size_t id = 0; id < foreign.roles.size(); ++id) {
        const auto role = static_cast<int32_t>(foreign.roles[id]);
        ENSURE_INPUT(role >= 1 && role <= 6, foreign.source,
                     "token {}: found role {}, expected 1 to 6", id, role);
    }
    const std::pair<const char*, std::optional<int32_t>> named[] = {{"BOS", foreign.bos},
                                                                    {"EOS", foreign.eos},
                                                                    {"pad", foreign.pad},
                                                                    {"unknown", foreign.unknown}};
    for (const auto& [name, id] : named)
        ENSURE_INPUT(!id || (*id >= 0 && static_cast<size_t>(*id) < size), foreign.source,
                     "{}: found token {}, expected one of {}", name, *id, size);
    ENSURE_INPUT(foreign.bos || !foreign.adds_bos, foreign.source,
                 "BOS goes before every text, but no token is named as BOS");
    ENSURE_INPUT(foreign.eos || !foreign.adds_eos, foreign.source,
                 "EOS goes behind every text, but no token is named as EOS");
}

Role role_of(const ForeignTokenizer& foreign, size_t id) {
    return foreign.roles.empty() ? Role::normal : foreign.roles[id];
}

TokenIds ids_of(const ForeignTokenizer& foreign) {
    TokenIds ids;
    ids.reserve(foreign.tokens.size());
    for (size_t id = 0; id < foreign.tokens.size(); ++id) {
        ENSURE_INPUT(!foreign.tokens[id].empty(), foreign.source, "token {} is empty", id);
        const auto [known, is_new] = ids.emplace(foreign.tokens[id], static_cast<int32_t>(id));
        ENSURE_INPUT(is_new, foreign.source, "tokens {} and {} are both \"{}\"", known->second, id,
                     known->first);
    }
    return ids;
}

std::vector<AddedToken> added_tokens(const ForeignTokenizer& foreign) {
    std::vector<AddedToken> added;
    for (size_t id = 0; id < foreign.tokens.size(); ++id) {
        const Role role = role_of(foreign, id);
        const auto number = static_cast<int32_t>(id);
        const bool special = role == Role::control || role == Role::unknown ||
                             foreign.bos == number || foreign.eos == number;
        if (!special && role != Role::user_defined) continue;
        added.push_back({.id = number, .content = foreign.tokens[id], .special = special});
    }
    return added;
}

// A way to make a token of two others.
struct Split {
    float score = 0.0f;  // of the token made
    int32_t left_chars = 0, right_chars = 0;
    Merge merge;
};

// All splits of one token into two.
void append_splits(const ForeignTokenizer& foreign, size_t id, const TokenIds& ids,
                   std::vector<Split>& splits) {
    constexpr size_t kLongestBytes = 1024;  // finding the splits takes quadratic time
    const std::string& token = foreign.tokens[id];
    ENSURE_INPUT(token.size() <= kLongestBytes, foreign.source,
                 "token {}: found {} bytes, expected {} at most", id, token.size(), kLongestBytes);
    const auto starts_character = [](char c) { return (static_cast<uint8_t>(c) & 0xC0) != 0x80; };
    const auto chars =
        static_cast<int32_t>(std::count_if(token.begin(), token.end(), starts_character));
    int32_t left_chars = 0;
    for (size_t cut = 1; cut < token.size(); ++cut) {
        if (!starts_character(token[cut])) continue;
        ++left_chars;
        const auto left = ids.find(token.substr(0, cut));
        if (left == ids.end()) continue;
        const auto right = ids.find(token.substr(cut));
        if (right == ids.end()) continue;
        splits.push_back({.score = foreign.scores[id],
                          .left_chars = left_chars,
                          .right_chars = chars - left_chars,
                          .merge = {left->second, right->second, static_cast<int32_t>(id)}});
    }
}

// SentencePiece joins the pair that makes the token of the highest score, so every split of a token
// is a merge of that score's rank. Of equal scores transformers takes the longest left token first,
// then the longest right one, then the lower id.
std::vector<Merge> merges_of_scores(const ForeignTokenizer& foreign, const TokenIds& ids) {
    const size_t size = foreign.tokens.size();
    ENSURE_INPUT(foreign.scores.size() == size, foreign.source,
                 "found {} scores of tokens, expected {}, one a token", foreign.scores.size(),
                 size);
    std::vector<Split> splits;
    for (size_t id = 0; id < size; ++id) {
        ENSURE_INPUT(std::isfinite(foreign.scores[id]), foreign.source,
                     "token {}: found score {}, expected a finite number", id, foreign.scores[id]);
        append_splits(foreign, id, ids, splits);
    }
    std::stable_sort(splits.begin(), splits.end(), [](const Split& a, const Split& b) {
        return std::tie(a.score, a.left_chars, a.right_chars) >
               std::tie(b.score, b.left_chars, b.right_chars);
    });
    std::vector<Merge> merges;
    for (const Split& split : splits) merges.push_back(split.merge);
    return merges;
}

}  // namespace

void write_tokenizer(const ForeignTokenizer& foreign, const std::filesystem::path& folder) {
    check_sizes(foreign);
    TokenizerFiles files;
    files.source = foreign.source;
    files.ids = ids_of(foreign);
    files.added = added_tokens(foreign);
    if (foreign.kind == ForeignTokenizer::Kind::byte_level) {
        const NamedCut& known = cut_of(foreign);
        files.pre_tokenizer = known.cut;
        files.normalize_nfc = known.normalize_nfc;
        files.ignore_merges = known.ignore_merges;
        files.merges = read_merges(foreign.merges, files.ids, foreign.source);
    } else {
        const bool prefix = foreign.adds_space_prefix;
        files.sentence_piece = {
            .prefix = prefix ? SentencePiece::Prefix::all : SentencePiece::Prefix::none,
            .strips_space = prefix};
        files.merges = merges_of_scores(foreign, files.ids);
    }
    const auto unless_normal = [&](std::optional<int32_t> id) {
        return id && role_of(foreign, static_cast<size_t>(*id)) != Role::normal ? id : std::nullopt;
    };
    files.bos = foreign.bos;
    files.eos = foreign.eos;
    files.pad = unless_normal(foreign.pad);
    files.unknown = unless_normal(foreign.unknown);
    if (foreign.adds_bos) files.prefix = {*foreign.bos};
    if (foreign.adds_eos) files.suffix = {*foreign.eos};
    const Tokenizer readable(files);  // complains where reading the folder would
    write_tokenizer_files(files, folder, foreign.chat_template);
}
