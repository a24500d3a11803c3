#include "model/batch.h"

#include "kernels/core/check.h"
#include "tests/support/doctest.h"

namespace {
using Integers = std::vector<int32_t>;
using Floats = std::vector<float>;
}  // namespace

TEST_CASE("batch: rows lie end to end, positions restart, a first token is no target") {
    Batch batch;
    CHECK(batch.num_rows() == 0);
    CHECK(batch.longest_row() == 0);
    batch.append_row(Integers{5, 6, 7}, {}, 10);
    batch.append_row(Integers{8}, {}, 11);
    batch.append_row(Integers{9, 4}, Floats{3.0f, 0.25f}, 12);
    CHECK(batch.tokens == Integers{5, 6, 7, 8, 9, 4});
    CHECK(batch.row_starts == Integers{0, 3, 4, 6});
    CHECK(batch.positions == Integers{0, 1, 2, 0, 0, 1});
    CHECK(batch.row_ids == Integers{10, 10, 10, 11, 12, 12});
    CHECK(batch.loss_weight == Floats{0, 1, 1, 0, 0, 0.25f});
    CHECK(batch.num_tokens() == 6);
    CHECK(batch.num_rows() == 3);
    CHECK(batch.longest_row() == 3);
    CHECK(batch.weight_sum() == 2.25);
}

TEST_CASE("batch: the sum of a million weights is exact") {
    Batch batch;
    batch.append_row(Integers(size_t{1} << 20, 1), Floats(size_t{1} << 20, 1.0f + 0x1p-20f), 0);
    CHECK(batch.weight_sum() == ((1 << 20) - 1) * (1.0 + 0x1p-20));
}

TEST_CASE("batch: weights must be as many as tokens") {
    Batch batch;
    CHECK_THROWS_WITH_AS(batch.append_row(Integers{1, 2, 3}, Floats{1.0f, 1.0f}, 0),
                         "batch: a row of 3 tokens with 2 weights", Error);
}

TEST_CASE("targets_of: each position predicts its row's next token; a row's end predicts none") {
    Batch batch;
    batch.append_row(Integers{5, 6, 7}, Floats{9, 0.5f, 2}, 0);
    batch.append_row(Integers{8}, {}, 1);
    batch.append_row(Integers{}, {}, 2);
    batch.append_row(Integers{3, 4}, {}, 3);
    const Targets targets = targets_of(batch);
    CHECK(targets.tokens == Integers{6, 7, -1, -1, 4, -1});
    CHECK(targets.weights == Floats{0.5f, 2, 0, 0, 1, 0});
}
