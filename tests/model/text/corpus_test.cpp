// Rows of tokens, in memory and beyond.

#include "model/text/corpus.h"

#include <algorithm>

#include "kernels/core/check.h"
#include "tests/support/doctest.h"

namespace {

using Ids = std::vector<int32_t>;
using Weights = std::vector<float>;

// Row r has r % 5 + 1 tokens, all r; every third one has weights.
Corpus numbered_rows(int32_t count, int64_t bytes_in_memory) {
    Corpus corpus(bytes_in_memory);
    for (int32_t r = 0; r < count; ++r) {
        const Ids ids(static_cast<size_t>(r % 5 + 1), r);
        Weights weights(r % 3 == 0 ? ids.size() : 0, 0.5f);
        if (!weights.empty()) weights.back() = 0.0f;
        corpus.append(ids, weights);
    }
    return corpus;
}

}  // namespace

TEST_CASE("corpus: rows are what was appended, in memory or in a file") {
    for (const int64_t limit : {int64_t{0}, int64_t{64}, int64_t{5000}, Corpus::kBytesInMemory}) {
        CAPTURE(limit);
        const Corpus corpus = numbered_rows(2000, limit);
        REQUIRE(corpus.num_rows() == 2000);
        CHECK(corpus.num_tokens() == 6000);
        CHECK(corpus.longest_row() == 5);
        bool same = true;
        for (int32_t r = 0; r < 2000; ++r) {
            const auto length = static_cast<size_t>(r % 5 + 1);
            same = same && std::ranges::equal(corpus.row(r), Ids(length, r)) &&
                   corpus.row_length(r) == r % 5 + 1 &&
                   corpus.row_weights(r).size() == (r % 3 == 0 ? length : 0);
            for (size_t n = 0; r % 3 == 0 && n < length; ++n)
                same = same && corpus.row_weights(r)[n] == (n + 1 == length ? 0.0f : 0.5f);
        }
        CHECK(same);
        corpus.forget_read();
        CHECK(corpus.row(7)[0] == 7);
    }
}

TEST_CASE("corpus: targets are the tokens of weight above 0 that are no row's first") {
    Corpus corpus;
    CHECK(corpus.target_tokens() == 0);
    corpus.append(Ids{1, 2, 3});
    CHECK(corpus.target_tokens() == 2);
    corpus.append(Ids{1, 2, 3}, Weights{1.0f, 0.0f, 0.5f});
    CHECK(corpus.target_tokens() == 3);
    corpus.append(Ids{1}, Weights{1.0f});
    corpus.append(Ids{1});
    corpus.append(Ids{});
    CHECK(corpus.target_tokens() == 3);
    CHECK(corpus.num_rows() == 5);
    CHECK(corpus.row(4).empty());
    CHECK_THROWS_AS(corpus.append(Ids{1, 2}, Weights{1.0f}), Error);
}
