#include "model/text/bpe.h"

#include <algorithm>
#include <array>
#include <bit>
#include <queue>
#include <unordered_map>

#include "kernels/core/check.h"

namespace {

uint64_t pack(int32_t left, int32_t right) {
    return uint64_t{static_cast<uint32_t>(left)} << 32 | static_cast<uint32_t>(right);
}

uint64_t scatter(uint64_t pair) {
    pair ^= pair >> 29;
    return pair * 0x9E3779B97F4A7C15u;  // 2^64 / golden ratio: the high bits depend on all bits
}

}  // namespace

MergeTable::MergeTable(const std::vector<Merge>& merges) : by_rank_(merges) {
    const size_t slots = std::bit_ceil(std::max<size_t>(merges.size() * 2, 16));
    shift_ = 64 - std::countr_zero(slots);
    slots_.resize(slots);
    for (size_t rank = 0; rank < merges.size(); ++rank) {
        const uint64_t pair = pack(merges[rank].left, merges[rank].right);
        size_t i = scatter(pair) >> shift_;
        while (slots_[i].rank != kNoMerge && slots_[i].pair != pair) i = (i + 1) & (slots - 1);
        slots_[i] = {pair, static_cast<int32_t>(rank)};
    }
}

int32_t MergeTable::rank(int32_t left, int32_t right) const {
    if (slots_.empty()) return kNoMerge;
    const uint64_t pair = pack(left, right);
    size_t i = scatter(pair) >> shift_;
    while (slots_[i].pair != pair && slots_[i].rank != kNoMerge) i = (i + 1) & (slots_.size() - 1);
    return slots_[i].rank;
}

void MergeTable::merge(std::vector<int32_t>& piece) const {
    if (piece.size() < 2 || by_rank_.empty()) return;
    piece.size() <= kShortTokens ? merge_short(piece) : merge_long(piece);
}

// Keeps the rank of every neighbouring pair; a merge changes two of them.
void MergeTable::merge_short(std::vector<int32_t>& piece) const {
    std::array<int32_t, kShortTokens> ranks;
    size_t pairs = piece.size() - 1;
    for (size_t i = 0; i < pairs; ++i) ranks[i] = rank(piece[i], piece[i + 1]);
    while (pairs > 0) {
        const auto best = std::min_element(ranks.begin(), ranks.begin() + pairs);
        if (*best == kNoMerge) break;
        const size_t i = best - ranks.begin();
        piece[i] = by_rank_[*best].merged;
        piece.erase(piece.begin() + i + 1);
        std::copy(best + 1, ranks.begin() + pairs, best);
        --pairs;
        if (i > 0) ranks[i - 1] = rank(piece[i - 1], piece[i]);
        if (i < pairs) ranks[i] = rank(piece[i], piece[i + 1]);
    }
    piece.resize(pairs + 1);
}

// A long piece as a linked list, and for each rank the places where its pair was seen.
//
// Ranks are served lowest first, the places of one rank from left to right. Places are not removed
// when a merge takes one of their tokens away: they are checked when their turn comes. Every merge
// adds at most two places, so their number is linear in the length of the piece.
class LongPiece {
public:
    LongPiece(const MergeTable& table, std::vector<int32_t>& tokens)
        : table_(table), tokens_(tokens), next_(tokens.size()), previous_(tokens.size()) {
        ENSURE(tokens.size() < kNone, "a piece of {} bytes is too long to tokenize", tokens.size());
        for (uint32_t i = 0; i < tokens.size(); ++i) {
            next_[i] = i + 1;
            previous_[i] = i - 1;  // kNone for the first
        }
        next_.back() = kNone;
        for (uint32_t i = 0; i + 1 < tokens.size(); ++i) add_place(i);
    }

    void merge() {
        while (!ranks_.empty()) {
            const int32_t rank = ranks_.top();
            if (!serve(rank)) continue;  // a lower rank came up
            ranks_.pop();
            places_.erase(rank);
        }
        size_t kept = 0;
        for (uint32_t i = 0; i != kNone; i = next_[i]) tokens_[kept++] = tokens_[i];
        tokens_.resize(kept);
    }

private:
    struct Places {
        std::vector<uint32_t> of_left_token;
        size_t served = 0;
        bool sorted = true;
    };
    static constexpr uint32_t kNone = UINT32_MAX;
    static constexpr int32_t kTaken = -1;  // in place of a token that a merge took away

    void add_place(uint32_t left) {
        const int32_t rank = table_.rank(tokens_[left], tokens_[next_[left]]);
        if (rank == MergeTable::kNoMerge) return;
        const auto [found, is_new] = places_.try_emplace(rank);
        if (is_new) ranks_.push(rank);
        Places& places = found->second;
        const bool in_order = places.of_left_token.empty() || places.of_left_token.back() <= left;
        places.sorted = places.sorted && in_order;
        places.of_left_token.push_back(left);
    }

    // Merges at the places of one rank; false if it stopped because a lower rank appeared.
    bool serve(int32_t rank) {
        Places& places = places_.at(rank);  // stays where it is when others are added
        if (!places.sorted) {
            std::sort(places.of_left_token.begin() + places.served, places.of_left_token.end());
            places.sorted = true;
        }
        const Merge& rule = table_.by_rank_[rank];
        while (places.served < places.of_left_token.size()) {
            const uint32_t left = places.of_left_token[places.served++];
            const uint32_t right = next_[left];
            if (tokens_[left] != rule.left || right == kNone || tokens_[right] != rule.right)
                continue;
            join(left, right, rule.merged);
            if (ranks_.top() != rank) return false;
        }
        return true;
    }

    void join(uint32_t left, uint32_t right, int32_t merged) {
        tokens_[left] = merged;
        tokens_[right] = kTaken;
        next_[left] = next_[right];
        if (next_[left] != kNone) previous_[next_[left]] = left;
        if (previous_[left] != kNone) add_place(previous_[left]);
        if (next_[left] != kNone) add_place(left);
    }

    const MergeTable& table_;
    std::vector<int32_t>& tokens_;
    std::vector<uint32_t> next_, previous_;
    std::unordered_map<int32_t, Places> places_;  // by rank
    std::priority_queue<int32_t, std::vector<int32_t>, std::greater<>> ranks_;
};

void MergeTable::merge_long(std::vector<int32_t>& piece) const { LongPiece(*this, piece).merge(); }
