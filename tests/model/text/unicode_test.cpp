#include "model/text/unicode.h"

#include "tests/support/doctest.h"

namespace {

CharClass class_of(std::string_view text) {
    const Char found = char_at(text, 0);
    CHECK(found.length_bytes == text.size());
    return found.char_class;
}

}  // namespace

TEST_CASE("char_at: letters, numbers and spaces of many scripts") {
    for (const char* text :
         {"a", "Z", "é", "ß", "ж", "你", "ª", "\U00010348", "\u1112", "\U0002EBF0"})
        CHECK_MESSAGE(class_of(text) == CharClass::letter, text);
    for (const char* text : {"0", "9", "٣", "½", "Ⅷ", "①", "\U0001D7D8", "\U0001CCF0"})
        CHECK_MESSAGE(class_of(text) == CharClass::number, text);
    for (const char* text : {" ", "\t", "\v", "\f", "\u0085", "\u00A0", "\u2028", "\u3000"})
        CHECK(class_of(text) == CharClass::space);
    for (const char* text : {"\r", "\n"}) CHECK(class_of(text) == CharClass::newline);
    for (const char* text : {"_", "\x1c", "\u0301", "\u200B", "\u200D", "😀", "\u180E", "\uFEFF"})
        CHECK_MESSAGE(class_of(text) == CharClass::other, text);
}

TEST_CASE("char_at: bytes that are not UTF-8 stand alone") {
    for (const char* text : {"\xFF", "\x80x", "\xC3", "\xE4\xBD", "\xC0\x80", "\xED\xA0\x80",
                             "\xF4\x90\x80\x80", "\xF0\x9F\x98"}) {
        const Char found = char_at(text, 0);
        CHECK(found.char_class == CharClass::other);
        CHECK(found.length_bytes == 1);
    }
}

TEST_CASE("word characters: letters, marks, digits, connectors, joiners") {
    for (const char* text : {"a", "5", "_", "é", "\u0301", "Ⅷ", "\u200D", "Ⓐ", "‿"}) {
        CHECK_MESSAGE(starts_with_word_char(text), text);
        CHECK_MESSAGE(ends_with_word_char(text), text);
    }
    for (const char* text : {"", " ", "-", "½", "😀", "\u200B", "\xFF"}) {
        CHECK_FALSE(starts_with_word_char(text));
        CHECK_FALSE(ends_with_word_char(text));
    }
}

TEST_CASE("spaces at the ends are measured in bytes") {
    CHECK(leading_space_bytes(" \t\u3000x ") == 5);
    CHECK(trailing_space_bytes(" x\u00A0\n") == 3);
    CHECK(leading_space_bytes("  ") == 2);
    CHECK(trailing_space_bytes("  ") == 2);
    CHECK(leading_space_bytes("") == 0);
    CHECK(trailing_space_bytes("x\x80") == 0);
}

TEST_CASE("normalize_nfc: composes, orders marks, keeps what is composed") {
    CHECK(normalize_nfc("plain ASCII\n") == "plain ASCII\n");
    CHECK(normalize_nfc("cafe\u0301 e\u0301") == "café é");
    CHECK(normalize_nfc("a\u0302\u0323b") == "\u1EADb");  // marks reordered, then composed
    CHECK(normalize_nfc("\u1112\u1161\u11AB") == "\uD55C");
    CHECK(normalize_nfc("\u212B\u2126") == "\u00C5\u03A9");
    CHECK(normalize_nfc("\u0958") == "\u0915\u093C");  // excluded from composition
    CHECK(normalize_nfc("\u0301x") == "\u0301x");
    CHECK(normalize_nfc("") == "");
}

TEST_CASE("normalize_nfc: bytes that are not UTF-8 pass and part what surrounds them") {
    CHECK(normalize_nfc("e\u0301\xFF\u0301e\u0301\x80") == "é\xFF\u0301é\x80");
    CHECK(normalize_nfc("e\xCC") == "e\xCC");
}
