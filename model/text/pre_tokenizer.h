// Cuts text into the pieces that byte-pair merges never cross.
//
// Byte-level tokenizers publish their cut as a regular expression with look-ahead. There are few of
// them, so each is written out by hand here; a piece is the leftmost match of
//
//   gpt2    's|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+
//   llama3  (?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,n}
//           | ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+         n = 3; Qwen2 and 3: n = 1
//
// alternatives in that order. Both cover every text, so the pieces joined are the text again. Some
// tokenizers (SmolLM) first isolate digits: then the pattern sees only what lies between them, and
// its look-ahead ends there.
#pragma once

#include <cstddef>
#include <string_view>
#include <vector>

struct PreTokenizer {
    enum class Pattern {
        none,  // the whole text is one piece
        gpt2,
        llama3,
    };
    enum class Digits {
        in_pattern,  // no step of their own
        grouped,     // each run of \p{N} is a piece
        individual,  // each \p{N} is a piece
    };

    Pattern pattern = Pattern::gpt2;
    Digits digits = Digits::in_pattern;
    int max_number_chars = 3;  // n of llama3

    // Calls visit(std::string_view) for each piece in order. No piece is empty.
    template <class Visit>
    void for_each_piece(std::string_view text, Visit&& visit) const {
        for (size_t begin = 0; begin < text.size();) {
            const size_t limit = segment_end(text, begin);
            const std::string_view segment = text.substr(0, limit);
            while (begin < limit) {
                const size_t end = piece_end(segment, begin);
                visit(text.substr(begin, end - begin));
                begin = end;
            }
        }
    }

    std::vector<std::string_view> split(std::string_view text) const;

private:
    // The end of the digit, or of the stretch without digits, that starts at `begin`.
    size_t segment_end(std::string_view text, size_t begin) const;
    size_t piece_end(std::string_view segment, size_t begin) const;
};
