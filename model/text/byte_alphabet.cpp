#include "model/text/byte_alphabet.h"

namespace {

constexpr int kFirstSubstitute = 0x100;  // characters of the bytes that do not print
constexpr int kCharacters = kFirstSubstitute + 68;

constexpr bool prints(int byte) {
    return (byte >= 33 && byte <= 126) || (byte >= 161 && byte <= 172) || byte >= 174;
}

struct Alphabet {
    std::array<uint16_t, 256> character{};    // [byte]
    std::array<int16_t, kCharacters> byte{};  // [character], -1 where there is none
    std::array<uint8_t, 256> in_order{};
};

constexpr Alphabet make_alphabet() {
    Alphabet alphabet;
    for (auto& byte : alphabet.byte) byte = -1;
    int substitutes = 0, printing = 0;
    constexpr int kPrinting = 256 - (kCharacters - kFirstSubstitute);
    for (int byte = 0; byte < 256; ++byte) {
        const int character = prints(byte) ? byte : kFirstSubstitute + substitutes;
        const int place = prints(byte) ? printing++ : kPrinting + substitutes++;
        alphabet.character[byte] = static_cast<uint16_t>(character);
        alphabet.byte[character] = static_cast<int16_t>(byte);
        alphabet.in_order[place] = static_cast<uint8_t>(byte);
    }
    return alphabet;
}

constexpr Alphabet kAlphabet = make_alphabet();

}  // namespace

const std::array<uint8_t, 256>& bytes_in_alphabet_order() { return kAlphabet.in_order; }

std::string bytes_to_alphabet(std::string_view bytes) {
    std::string characters;
    characters.reserve(bytes.size() * 2);
    for (const char byte : bytes) {
        const int character = kAlphabet.character[static_cast<uint8_t>(byte)];
        if (character < 0x80) {
            characters.push_back(static_cast<char>(character));
        } else {  // every character is below U+0800: two bytes of UTF-8
            characters.push_back(static_cast<char>(0xC0 | (character >> 6)));
            characters.push_back(static_cast<char>(0x80 | (character & 0x3F)));
        }
    }
    return characters;
}

std::optional<std::string> alphabet_to_bytes(std::string_view characters) {
    std::string bytes;
    bytes.reserve(characters.size());
    for (size_t i = 0; i < characters.size(); ++i) {
        int character = static_cast<uint8_t>(characters[i]);
        if (character >= 0x80) {
            if ((character & 0xE0) != 0xC0 || i + 1 == characters.size()) return std::nullopt;
            character = (character & 0x1F) << 6 | (static_cast<uint8_t>(characters[++i]) & 0x3F);
        }
        if (character >= kCharacters || kAlphabet.byte[character] < 0) return std::nullopt;
        bytes.push_back(static_cast<char>(kAlphabet.byte[character]));
    }
    return bytes;
}
