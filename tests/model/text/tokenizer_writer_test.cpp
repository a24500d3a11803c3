#include "model/text/tokenizer_writer.h"

#include "kernels/core/check.h"
#include "model/text/tokenizer.h"
#include "tests/support/doctest.h"
#include "tests/support/temporary_folder.h"

TEST_CASE("write_tokenizer: what was trained is read back") {
    BpeTrainer trainer;
    for (int i = 0; i < 3; ++i) trainer.add_text("banana bandana\n\"naïve\" \xFF");
    const TrainedVocabulary vocabulary = trainer.train(280);
    const TemporaryFolder folder;
    write_tokenizer(vocabulary, folder.path() / "new/tokenizer");
    const Tokenizer tokenizer = Tokenizer::from_folder(folder.path() / "new/tokenizer");
    REQUIRE(tokenizer.vocab_size() == static_cast<int32_t>(vocabulary.token_bytes.size()));
    for (int32_t id = 0; id < tokenizer.vocab_size(); ++id)
        CHECK(tokenizer.token_bytes(id) == vocabulary.token_bytes[static_cast<size_t>(id)]);
    CHECK(tokenizer.eos_id() == 0);
    CHECK(tokenizer.bos_id() == 0);
    CHECK(tokenizer.pad_id() == 0);
    CHECK(tokenizer.prefix_ids().empty());
    const std::string text = "a banana<|endoftext|>\xFF\xFE";
    CHECK(tokenizer.decode(tokenizer.encode(text)) == text);
    CHECK(tokenizer.encode("banana bandana").size() < 14);
}

TEST_CASE("write_tokenizer: a tokenizer of single characters without merges") {
    TrainedVocabulary vocabulary;
    vocabulary.token_bytes = {"\n", " ", "a", "b"};
    vocabulary.pre_tokenizer.pattern = PreTokenizer::Pattern::none;
    const TemporaryFolder folder;
    write_tokenizer(vocabulary, folder.path());
    const Tokenizer tokenizer = Tokenizer::from_folder(folder.path());
    CHECK(tokenizer.encode("ab\n a") == std::vector<int32_t>{2, 3, 0, 1, 2});
    CHECK(tokenizer.eos_id() == std::nullopt);
}

TEST_CASE("write_tokenizer: a folder that cannot be made is named") {
    const TemporaryFolder folder;
    put(folder / "file", "");
    CHECK_THROWS_WITH_AS(write_tokenizer({}, folder.path() / "file/inside"),
                         doctest::Contains("file/inside"), InputError);
}
