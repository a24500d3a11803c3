// What the tokenizers ask of Unicode: classes of characters, word characters, NFC.
//
// Text is bytes that should be UTF-8 and may not be: a byte that belongs to no valid sequence is a
// character of its own, of class `other`, and passes through normalisation unchanged, so that every
// input survives encoding and decoding.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

enum class CharClass : uint8_t {
    letter,   // \p{L}
    number,   // \p{N}
    space,    // \s, except:
    newline,  // \r and \n
    other,
};

struct Char {
    CharClass char_class = CharClass::other;
    uint8_t length_bytes = 1;

    bool is_space() const {
        return char_class == CharClass::space || char_class == CharClass::newline;
    }
};

extern const std::array<CharClass, 128> kAsciiClass;

Char non_ascii_char_at(std::string_view text, size_t position);

// The character that starts at `position` < text.size().
inline Char char_at(std::string_view text, size_t position) {
    const auto byte = static_cast<uint8_t>(text[position]);
    return byte < 0x80 ? Char{kAsciiClass[byte], 1} : non_ascii_char_at(text, position);
}

bool is_valid_utf8(std::string_view text);

// Where the last character of a non-empty text starts.
size_t last_char(std::string_view text);

// \w: letters, marks, decimal digits, letter numbers, connectors, joiners, other alphabetic.
bool starts_with_word_char(std::string_view text);
bool ends_with_word_char(std::string_view text);

// Bytes of white space at the start and at the end of the text.
size_t leading_space_bytes(std::string_view text);
size_t trailing_space_bytes(std::string_view text);

// Normal form C.
std::string normalize_nfc(std::string_view text);
