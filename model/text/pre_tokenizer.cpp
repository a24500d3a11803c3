#include "model/text/pre_tokenizer.h"

#include "model/text/unicode.h"

namespace {

// The end of the run of characters of one class that starts at `position`.
size_t run_end(std::string_view text, size_t position, CharClass char_class) {
    while (position < text.size()) {
        const Char next = char_at(text, position);
        if (next.char_class != char_class) break;
        position += next.length_bytes;
    }
    return position;
}

// 's 't 're 've 'm 'll 'd at an apostrophe: bytes matched, or 0. Without case, the long s (U+017F)
// is an s too: it folds to one.
size_t contraction_bytes(std::string_view text, size_t position, bool ignore_case) {
    const std::string_view rest = text.substr(position + 1);
    const auto letter = [&](size_t i) -> char {
        if (i >= rest.size()) return '\0';
        const char c = rest[i];
        return ignore_case && c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    };
    const char first = letter(0), second = letter(1);
    if (first == 's' || first == 't' || first == 'm' || first == 'd') return 2;
    if ((first == 'r' && second == 'e') || (first == 'v' && second == 'e')) return 3;
    if (first == 'l' && second == 'l') return 3;
    if (ignore_case && rest.starts_with("\u017F")) return 3;
    return 0;
}

struct SpaceRun {
    size_t end = 0;            // of the run
    size_t last = 0;           // where its last character starts
    size_t after_newline = 0;  // behind its last \r or \n; 0: there is none
};

SpaceRun space_run(std::string_view text, size_t position) {
    SpaceRun run;
    while (position < text.size()) {
        const Char next = char_at(text, position);
        if (!next.is_space()) break;
        run.last = position;
        position += next.length_bytes;
        if (next.char_class == CharClass::newline) run.after_newline = position;
    }
    run.end = position;
    return run;
}

// \s+(?!\S)|\s+ : the last space of several goes with the word that follows.
size_t spaces_end(std::string_view text, size_t begin, const SpaceRun& run) {
    const bool a_word_follows = run.end < text.size();
    return a_word_follows && run.last > begin ? run.last : run.end;
}

size_t gpt2_piece_end(std::string_view text, size_t begin) {
    if (text[begin] == '\'') {
        const size_t bytes = contraction_bytes(text, begin, /*ignore_case=*/false);
        if (bytes > 0) return begin + bytes;
    }
    const bool leading_space = text[begin] == ' ' && begin + 1 < text.size();
    const size_t start = begin + leading_space;
    const Char first = char_at(text, start);
    if (!first.is_space()) return run_end(text, start + first.length_bytes, first.char_class);
    return spaces_end(text, begin, space_run(text, begin));
}

size_t llama3_number_end(std::string_view text, size_t position, int max_chars) {
    for (int i = 0; i < max_chars && position < text.size(); ++i) {
        const Char next = char_at(text, position);
        if (next.char_class != CharClass::number) break;
        position += next.length_bytes;
    }
    return position;
}

size_t llama3_piece_end(std::string_view text, size_t begin, int max_number_chars) {
    if (text[begin] == '\'') {
        const size_t bytes = contraction_bytes(text, begin, /*ignore_case=*/true);
        if (bytes > 0) return begin + bytes;
    }
    const Char first = char_at(text, begin);
    const size_t second = begin + first.length_bytes;
    if (first.char_class == CharClass::letter) return run_end(text, second, CharClass::letter);
    if (first.char_class == CharClass::number)
        return llama3_number_end(text, begin, max_number_chars);

    const Char next = second < text.size() ? char_at(text, second) : Char{CharClass::space, 0};
    if (first.char_class != CharClass::newline && next.char_class == CharClass::letter)
        return run_end(text, second + next.length_bytes, CharClass::letter);

    const bool space_before_other = text[begin] == ' ' && next.char_class == CharClass::other;
    if (first.char_class == CharClass::other || space_before_other)
        return run_end(text, run_end(text, second, CharClass::other), CharClass::newline);

    const SpaceRun run = space_run(text, begin);
    return run.after_newline > 0 ? run.after_newline : spaces_end(text, begin, run);
}

}  // namespace

std::vector<std::string_view> PreTokenizer::split(std::string_view text) const {
    std::vector<std::string_view> pieces;
    for_each_piece(text, [&](std::string_view piece) { pieces.push_back(piece); });
    return pieces;
}

size_t PreTokenizer::segment_end(std::string_view text, size_t begin) const {
    if (digits == Digits::in_pattern) return text.size();
    size_t end = begin;
    while (end < text.size()) {
        const Char next = char_at(text, end);
        if (next.char_class == CharClass::number) {
            if (end > begin) break;
            return digits == Digits::individual ? end + next.length_bytes
                                                : run_end(text, end, CharClass::number);
        }
        end += next.length_bytes;
    }
    return end;
}

size_t PreTokenizer::piece_end(std::string_view segment, size_t begin) const {
    switch (pattern) {
        case Pattern::gpt2:
            return gpt2_piece_end(segment, begin);
        case Pattern::llama3:
            return llama3_piece_end(segment, begin, max_number_chars);
        case Pattern::none:
            break;
    }
    return segment.size();
}
