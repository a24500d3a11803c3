// Byte-pair merging: a piece of text as token ids.
//
// A piece starts as one token per byte. While any neighbouring pair has a merge, the pair whose
// merge has the lowest rank is replaced by the merged token, the leftmost first among equals.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

struct Merge {
    int32_t left = 0, right = 0;  // token ids
    int32_t merged = 0;           // the id of the two joined
};

class MergeTable {
public:
    MergeTable() = default;
    // A merge's rank is its place in the list; of equal pairs the last counts.
    explicit MergeTable(const std::vector<Merge>& merges);

    static constexpr int32_t kNoMerge = INT32_MAX;
    int32_t rank(int32_t left, int32_t right) const;  // or kNoMerge

    // Merges the piece in place. Time grows linearly with its length but for a sort of candidates
    // that are nearly in order; pieces up to kShortTokens take a simpler way in quadratic time.
    void merge(std::vector<int32_t>& piece) const;

    static constexpr size_t kShortTokens = 96;

private:
    struct Slot {
        uint64_t pair = UINT64_MAX;
        int32_t rank = kNoMerge;
    };

    void merge_short(std::vector<int32_t>& piece) const;
    void merge_long(std::vector<int32_t>& piece) const;

    std::vector<Slot> slots_;  // open addressing; the size is a power of two
    std::vector<Merge> by_rank_;
    int shift_ = 0;  // 64 - log2 of the number of slots

    friend class LongPiece;
};
