// Files of any size as ids: windows, parts and threads change none.

#include "model/text/encode_file.h"

#include <random>

#include "kernels/core/parallel.h"
#include "model/text/bpe_trainer.h"
#include "tests/support/bytes_tokenizer.h"
#include "tests/support/doctest.h"
#include "tests/support/temporary_folder.h"

namespace {

const std::vector<std::string> kWords = {"the",       "whale", "\u00e9tude", "\u7b2c\u4e00\u3002",
                                         "1851",      "'s",    ".",          "<|endoftext|>",
                                         "\U0001F40B"};
const std::vector<std::string> kSpaces = {" ", " ", " ", "\n", "\n", "\n\n", "  ", "", "\t"};

std::string mixed_text(size_t bytes, uint32_t seed) {
    std::mt19937 random(seed);
    std::string text;
    while (text.size() < bytes)
        text += kWords[random() % kWords.size()] + kSpaces[random() % kSpaces.size()];
    return text;
}

struct Encoded {
    std::string text;
    std::vector<int32_t> ids;
    int parts = 0;
    std::string sha256;
};

Encoded encode(const std::filesystem::path& path, const Tokenizer& tokenizer, size_t window) {
    Encoded out;
    TextFile file(path);
    const auto visit = [&](std::string_view text, std::span<const int32_t> ids) {
        out.text += text;
        out.ids.insert(out.ids.end(), ids.begin(), ids.end());
        ++out.parts;
    };
    encode_file(file, tokenizer, visit, window);
    out.sha256 = file.sha256();
    return out;
}

}  // namespace

TEST_CASE("encode_file: windows of any size give the ids of the whole text") {
    const TemporaryFolder folder;
    const std::string text = mixed_text(30'000, 1);
    put(folder / "a.txt", text);
    for (const char* name : {"small_gpt2", "small_qwen", "small_llama"}) {
        CAPTURE(name);
        const auto tokenizer =
            Tokenizer::from_folder(std::string("tests/golden/tokenizer/") + name);
        const auto ids = tokenizer.encode(text);
        for (const size_t window : {1, 5, 100, 4096, 29'999, 1 << 20}) {
            CAPTURE(window);
            const Encoded encoded = encode(folder / "a.txt", tokenizer, window);
            CHECK(encoded.text == text);
            CHECK(encoded.ids == ids);
            CHECK(encoded.sha256 == sha256_of(text));
            CHECK(encoded.parts > 1);
        }
    }
}

TEST_CASE("encode_file: the number of threads changes nothing") {
    const TemporaryFolder folder;
    put(folder / "a.txt", mixed_text(50'000, 2));
    const auto tokenizer = Tokenizer::from_folder("tests/golden/tokenizer/small_smollm");
    const int before = num_threads();
    set_threads(1);
    const Encoded one = encode(folder / "a.txt", tokenizer, 8192);
    set_threads(5);
    const Encoded five = encode(folder / "a.txt", tokenizer, 8192);
    set_threads(before);
    CHECK(one.ids == five.ids);
    CHECK(one.parts == five.parts);
}

TEST_CASE("encode_file: a text without a place to cut is encoded whole") {
    const TemporaryFolder folder;
    const std::string text(10'000, 'a');
    put(folder / "a.txt", text);
    const Encoded encoded = encode(folder / "a.txt", bytes_tokenizer(), 64);
    CHECK(encoded.parts == 1);
    CHECK(encoded.ids == bytes_tokenizer().encode(text));
}

TEST_CASE("encode_file: bytes without a token are dropped and told on every thread") {
    const TemporaryFolder folder;
    const std::string text = mixed_text(20'000, 3);
    put(folder / "a.txt", text);
    auto files = read_tokenizer_files("tests/golden/tokenizer/small_gpt2");
    files.ids.erase("w");  // the whale's
    std::erase_if(files.merges, [](const Merge&) { return true; });
    const Tokenizer tokenizer(files), whole(files);
    CHECK(encode(folder / "a.txt", tokenizer, 4096).ids == whole.encode(text));
    CHECK(contains(tokenizer.dropped_text(), "0x77"));
    CHECK(tokenizer.dropped_text() == whole.dropped_text());
}
