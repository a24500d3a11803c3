#include "model/text/bpe_trainer.h"

#include <map>
#include <nlohmann/json.hpp>
#include <random>

#include "kernels/core/check.h"
#include "model/io/json.h"
#include "model/text/byte_alphabet.h"
#include "model/text/tokenizer.h"
#include "tests/support/doctest.h"
#include "tests/support/shared_data.h"
#include "tests/support/temporary_folder.h"

namespace {

using Words = std::map<std::vector<std::string>, int64_t>;
using PairOfBytes = std::pair<std::string, std::string>;

std::vector<std::string> joined(const std::vector<std::string>& word, const PairOfBytes& pair) {
    std::vector<std::string> result;
    for (size_t i = 0; i < word.size(); ++i) {
        const bool found =
            i + 1 < word.size() && word[i] == pair.first && word[i + 1] == pair.second;
        result.push_back(found ? pair.first + pair.second : word[i]);
        i += found;
    }
    return result;
}

// The definition: count every pair anew for every merge.
std::vector<PairOfBytes> merges_by_definition(Words words, size_t count) {
    std::vector<PairOfBytes> merges;
    while (merges.size() < count) {
        std::map<PairOfBytes, int64_t> pairs;
        for (const auto& [word, times] : words)
            for (size_t i = 0; i + 1 < word.size(); ++i) pairs[{word[i], word[i + 1]}] += times;
        if (pairs.empty()) break;
        auto best = pairs.begin();
        for (auto it = pairs.begin(); it != pairs.end(); ++it)
            if (it->second >= best->second) best = it;  // in order: the last of equals is greatest
        merges.push_back(best->first);
        Words next;
        for (const auto& [word, times] : words) next[joined(word, best->first)] += times;
        words = std::move(next);
    }
    return merges;
}

std::vector<PairOfBytes> merges_of(const TrainedVocabulary& vocabulary) {
    std::vector<PairOfBytes> merges;
    for (const Merge& merge : vocabulary.merges)
        merges.emplace_back(vocabulary.token_bytes[merge.left],
                            vocabulary.token_bytes[merge.right]);
    return merges;
}

}  // namespace

TEST_CASE("train: agrees with counting everything anew") {
    std::mt19937 random(1);
    for (int round = 0; round < 20; ++round) {
        std::string text;
        Words words;
        for (int i = 0; i < 60; ++i) {
            std::vector<std::string> word{" "};
            for (size_t length = 1 + random() % 9; length > 0; --length)
                word.emplace_back(1, static_cast<char>('a' + random() % 3));
            for (const std::string& letter : word) text += letter;
            ++words[word];
        }
        BpeTrainer trainer;
        trainer.add_text(text);
        const TrainedVocabulary vocabulary = trainer.train(257 + 100);
        CHECK(merges_of(vocabulary) == merges_by_definition(words, 100));
    }
}

TEST_CASE("train: ends early when no pair is left") {
    BpeTrainer trainer;
    trainer.add_text("aaaa b");
    const TrainedVocabulary vocabulary = trainer.train(1000);
    // Both pairs of " b" and "aaaa": aa, then aa aa and " b" once each, the greater bytes first.
    CHECK(merges_of(vocabulary) == std::vector<PairOfBytes>{{"a", "a"}, {"aa", "aa"}, {" ", "b"}});
    CHECK(vocabulary.token_bytes.size() == 257 + 3);
}

TEST_CASE("train: special tokens part the text and are not learnt") {
    BpeTrainer trainer;
    for (int i = 0; i < 5; ++i) trainer.add_text("x<|endoftext|>y");
    CHECK(trainer.train(1000).merges.empty());
    CHECK(BpeTrainer().train(257).merges.empty());
}

TEST_CASE("train: a vocabulary too small for its bytes is refused") {
    CHECK_THROWS_WITH_AS(BpeTrainer().train(256), doctest::Contains("--vocab_size: found 256"),
                         InputError);
    CHECK_THROWS_AS(BpeTrainer().train(int64_t{1} << 40), InputError);
}

TEST_CASE("train_bpe: reproduces a published vocabulary and its 243 merges") {
    const auto golden = shared_data("bpe_train_golden");
    if (!golden) return;
    const TemporaryFolder folder;
    CHECK(train_bpe({*golden / "corpus.en"}, 500, folder.path()) == 500);
    const auto written = read_json_file(folder.path() / "tokenizer.json");
    CHECK(written["model"]["vocab"] == read_json_file(*golden / "train-bpe-reference-vocab.json"));
    std::string merges;
    for (const auto& pair : written["model"]["merges"])
        merges += pair[0].get<std::string>() + " " + pair[1].get<std::string>() + "\n";
    CHECK(merges == read_text_file(*golden / "train-bpe-reference-merges.txt"));
}

TEST_CASE("train_bpe: a file that cannot be read is named") {
    const TemporaryFolder folder;
    CHECK_THROWS_WITH_AS(train_bpe({folder.path() / "none.txt"}, 300, folder.path()),
                         doctest::Contains("none.txt"), InputError);
    CHECK_THROWS_AS(train_bpe({}, 300, folder.path()), InputError);
}
