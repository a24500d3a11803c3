// The keys of pieces against their definition: the bytes, zeros up to 15, and the length.

#include "model/text/piece_cache.h"

#include <algorithm>
#include <random>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "tests/support/doctest.h"

namespace {

PieceCache::Key defined_key_of(std::string_view piece) {
    uint8_t bytes[16] = {};
    std::copy(piece.begin(), piece.end(), bytes);
    bytes[15] = static_cast<uint8_t>(piece.size());
    PieceCache::Key key;
    for (int i = 0; i < 8; ++i) {
        key.low |= uint64_t{bytes[i]} << (8 * i);
        key.high |= uint64_t{bytes[8 + i]} << (8 * i);
    }
    return key;
}

}  // namespace

TEST_CASE("the key of a piece is its bytes and its length") {
    std::mt19937 random(42);
    for (size_t size = 0; size <= PieceCache::kMaxBytes; ++size) {
        for (int repeat = 0; repeat < 1000; ++repeat) {
            std::vector<char> piece(size);  // of this size, so that ASan sees a load behind its end
            for (char& byte : piece) byte = static_cast<char>(repeat == 0 ? 0xFF : random());
            const std::string_view text(piece.data(), size);
            CHECK(PieceCache::key_of(text) == defined_key_of(text));
        }
    }
}

TEST_CASE("no two short pieces share a key, zeros included") {
    std::set<std::pair<uint64_t, uint64_t>> keys;
    size_t pieces = 0;
    for (size_t size = 0; size <= PieceCache::kMaxBytes; ++size) {
        for (uint32_t bits = 0; bits < uint32_t{1} << size; ++bits, ++pieces) {
            std::string piece(size, '\0');
            for (size_t i = 0; i < size; ++i) piece[i] = static_cast<char>(bits >> i & 1);
            const PieceCache::Key key = PieceCache::key_of(piece);
            keys.insert({key.low, key.high});
        }
    }
    CHECK(keys.size() == pieces);
}
