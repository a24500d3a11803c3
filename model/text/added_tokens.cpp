#include "model/text/added_tokens.h"

#include <algorithm>

#include "model/text/unicode.h"

namespace {

bool touches_a_word(std::string_view text, size_t begin, size_t end) {
    return ends_with_word_char(text.substr(0, begin)) || starts_with_word_char(text.substr(end));
}

}  // namespace

AddedTokenMatcher::AddedTokenMatcher(std::vector<AddedToken> tokens) : tokens_(std::move(tokens)) {
    std::erase_if(tokens_, [](const AddedToken& token) { return token.content.empty(); });
    std::sort(tokens_.begin(), tokens_.end(),
              [](const AddedToken& a, const AddedToken& b) { return a.content < b.content; });
    for (const AddedToken& token : tokens_)
        starts_a_token_[static_cast<uint8_t>(token.content[0])] = true;
}

// Narrows the range of tokens that agree with the text, one byte at a time.
const AddedToken* AddedTokenMatcher::longest_at(std::string_view text, size_t position) const {
    const AddedToken* longest = nullptr;
    auto first = tokens_.begin(), last = tokens_.end();
    for (size_t depth = 0; first != last && position + depth < text.size(); ++depth) {
        const auto byte = static_cast<uint8_t>(text[position + depth]);
        const auto byte_of = [depth](const AddedToken& token) {
            return token.content.size() > depth ? static_cast<uint8_t>(token.content[depth]) : -1;
        };
        first = std::partition_point(first, last, [&](const auto& t) { return byte_of(t) < byte; });
        last = std::partition_point(first, last, [&](const auto& t) { return byte_of(t) == byte; });
        if (first != last && first->content.size() == depth + 1) longest = &*first;
    }
    return longest;
}

std::vector<AddedTokenMatcher::Segment> AddedTokenMatcher::split(std::string_view text) const {
    std::vector<Segment> segments;
    size_t done = 0;  // the segments cover the text up to here
    for (size_t i = 0; i < text.size() && !tokens_.empty();) {
        const bool possible = starts_a_token_[static_cast<uint8_t>(text[i])];
        const AddedToken* token = possible ? longest_at(text, i) : nullptr;
        if (token == nullptr) {
            ++i;
            continue;
        }
        size_t begin = i, end = i + token->content.size();
        i = end;
        if (token->single_word && touches_a_word(text, begin, end)) continue;
        if (token->lstrip) begin -= trailing_space_bytes(text.substr(done, begin - done));
        if (token->rstrip) end += leading_space_bytes(text.substr(end));
        if (begin > done) segments.push_back({text.substr(done, begin - done)});
        segments.push_back({text.substr(begin, end - begin), token->id});
        i = done = end;
    }
    if (done < text.size()) segments.push_back({text.substr(done)});
    return segments;
}
