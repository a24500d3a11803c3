#include "model/text/cut_places.h"

#include <algorithm>

#include "model/text/unicode.h"

CutPlaces::CutPlaces(const TokenizerFiles& files, bool words_are_safe,
                     const std::vector<AddedToken>& added) {
    const bool has_pattern =
        !files.sentence_piece && files.pre_tokenizer.pattern != PreTokenizer::Pattern::none;
    const bool splits_words = files.sentence_piece && files.sentence_piece->splits_words;
    const bool one_piece = !has_pattern && !splits_words;
    // A text that is a token as a whole is not looked up in parts.
    before_spaces_ = !one_piece || (words_are_safe && !files.ignore_merges);
    behind_lines_ = has_pattern;
    marks_are_spaces_ = files.sentence_piece.has_value();
    for (const AddedToken& token : added) {
        keep_clear_of(token);
        // Found in the normalised text, whose bytes are not the ones seen here.
        if (token.normalized && files.normalize_nfc) {
            ascii_only_ = true;
            behind_lines_ = false;
        }
    }
}

void CutPlaces::keep_clear_of(const AddedToken& token) {
    const std::string_view content = token.content;
    if (content.empty()) return;
    const auto byte = [&](size_t i) { return static_cast<uint8_t>(content[i]); };
    const auto is_blank = [&](size_t i) { return content[i] == ' ' || content[i] == '\n'; };
    // Behind a token, a space may be its own (rstrip) or begin a stretch (SentencePiece's prefix).
    no_space_after_[byte(content.size() - 1)] = true;
    for (size_t i = 1; i < content.size(); ++i) {
        if (content[i] == ' ') no_space_after_[byte(i - 1)] = true;
        if (content[i - 1] == '\n') no_line_start_[byte(i)] = true;
    }
    if (token.lstrip) no_line_start_[byte(0)] = true;
    if (!token.single_word) return;
    if (is_blank(0)) before_spaces_ = false;                  // it looks at x
    if (is_blank(content.size() - 1)) behind_lines_ = false;  // it looks at y
}

// What stands before `at`, in the text or in a part that a place began, is the same character.
bool CutPlaces::is_place(std::string_view text, size_t at) const {
    const auto class_before = [&](size_t end) {
        const std::string_view before = text.substr(0, end);
        const size_t last = last_char(before);
        const bool is_mark = marks_are_spaces_ && before.substr(last) == kSpaceMark;
        return is_mark ? Char{CharClass::space, 3} : char_at(before, last);
    };
    const auto byte = [&](size_t i) { return static_cast<uint8_t>(text[i]); };
    if (before_spaces_ && text[at] == ' ')
        return !no_space_after_[byte(at - 1)] && !(ascii_only_ && byte(at - 1) >= 0x80) &&
               !class_before(at).is_space();
    if (!behind_lines_ || text[at - 1] != '\n' || at < 2 || no_line_start_[byte(at)]) return false;
    const Char behind = char_at(text, at);
    const bool is_whole = byte(at) < 0x80 || behind.length_bytes > 1;  // the text may be cut short
    return is_whole && !behind.is_space() && !class_before(at - 1).is_space();
}

size_t CutPlaces::next(std::string_view text, size_t from) const {
    if (!before_spaces_ && !behind_lines_) return text.size();
    for (size_t at = std::max<size_t>(from, 1); at < text.size(); ++at)
        if ((text[at] == ' ' || text[at - 1] == '\n') && is_place(text, at)) return at;
    return text.size();
}
