#include "model/text/unicode.h"

#include <utf8proc.h>

#include <algorithm>
#include <cstdlib>
#include <memory>

#include "kernels/core/check.h"

namespace {

struct Range {
    int first = 0, last = 0;
};

// Assigned by Unicode 15.1 and 16.0, after the tables of utf8proc 2.8 (Unicode 15.0).
constexpr Range kNewLetters[] = {
    {0x1C89, 0x1C8A},   {0xA7CB, 0xA7CD},   {0xA7DA, 0xA7DC},   {0x105C0, 0x105F3},
    {0x10D4A, 0x10D65}, {0x10D6F, 0x10D85}, {0x10EC2, 0x10EC4}, {0x11380, 0x11389},
    {0x1138B, 0x1138B}, {0x1138E, 0x1138E}, {0x11390, 0x113B5}, {0x113B7, 0x113B7},
    {0x113D1, 0x113D1}, {0x113D3, 0x113D3}, {0x11BC0, 0x11BE0}, {0x13460, 0x143FA},
    {0x16100, 0x1611D}, {0x16D40, 0x16D6C}, {0x18CFF, 0x18CFF}, {0x1E5D0, 0x1E5ED},
    {0x1E5F0, 0x1E5F0}, {0x2EBF0, 0x2EE5D}};
constexpr Range kNewNumbers[] = {{0x10D40, 0x10D49}, {0x116D0, 0x116E3}, {0x11BF0, 0x11BF9},
                                 {0x16130, 0x16139}, {0x16D70, 0x16D79}, {0x1CCF0, 0x1CCF9},
                                 {0x1E5F1, 0x1E5FA}};

// Circled and squared letters: alphabetic, though their category is "other symbol".
constexpr Range kAlphabeticSymbols[] = {
    {0x24B6, 0x24E9}, {0x1F130, 0x1F149}, {0x1F150, 0x1F169}, {0x1F170, 0x1F189}};

template <size_t N>
bool any_contains(const Range (&ranges)[N], int code_point) {
    return std::any_of(ranges, ranges + N, [&](const Range& range) {
        return range.first <= code_point && code_point <= range.last;
    });
}

struct Decoded {
    int code_point = -1;  // -1: not valid UTF-8
    int length_bytes = 1;
};

Decoded decode(std::string_view text, size_t position) {
    const auto* bytes = reinterpret_cast<const utf8proc_uint8_t*>(text.data() + position);
    const auto available =
        static_cast<utf8proc_ssize_t>(std::min<size_t>(4, text.size() - position));
    utf8proc_int32_t code_point = -1;
    const auto length = utf8proc_iterate(bytes, available, &code_point);
    if (length <= 0) return {};
    return {code_point, static_cast<int>(length)};
}

CharClass class_of(int code_point) {
    switch (utf8proc_category(code_point)) {
        case UTF8PROC_CATEGORY_LU:
        case UTF8PROC_CATEGORY_LL:
        case UTF8PROC_CATEGORY_LT:
        case UTF8PROC_CATEGORY_LM:
        case UTF8PROC_CATEGORY_LO:
            return CharClass::letter;
        case UTF8PROC_CATEGORY_ND:
        case UTF8PROC_CATEGORY_NL:
        case UTF8PROC_CATEGORY_NO:
            return CharClass::number;
        case UTF8PROC_CATEGORY_ZS:
        case UTF8PROC_CATEGORY_ZL:
        case UTF8PROC_CATEGORY_ZP:
            return CharClass::space;
        case UTF8PROC_CATEGORY_CC:  // next line: the only white space among these beyond ASCII
            return code_point == 0x85 ? CharClass::space : CharClass::other;
        case UTF8PROC_CATEGORY_CN:
            if (any_contains(kNewLetters, code_point)) return CharClass::letter;
            if (any_contains(kNewNumbers, code_point)) return CharClass::number;
            return CharClass::other;
        default:
            return CharClass::other;
    }
}

constexpr std::array<CharClass, 128> make_ascii_classes() {
    std::array<CharClass, 128> classes{};
    for (int c = 0; c < 128; ++c) {
        const bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
        classes[c] = letter                              ? CharClass::letter
                     : (c >= '0' && c <= '9')            ? CharClass::number
                     : (c == '\r' || c == '\n')          ? CharClass::newline
                     : (c == ' ' || (c >= 9 && c <= 12)) ? CharClass::space
                                                         : CharClass::other;
    }
    return classes;
}

bool is_word_char(int code_point) {
    constexpr int kNonJoiner = 0x200C, kJoiner = 0x200D;
    if (code_point < 0) return false;
    switch (utf8proc_category(code_point)) {
        case UTF8PROC_CATEGORY_MN:
        case UTF8PROC_CATEGORY_MC:
        case UTF8PROC_CATEGORY_ME:
        case UTF8PROC_CATEGORY_ND:
        case UTF8PROC_CATEGORY_NL:
        case UTF8PROC_CATEGORY_PC:
            return true;
        case UTF8PROC_CATEGORY_SO:
            return any_contains(kAlphabeticSymbols, code_point);
        default:
            return class_of(code_point) == CharClass::letter || code_point == kNonJoiner ||
                   code_point == kJoiner;
    }
}

// Appends valid UTF-8 in normal form C.
void append_nfc(std::string_view valid, std::string& out) {
    if (valid.empty()) return;
    utf8proc_uint8_t* mapped = nullptr;
    const auto length =
        utf8proc_map(reinterpret_cast<const utf8proc_uint8_t*>(valid.data()),
                     static_cast<utf8proc_ssize_t>(valid.size()), &mapped,
                     static_cast<utf8proc_option_t>(UTF8PROC_STABLE | UTF8PROC_COMPOSE));
    const std::unique_ptr<utf8proc_uint8_t, decltype(&std::free)> owner(mapped, std::free);
    ENSURE(length >= 0, "normalising {} bytes of text: {}", valid.size(), utf8proc_errmsg(length));
    out.append(reinterpret_cast<const char*>(mapped), static_cast<size_t>(length));
}

}  // namespace

const std::array<CharClass, 128> kAsciiClass = make_ascii_classes();

Char non_ascii_char_at(std::string_view text, size_t position) {
    const Decoded decoded = decode(text, position);
    if (decoded.code_point < 0) return {};
    return {class_of(decoded.code_point), static_cast<uint8_t>(decoded.length_bytes)};
}

bool is_valid_utf8(std::string_view text) {
    for (size_t i = 0; i < text.size();) {
        const auto byte = static_cast<uint8_t>(text[i]);
        const Char next = char_at(text, i);
        if (byte >= 0x80 && next.length_bytes == 1) return false;
        i += next.length_bytes;
    }
    return true;
}

size_t last_char(std::string_view text) {
    constexpr size_t kLongest = 4;
    for (size_t length = 1; length <= std::min(kLongest, text.size()); ++length) {
        const size_t start = text.size() - length;
        const Decoded decoded = decode(text, start);
        if (decoded.code_point >= 0 && static_cast<size_t>(decoded.length_bytes) == length)
            return start;
    }
    return text.size() - 1;
}

bool starts_with_word_char(std::string_view text) {
    return !text.empty() && is_word_char(decode(text, 0).code_point);
}

bool ends_with_word_char(std::string_view text) {
    return !text.empty() && is_word_char(decode(text, last_char(text)).code_point);
}

size_t leading_space_bytes(std::string_view text) {
    size_t end = 0;
    while (end < text.size()) {
        const Char next = char_at(text, end);
        if (!next.is_space()) break;
        end += next.length_bytes;
    }
    return end;
}

size_t trailing_space_bytes(std::string_view text) {
    size_t begin = text.size();
    while (begin > 0) {
        const size_t last = last_char(text.substr(0, begin));
        if (!char_at(text.substr(0, begin), last).is_space()) break;
        begin = last;
    }
    return text.size() - begin;
}

// Nothing below U+0300 changes or composes with what stands before it, so only stretches that hold
// something above are given to utf8proc, each with the one character before it.
std::string normalize_nfc(std::string_view text) {
    constexpr int kFirstCombining = 0x300;
    std::string out;
    out.reserve(text.size());
    size_t done = 0;     // text before this is in `out`
    size_t pending = 0;  // start of the last character seen, or of the stretch it belongs to
    bool in_stretch = false;
    for (size_t i = 0; i < text.size();) {
        const auto byte = static_cast<uint8_t>(text[i]);
        const Decoded decoded = byte < 0x80 ? Decoded{byte, 1} : decode(text, i);
        if (decoded.code_point >= kFirstCombining) {
            in_stretch = true;
        } else {
            if (in_stretch) {
                out.append(text, done, pending - done);
                append_nfc(text.substr(pending, i - pending), out);
                done = i;
                in_stretch = false;
            }
            pending = i + (decoded.code_point < 0);  // an invalid byte belongs to no stretch
        }
        i += static_cast<size_t>(decoded.length_bytes);
    }
    if (!in_stretch) pending = text.size();
    out.append(text, done, pending - done);
    append_nfc(text.substr(pending), out);
    return out;
}
