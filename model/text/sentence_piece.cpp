#include "model/text/sentence_piece.h"

#include <algorithm>
#include <cstring>

#include "kernels/core/check.h"
#include "model/text/unicode.h"

namespace {

std::string name_of_byte(int byte) { return fmt::format("<0x{:02X}>", byte); }

int hex_digit(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

uint32_t pack(std::string_view character) {
    uint32_t packed = 0;
    std::memcpy(&packed, character.data(), character.size());
    return packed;
}

}  // namespace

std::string marks_to_spaces(std::string_view text) {
    std::string out;
    for (size_t done = 0;;) {
        const size_t mark = text.find(kSpaceMark, done);
        out.append(text.substr(done, mark - done));
        if (mark == std::string_view::npos) return out;
        out += ' ';
        done = mark + kSpaceMark.size();
    }
}

std::string SentencePiece::mark(std::string_view text, bool is_first) const {
    const bool has_space = text.starts_with(' ') || text.starts_with(kSpaceMark);
    const bool adds =
        !text.empty() && (prefix == Prefix::all || (prefix == Prefix::all_without && !has_space) ||
                          (prefix == Prefix::first_if_without && !has_space && is_first));
    std::string marked = marks_to_spaces(text);
    if (adds) marked.insert(marked.begin(), ' ');
    return marked;
}

std::optional<uint8_t> byte_of_token(std::string_view token) {
    if (token.size() != 6 || !token.starts_with("<0x") || token[5] != '>') return std::nullopt;
    const int high = hex_digit(token[3]), low = hex_digit(token[4]);
    if (high < 0 || low < 0) return std::nullopt;
    return static_cast<uint8_t>(high << 4 | low);
}

std::string token_to_bytes(std::string_view token) {
    if (const auto byte = byte_of_token(token)) return {static_cast<char>(*byte)};
    return marks_to_spaces(token);
}

CharacterIds::CharacterIds(const TokenIds& vocabulary, const std::string& source) {
    const auto id_of = [&](const std::string& token) {
        const auto found = vocabulary.find(token);
        ENSURE_INPUT(found != vocabulary.end(), source,
                     "vocabulary: found no token \"{}\", which a "
                     "SentencePiece vocabulary needs",
                     token);
        return found->second;
    };
    for (int byte = 0; byte < 256; ++byte) byte_[byte] = id_of(name_of_byte(byte));
    std::copy_n(byte_.begin(), ascii_.size(), ascii_.begin());
    for (const auto& [token, id] : vocabulary) {
        const Char first = char_at(token, 0);
        if (first.length_bytes != token.size()) continue;
        const auto byte = static_cast<uint8_t>(token[0]);
        if (byte < 0x80) {
            ascii_[byte] = id;
        } else if (token.size() > 1) {
            further_[pack(token)] = id;
        }
    }
    ascii_[' '] = id_of(std::string(kSpaceMark));  // no text leads to a token that is a plain space
}

void CharacterIds::append(std::string_view piece, std::vector<int32_t>& ids) const {
    for (size_t i = 0; i < piece.size();) {
        const auto byte = static_cast<uint8_t>(piece[i]);
        if (byte < 0x80) {
            ids.push_back(ascii_[byte]);
            ++i;
            continue;
        }
        const std::string_view character = piece.substr(i, char_at(piece, i).length_bytes);
        i += character.size();
        const auto found = further_.find(pack(character));
        if (character.size() > 1 && found != further_.end()) {
            ids.push_back(found->second);
        } else {
            for (const char part : character) ids.push_back(byte_[static_cast<uint8_t>(part)]);
        }
    }
}
