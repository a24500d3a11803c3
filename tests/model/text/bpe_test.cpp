#include "model/text/bpe.h"

#include <algorithm>
#include <chrono>
#include <map>
#include <random>

#include "tests/support/doctest.h"

namespace {

// The definition, word for word.
std::vector<int32_t> merged_by_definition(const std::vector<Merge>& merges,
                                          std::vector<int32_t> piece) {
    std::map<std::pair<int32_t, int32_t>, size_t> ranks;
    for (size_t rank = 0; rank < merges.size(); ++rank)
        ranks[{merges[rank].left, merges[rank].right}] = rank;
    while (true) {
        size_t best_rank = merges.size(), best = 0;
        for (size_t i = 0; i + 1 < piece.size(); ++i) {
            const auto found = ranks.find({piece[i], piece[i + 1]});
            if (found == ranks.end() || found->second >= best_rank) continue;
            best_rank = found->second;
            best = i;
        }
        if (best_rank == merges.size()) return piece;
        piece[best] = merges[best_rank].merged;
        piece.erase(piece.begin() + static_cast<ptrdiff_t>(best) + 1);
    }
}

// Merges over `letters` letters in an order that no training would give: later ones may make
// earlier ones possible again.
std::vector<Merge> random_merges(int letters, int count, std::mt19937& random) {
    std::vector<Merge> merges;
    for (int32_t i = 0; i < count; ++i) {
        std::uniform_int_distribution<int32_t> any(0, letters + i - 1);
        merges.push_back({any(random), any(random), letters + i});
    }
    std::shuffle(merges.begin(), merges.end(), random);
    return merges;
}

}  // namespace

TEST_CASE("MergeTable: short and long pieces follow the definition") {
    std::mt19937 random(1);
    for (int round = 0; round < 60; ++round) {
        const auto merges = random_merges(/*letters=*/3, /*count=*/40, random);
        const MergeTable table(merges);
        for (const size_t size : {0u, 1u, 2u, 3u, 31u, 95u, 96u, 97u, 98u, 200u, 333u}) {
            std::vector<int32_t> piece(size);
            for (auto& token : piece) token = static_cast<int32_t>(random() % 3);
            const auto expected = merged_by_definition(merges, piece);
            table.merge(piece);
            CAPTURE(round);
            CAPTURE(size);
            CHECK(piece == expected);
        }
    }
}

TEST_CASE("MergeTable: of equal pairs the last has its say") {
    const MergeTable table({{0, 1, 5}, {1, 2, 6}, {0, 1, 7}});
    CHECK(table.rank(0, 1) == 2);
    CHECK(table.rank(1, 0) == MergeTable::kNoMerge);
    std::vector<int32_t> piece{0, 1, 2};
    table.merge(piece);
    CHECK(piece == std::vector<int32_t>{0, 6});
}

TEST_CASE("MergeTable: without merges nothing changes") {
    std::vector<int32_t> piece(1000, 7);
    MergeTable().merge(piece);
    MergeTable(std::vector<Merge>{}).merge(piece);
    CHECK(piece == std::vector<int32_t>(1000, 7));
}

TEST_CASE("MergeTable: ten million equal bytes take seconds, not years") {
    std::vector<Merge> merges;  // a a, aa aa, aaaa aaaa, ...
    for (int32_t i = 0; i < 10; ++i) merges.push_back({i, i, i + 1});
    const MergeTable table(merges);
    std::vector<int32_t> piece(10'000'000, 0);
    const auto start = std::chrono::steady_clock::now();
    table.merge(piece);
    const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;
    CHECK(piece.size() == 10'000'000 / 1024 + 2);  // 9765 of 1024, one of 512, one of 128
    CHECK(seconds.count() < 60.0);                 // quadratic time would be months
}
