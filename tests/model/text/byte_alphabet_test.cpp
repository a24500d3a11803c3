#include "model/text/byte_alphabet.h"

#include <set>

#include "tests/support/doctest.h"

TEST_CASE("byte alphabet: published characters of some bytes") {
    CHECK(bytes_to_alphabet("a b") == "a\u0120b");
    CHECK(bytes_to_alphabet("\n\t") == "\u010A\u0109");
    CHECK(bytes_to_alphabet(std::string_view("\0\xFF\xAD", 3)) == "\u0100\u00FF\u0143");
}

TEST_CASE("byte alphabet: every byte has its own character and comes back") {
    std::set<std::string> characters;
    for (int byte = 0; byte < 256; ++byte) {
        const std::string bytes(1, static_cast<char>(byte));
        characters.insert(bytes_to_alphabet(bytes));
        CHECK(alphabet_to_bytes(bytes_to_alphabet(bytes)) == bytes);
    }
    CHECK(characters.size() == 256);
}

TEST_CASE("byte alphabet: characters outside it are refused") {
    for (const char* text : {" ", "\n", "\u0144", "\u4F60", "a\xC4", "\x80"})
        CHECK(alphabet_to_bytes(text) == std::nullopt);
}

TEST_CASE("byte alphabet: the order starts with the printing bytes") {
    const auto& order = bytes_in_alphabet_order();
    CHECK(order[0] == '!');
    CHECK(order[93] == '~');
    CHECK(order[187] == 255);
    CHECK(order[188] == 0);
    CHECK(order[255] == 173);
    CHECK(std::set<uint8_t>(order.begin(), order.end()).size() == 256);
}
