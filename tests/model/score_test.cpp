// Scores of rows: against transformers' log-probabilities, however rows share a forward pass.

#include "model/score.h"

#include <cmath>
#include <nlohmann/json.hpp>

#include "kernels/core/check.h"
#include "model/text/corpus_reader.h"
#include "tests/support/chat_rows.h"
#include "tests/support/doctest.h"
#include "tests/support/golden.h"
#include "tests/support/temporary_folder.h"

namespace {

Corpus corpus_of(const std::vector<std::vector<int32_t>>& rows) {
    Corpus corpus;
    for (const auto& row : rows) corpus.append(row);
    return corpus;
}

Corpus golden_corpus(const GoldenModel<float>& golden) {
    const auto tokens = golden.integers("tokens"), starts = golden.integers("row_starts");
    Corpus corpus;
    for (size_t r = 0; r + 1 < starts.size(); ++r)
        corpus.append({tokens.begin() + starts[r], tokens.begin() + starts[r + 1]});
    return corpus;
}

}  // namespace

TEST_CASE("score: sums the log-probabilities that transformers computed, in batches of any size") {
    for (const std::string& name : kGoldenModels) {
        CAPTURE(name);
        GoldenModel<float> golden(name);
        const Corpus corpus = golden_corpus(golden);
        double loss = 0.0, squares = 0.0;
        const auto logprob = golden.floats("logprob");
        for (const float each : logprob) {
            loss -= each;
            squares += double{each} * each;
        }
        const auto all = corpus.num_tokens();
        for (const int64_t tokens : {corpus.longest_row(), corpus.longest_row() + 3, all}) {
            CAPTURE(tokens);
            Transformer<float> model(golden.folder.config, golden.store,
                                     {.tokens = tokens, .longest_row = corpus.longest_row()});
            int64_t done = 0;
            const ScoreSum sum = score(model, corpus, [&](int64_t rows) {
                CHECK(rows > done);
                done = rows;
            });
            CHECK(std::abs(sum.loss - loss) <= 1e-5 * loss);
            CHECK(std::abs(sum.loss_squares - squares) <= 1e-5 * squares);
            CHECK(sum.tokens == corpus.target_tokens());
            CHECK(done == corpus.num_rows());
        }
    }
}

TEST_CASE("score: the loss of instruction rows is transformers' with the other labels ignored") {
    // Plain, as smollm2 and as chatml; the tiny model's vocabulary is smaller than the tokenizer's.
    const Tokenizer tokenizer = chat_tokenizer();
    const nlohmann::json expected = chat_golden();
    GoldenModel<float> golden("llama");
    for (const std::string name : {"", "smollm2", "chatml"}) {
        CAPTURE(name);
        const TemporaryFolder folder;
        nlohmann::json rows = nlohmann::json::array();
        for (const auto& row : expected["rows"])
            if (row["template"] == name) rows.push_back(row["row"]);
        put(folder / "rows.json", rows.dump());
        CorpusOptions options{.max_length = 256};
        if (!name.empty()) options.chat = ChatTemplate::named(name, "--chat_template");
        const Corpus read =
            read_corpus({(folder / "rows.json").string()}, "--eval_data", tokenizer, options);
        Corpus corpus;
        for (int64_t r = 0; r < read.num_rows(); ++r) {
            std::vector<int32_t> ids(read.row(r).begin(), read.row(r).end());
            for (int32_t& id : ids) id %= golden.folder.config.vocab_size;
            corpus.append(ids, read.row_weights(r));
        }
        Transformer<float> model(
            golden.folder.config, golden.store,
            {.tokens = 2 * corpus.longest_row(), .longest_row = corpus.longest_row()});
        const ScoreSum sum = score(model, corpus);
        CHECK(sum.tokens == expected["loss"][name]["tokens"].get<int64_t>());
        CHECK(sum.tokens == corpus.target_tokens());
        // fp32 against float64: as above.
        const double loss = expected["loss"][name]["sum"].get<double>();
        CHECK(std::abs(sum.loss - loss) <= 1e-5 * loss);
    }
}

TEST_CASE("score: a model that prefers nothing loses the log of its vocabulary, without error") {
    GoldenModel<float> golden("gpt2");
    for (float& weight : golden.store.weights()) weight = 0.0f;
    Transformer<float> model(golden.folder.config, golden.store, {.tokens = 8, .longest_row = 4});
    const ScoreSum sum = score(model, corpus_of({{1, 2, 3, 4}, {5}, {6, 7}}));
    CHECK(sum.tokens == 4);
    CHECK(std::abs(sum.mean() - std::log(97.0)) <= 1e-6);
    CHECK(sum.standard_error() <= 1e-4);
}

TEST_CASE("score: the standard error of a mean is that of the textbook") {
    // Losses 1, 2, 3, 4: variance 5/3, standard error sqrt(5/3 / 4).
    const ScoreSum sum{.loss = 10.0, .loss_squares = 30.0, .tokens = 4};
    CHECK(sum.mean() == 2.5);
    CHECK(std::abs(sum.standard_error() - std::sqrt(5.0 / 12.0)) <= 1e-12);
    CHECK(ScoreSum{.loss = 3.0, .loss_squares = 9.0, .tokens = 1}.standard_error() == 0.0);
}

TEST_CASE("score: no rows score nothing; a row longer than the model was made for is an error") {
    GoldenModel<float> golden("gpt2");
    Transformer<float> model(golden.folder.config, golden.store, {.tokens = 8, .longest_row = 4});
    CHECK(score(model, Corpus{}).tokens == 0);
    CHECK_THROWS_AS(score(model, corpus_of({{1, 2, 3, 4, 5}})), Error);
}
