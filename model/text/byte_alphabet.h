// The alphabet of byte-level vocabularies: each of the 256 bytes as one printable character.
//
// Vocabulary files are JSON, so they cannot hold arbitrary bytes. GPT-2's convention, which every
// byte-level tokenizer shares: the bytes that Latin-1 prints (33 to 126, 161 to 172, 174 to 255)
// stand for themselves; the other 68 become U+0100, U+0101, ... in byte order (a space is U+0120).
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

// The 256 bytes in the order of their characters: the first ids of a newly trained vocabulary.
const std::array<uint8_t, 256>& bytes_in_alphabet_order();

// Any bytes, written with the alphabet. The result is valid UTF-8.
std::string bytes_to_alphabet(std::string_view bytes);

// The reverse; nothing if a character lies outside the alphabet.
std::optional<std::string> alphabet_to_bytes(std::string_view characters);
