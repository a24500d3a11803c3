// Which rows make up which step. Row r's tokens are all r, so a batch tells which rows it holds.

#include "train/loader.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>

#include "kernels/core/check.h"
#include "tests/support/doctest.h"

namespace {

Corpus rows_of(const std::vector<int>& lengths) {
    Corpus corpus;
    for (size_t r = 0; r < lengths.size(); ++r) {
        corpus.append(
            std::vector<int32_t>(static_cast<size_t>(lengths[r]), static_cast<int32_t>(r)));
    }
    return corpus;
}

// `count` rows of 2 to 20 tokens.
Corpus mixed_rows(int count) {
    std::vector<int> lengths;
    for (int r = 0; r < count; ++r) lengths.push_back(2 + r * 7 % 19);
    return rows_of(lengths);
}

using Rows = std::vector<int32_t>;

// The rows of a micro-batch, each checked to be whole.
Rows rows_in(const Batch& batch, const Corpus& corpus) {
    Rows rows;
    for (int r = 0; r < batch.num_rows(); ++r) {
        const int32_t row = batch.tokens[static_cast<size_t>(batch.row_starts[r])];
        const int32_t length = batch.row_starts[r + 1] - batch.row_starts[r];
        CHECK(length == static_cast<int32_t>(corpus.row(row).size()));
        for (int32_t i = 0; i < length; ++i) {
            CHECK(batch.tokens[batch.row_starts[r] + i] == row);
            CHECK(batch.positions[batch.row_starts[r] + i] == i);
        }
        rows.push_back(row);
    }
    return rows;
}

// The rows of each micro-batch of each of `steps` steps.
std::vector<std::vector<Rows>> deal(Loader& loader, const Corpus& corpus, int64_t steps) {
    std::vector<std::vector<Rows>> dealt;
    for (int64_t step = 0; step < steps; ++step) {
        dealt.emplace_back();
        for (const Batch& batch : loader.batch_at(step).micro_batches)
            dealt.back().push_back(rows_in(batch, corpus));
    }
    return dealt;
}

Rows flat(const std::vector<std::vector<Rows>>& steps) {
    Rows all;
    for (const auto& step : steps)
        for (const Rows& rows : step) all.insert(all.end(), rows.begin(), rows.end());
    return all;
}

Rows in_order(int count) {
    Rows rows(static_cast<size_t>(count));
    std::iota(rows.begin(), rows.end(), 0);
    return rows;
}

bool same(const GlobalBatch& a, const GlobalBatch& b) {
    if (a.divisor != b.divisor || a.epoch != b.epoch) return false;
    return std::equal(a.micro_batches.begin(), a.micro_batches.end(), b.micro_batches.begin(),
                      b.micro_batches.end(), [](const Batch& x, const Batch& y) {
                          return x.tokens == y.tokens && x.row_starts == y.row_starts &&
                                 x.positions == y.positions && x.row_ids == y.row_ids &&
                                 x.loss_weight == y.loss_weight;
                      });
}

}  // namespace

TEST_CASE("permutation: holds every number once, and each order is as likely as any other") {
    CHECK(permutation(0, 1, 0).empty());
    CHECK(permutation(1, 1, 0) == std::vector<int64_t>{0});
    auto sorted = permutation(1000, 42, 3);
    CHECK(!std::is_sorted(sorted.begin(), sorted.end()));
    std::sort(sorted.begin(), sorted.end());
    for (int64_t i = 0; i < 1000; ++i) CHECK(sorted[i] == i);

    std::map<std::vector<int64_t>, int> counts;
    constexpr int kDraws = 6000;
    for (int seed = 0; seed < kDraws; ++seed) ++counts[permutation(3, seed, seed % 7)];
    REQUIRE(counts.size() == 6);
    for (const auto& [order, count] : counts)  // four deviations of a binomial count
        CHECK(std::abs(count - kDraws / 6.0) <= 4.0 * std::sqrt(kDraws * 5.0 / 36.0));
}

TEST_CASE("permutation: depends on the epoch and on all 64 bits of the seed") {
    const auto first = permutation(100, 42, 0);
    CHECK(first == permutation(100, 42, 0));
    CHECK(first != permutation(100, 42, 1));
    CHECK(first != permutation(100, 43, 0));
    CHECK(first != permutation(100, 42 + (uint64_t{1} << 32), 0));
}

TEST_CASE("loader: rows in file order fill micro-batches and steps; the last ones may be short") {
    const Corpus corpus = mixed_rows(7);
    Loader loader(corpus, {.batch_size = 2, .accumulation = 2, .shuffle = false});
    CHECK(loader.steps_in(1.0) == 2);
    const auto dealt = deal(loader, corpus, 4);
    CHECK(dealt[0] == std::vector<Rows>{{0, 1}, {2, 3}});
    CHECK(dealt[1] == std::vector<Rows>{{4, 5}, {6}});  // windows never span epochs
    CHECK(dealt[2] == dealt[0]);
    CHECK(dealt[3] == dealt[1]);
}

TEST_CASE("loader: shuffled or packed, every row comes exactly once an epoch") {
    const Corpus corpus = mixed_rows(101);
    for (const bool shuffle : {false, true}) {
        for (const bool packing : {false, true}) {
            CAPTURE(shuffle);
            CAPTURE(packing);
            Loader loader(corpus, {.batch_size = 3,
                                   .accumulation = 2,
                                   .shuffle = shuffle,
                                   .packing = packing,
                                   .max_length = 20});
            int64_t first = 0;
            std::vector<Rows> epochs;
            for (const double epoch : {1.0, 2.0, 3.0}) {
                const int64_t end = loader.steps_in(epoch);
                Rows rows;
                for (; first < end; ++first)
                    for (const Batch& batch : loader.batch_at(first).micro_batches)
                        for (const int32_t row : rows_in(batch, corpus)) rows.push_back(row);
                epochs.push_back(rows);
                std::sort(rows.begin(), rows.end());
                CHECK(rows == in_order(101));
            }
            CHECK((epochs[0] == epochs[1]) == !shuffle);
            CHECK((epochs[1] == epochs[2]) == !shuffle);
        }
    }
}

TEST_CASE("loader: another seed is another order") {
    const Corpus corpus = mixed_rows(50);
    Loader one(corpus, {.batch_size = 50, .seed = 1}), two(corpus, {.batch_size = 50, .seed = 2});
    CHECK(flat(deal(one, corpus, 1)) != flat(deal(two, corpus, 1)));
}

TEST_CASE("loader: a step is the same whatever was asked before") {
    const Corpus corpus = mixed_rows(37);
    for (const bool packing : {false, true}) {
        CAPTURE(packing);
        const LoaderOptions options{
            .batch_size = 2, .accumulation = 3, .packing = packing, .max_length = 25};
        Loader all(corpus, options);
        const int64_t steps = all.steps_in(3.0);
        std::vector<GlobalBatch> expected;
        for (int64_t step = 0; step < steps; ++step) expected.push_back(all.batch_at(step));
        for (int64_t step = steps - 1; step >= 0; --step) {
            CHECK(same(all.batch_at(step), expected[step]));
            CHECK(same(Loader(corpus, options).batch_at(step), expected[step]));
        }
    }
}

TEST_CASE("loader: packs hold whole rows, first fit, up to max_length") {
    const Corpus corpus = rows_of({6, 5, 4, 5, 2, 10, 3});
    Loader loader(corpus, {.batch_size = 1, .shuffle = false, .packing = true, .max_length = 10});
    CHECK(loader.steps_in(1.0) == 4);
    CHECK(deal(loader, corpus, 4) ==
          std::vector<std::vector<Rows>>{{{0, 2}}, {{1, 3}}, {{4, 6}}, {{5}}});
    Loader pairs(corpus, {.batch_size = 2, .shuffle = false, .packing = true, .max_length = 10});
    CHECK(deal(pairs, corpus, 2) == std::vector<std::vector<Rows>>{{{0, 2, 1, 3}}, {{4, 6, 5}}});

    const Corpus many = mixed_rows(3000);
    Loader shuffled(many, {.batch_size = 1, .packing = true, .max_length = 23});
    for (int64_t step = 0; step < shuffled.steps_in(1.0); step += 17)
        CHECK(shuffled.batch_at(step).micro_batches[0].num_tokens() <= 23);
}

TEST_CASE("loader: packs form within windows of a thousand rows") {
    std::vector<int> lengths(1001, 6);
    lengths[999] = 4;   // joins the first pack
    lengths[1000] = 4;  // would fit the second, but is in the next window
    const Corpus corpus = rows_of(lengths);
    Loader loader(corpus, {.batch_size = 1, .shuffle = false, .packing = true, .max_length = 10});
    CHECK(loader.steps_in(1.0) == 1000);
    CHECK(rows_in(loader.batch_at(0).micro_batches[0], corpus) == Rows{0, 999});
    CHECK(rows_in(loader.batch_at(1).micro_batches[0], corpus) == Rows{1});
    CHECK(rows_in(loader.batch_at(999).micro_batches[0], corpus) == Rows{1000});
}

TEST_CASE("loader: steps are epochs times steps an epoch, rounded up") {
    const Corpus corpus = mixed_rows(37);
    Loader loader(corpus, {.batch_size = 4});  // ten steps an epoch
    CHECK(loader.steps_in(1.0) == 10);
    CHECK(loader.steps_in(3.0) == 30);
    CHECK(loader.steps_in(2.5) == 25);
    CHECK(loader.steps_in(0.01) == 1);
    CHECK(loader.steps_in(0.11) == 2);
    CHECK(loader.steps_in(2.1) == 21);  // 2.1 - 2 is a little more than 0.1 in double
    CHECK(loader.steps_in(4.3) == 43);
    CHECK(loader.steps_in(0.0) == 0);
}

TEST_CASE("loader: the divisor is the sum of the step's loss weights, and rows are numbered") {
    const Corpus corpus = rows_of({3, 5, 2, 4, 6});
    Loader loader(corpus, {.batch_size = 2, .accumulation = 2, .shuffle = false});
    const GlobalBatch first = loader.batch_at(0), last = loader.batch_at(1);
    CHECK(first.divisor == 10.0);  // a row's first token is no target
    CHECK(last.divisor == 5.0);
    CHECK(first.micro_batches[0].row_ids == Rows{0, 0, 0, 1, 1, 1, 1, 1});
    CHECK(first.micro_batches[1].row_ids == Rows{2, 2, 3, 3, 3, 3});
    CHECK(first.epoch == 0.5);
    CHECK(last.epoch == 1.0);
    CHECK(loader.batch_at(2).epoch == 1.5);
}

TEST_CASE("loader: rows bring their loss weights, and only trained tokens count") {
    Corpus corpus;
    corpus.append(Rows{0, 0, 0});
    corpus.append(Rows{1, 1, 1, 1}, std::vector<float>{0.0f, 0.0f, 1.0f, 1.0f});
    corpus.append(Rows{2, 2}, std::vector<float>{1.0f, 0.5f});
    Loader loader(corpus, {.batch_size = 2, .accumulation = 2, .shuffle = false});
    const GlobalBatch global = loader.batch_at(0);
    CHECK(global.divisor == 4.5);
    CHECK(global.micro_batches[0].loss_weight == std::vector<float>{0, 1, 1, 0, 0, 1, 1});
    CHECK(global.micro_batches[0].num_targets() == 4);
    CHECK(global.micro_batches[1].loss_weight == std::vector<float>{0, 0.5f});
    CHECK(corpus.target_tokens() == 5);
}

TEST_CASE("loader: knows its largest micro-batch") {
    const Corpus corpus = rows_of({3, 5, 2, 4, 6, 7});
    Loader loader(corpus, {.batch_size = 2, .shuffle = false});
    CHECK(loader.largest_micro_batch(0) == 0);
    CHECK(loader.largest_micro_batch(1) == 8);
    CHECK(loader.largest_micro_batch(2) == 8);
    CHECK(loader.largest_micro_batch(3) == 13);
}

TEST_CASE("loader: no rows, or no rows a batch, is an error") {
    const Corpus none, one = rows_of({2});
    CHECK_THROWS_WITH_AS(Loader(none, {}), "loader: no rows", Error);
    CHECK_THROWS_AS(Loader(one, {.batch_size = 0}), Error);
    CHECK_THROWS_AS(Loader(one, {.accumulation = 0}), Error);
}
