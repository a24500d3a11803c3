// The ids of short pieces seen before: one place per hash, the newest stays. Text repeats its words
// so often that almost every piece is found here.
#pragma once

#include <array>
#include <cstdint>
#include <cstring>
#include <string_view>
#include <vector>

class PieceCache {
public:
    static constexpr size_t kMaxBytes = 15, kMaxIds = 6;

    struct Key {
        uint64_t low = 0, high = 0;  // up to 15 bytes, little-endian, then the length in the last
        bool operator==(const Key&) const = default;
    };
    struct Entry {
        Key key;
        uint32_t owner = 0;  // the tokenizer's identity; 0: never used
        int32_t num_ids = 0;
        std::array<int32_t, kMaxIds> ids{};
    };

    // Of at most kMaxBytes bytes; no two pieces share one.
    static Key key_of(std::string_view piece) {
        // Loads of fixed sizes that overlap: a copy of any size would be a call.
        const char* const data = piece.data();
        const size_t size = piece.size();
        Key key{.low = 0, .high = uint64_t{size} << 56};
        if (size >= 8) {
            key.low = load<uint64_t>(data);
            if (size > 8) key.high |= load<uint64_t>(data + size - 8) >> (8 * (16 - size));
        } else if (size >= 4) {
            key.low = load<uint32_t>(data) | uint64_t{load<uint32_t>(data + size - 4)}
                                                 << (8 * (size - 4));
        } else {
            for (size_t i = 0; i < size; ++i)
                key.low |= uint64_t{static_cast<uint8_t>(data[i])} << (8 * i);
        }
        return key;
    }

    Entry& place_of(const Key& key) {
        uint64_t hash = (key.low ^ (key.high * 0x9E3779B97F4A7C15u)) * 0xD6E8FEB86659FD93u;
        hash ^= hash >> 32;
        return entries_[(hash * 0xD6E8FEB86659FD93u) >> (64 - kLogEntries)];
    }

    static PieceCache& of_this_thread() {
        thread_local PieceCache cache;
        return cache;
    }

private:
    template <class T>
    static T load(const char* from) {
        T value;
        std::memcpy(&value, from, sizeof value);
        return value;
    }

    static constexpr int kLogEntries = 16;  // 3 MiB
    std::vector<Entry> entries_ = std::vector<Entry>(size_t{1} << kLogEntries);
};
