// How SentencePiece vocabularies see text: as characters, as bytes where they lack the character,
// and with U+2581 for spaces.
//
// In here spaces stay spaces: the U+2581 of the files becomes a space when they are read, and that
// of a text when it is encoded. Nothing is lost, since such a tokenizer cannot tell the two apart.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "model/text/vocabulary.h"

struct SentencePiece {
    // Which stretches of text (whatever lies between added tokens) get a space in front.
    enum class Prefix {
        none,
        all,               // every one: the normalizer's Prepend
        all_without,       // every one that does not start with one: Metaspace, "always"
        first_if_without,  // only at the start of the text, likewise: Metaspace, "first"
    };
    Prefix prefix = Prefix::none;
    // Spaces are marked by the normalizer, before the `normalized` added tokens are looked for;
    // else by the pre-tokenizer, after that.
    bool in_normalizer = true;
    bool splits_words = false;  // merges do not cross the front of a space
    bool strips_space = false;  // decoding leaves out a space at the start

    // A stretch of text as it is merged.
    std::string mark(std::string_view text, bool is_first) const;
    bool operator==(const SentencePiece&) const = default;
};

inline constexpr std::string_view kSpaceMark = "\u2581";

std::string marks_to_spaces(std::string_view text);
// The byte that a token such as <0x0A> stands for.
std::optional<uint8_t> byte_of_token(std::string_view token);
// What a token decodes to: its byte, or its text with spaces.
std::string token_to_bytes(std::string_view token);

// The tokens that a piece starts as, before any merge.
class CharacterIds {
public:
    CharacterIds() = default;
    // An InputError if the vocabulary lacks U+2581 or the token of a byte.
    CharacterIds(const TokenIds& vocabulary, const std::string& source);

    // A token a character, or its bytes; a byte that is not valid UTF-8 is itself.
    void append(std::string_view piece, std::vector<int32_t>& ids) const;

private:
    std::array<int32_t, 256> byte_{};                // [byte]
    std::array<int32_t, 128> ascii_{};               // [character]
    std::unordered_map<uint32_t, int32_t> further_;  // by up to four bytes of UTF-8
};
