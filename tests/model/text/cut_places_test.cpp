// Texts cut where the tokenizer allows it: the ids of the parts are those of the whole. The texts
// are drawn from what makes cuts hard; the tokenizers are all kinds there are, and then such with
// added tokens that reach for their neighbours.

#include "model/text/cut_places.h"

#include <algorithm>
#include <random>

#include "model/text/tokenizer.h"
#include "tests/support/bytes_tokenizer.h"
#include "tests/support/doctest.h"

namespace {

using Random = std::mt19937;

const std::vector<std::string> kFragments = {" ",
                                             " ",
                                             " ",
                                             "  ",
                                             "   ",
                                             "\n",
                                             "\n",
                                             "\n\n",
                                             "\r\n",
                                             "\t",
                                             "\u3000",
                                             "\u00a0",
                                             "\u2581",
                                             "\u0085",
                                             "a",
                                             "b",
                                             "the",
                                             "cat",
                                             "I",
                                             "'s",
                                             "'",
                                             "'ll",
                                             "1",
                                             "23",
                                             ".",
                                             "...",
                                             "!?",
                                             "(",
                                             ">",
                                             "e\u0301",
                                             "\u00e9",
                                             "\u0301",
                                             "\u0958",
                                             "\u212a",
                                             "\u037e",
                                             "\u7b2c",
                                             "\u3002",
                                             "\u017f",
                                             "\U0001F600",
                                             "\xff",
                                             "\xe3\x80",
                                             "\x80",
                                             "<|endoftext|>",
                                             "<s>",
                                             "</s>",
                                             "<|im_end|>"};

size_t below(size_t count, Random& random) { return random() % count; }

std::string random_text(const std::vector<AddedToken>& added, Random& random) {
    std::string text;
    for (size_t n = 1 + below(40, random); n > 0; --n) {
        const size_t i = below(kFragments.size() + 2 * added.size(), random);
        text += i < kFragments.size() ? kFragments[i] : added[(i - kFragments.size()) / 2].content;
    }
    return text;
}

// The ids of the text's parts, cut at the first places behind random ones. Counts the cuts.
std::vector<int32_t> encode_cut(const Tokenizer& tokenizer, std::string_view text, Random& random,
                                int& cuts) {
    std::vector<int32_t> ids;
    for (bool is_rest = false; !text.empty(); is_rest = true) {
        const size_t cut = tokenizer.next_cut(text, below(text.size() + 1, random) / 2);
        CHECK(cut > 0);
        CHECK(cut <= text.size());
        const std::string part(text.substr(0, cut));  // what lies behind it cannot be seen
        if (is_rest) {
            tokenizer.encode_rest(part, ids);
        } else {
            tokenizer.encode(part, ids);
        }
        cuts += cut < text.size();
        text.remove_prefix(cut);
    }
    return ids;
}

// Checks `count` texts; returns how many cuts they had.
int check_cuts(const TokenizerFiles& files, int count, uint32_t seed) {
    const Tokenizer tokenizer(files);
    Random random(seed);
    int cuts = 0;
    for (int i = 0; i < count; ++i) {
        const std::string text = random_text(files.added, random);
        const bool same = encode_cut(tokenizer, text, random, cuts) == tokenizer.encode(text);
        CHECK_MESSAGE(same, "seed ", seed, " text ", i, ": ", text);
    }
    return cuts;
}

TokenizerFiles files_of(const std::string& name) {
    return read_tokenizer_files("tests/golden/tokenizer/" + name);
}

// A token that may hold what it likes and take what is beside it.
AddedToken greedy_token(int32_t id, Random& random) {
    AddedToken token;
    token.id = id;
    while (token.content.empty() || below(3, random) > 0)
        token.content += kFragments[below(kFragments.size() - 7, random)];
    token.single_word = below(3, random) == 0;
    token.lstrip = below(3, random) == 0;
    token.rstrip = below(3, random) == 0;
    token.normalized = below(2, random) == 0;
    return token;
}

int32_t next_id(const TokenizerFiles& files) {
    int32_t next = 0;
    for (const auto& [token, id] : files.ids) next = std::max(next, id + 1);
    for (const AddedToken& token : files.added) next = std::max(next, token.id + 1);
    return next;
}

constexpr const char* kSmall[] = {"small_gpt2", "small_smollm", "small_qwen", "small_llama3",
                                  "small_llama"};

std::vector<SentencePiece> sentence_piece_rules() {
    std::vector<SentencePiece> rules;
    for (const bool in_normalizer : {false, true})
        for (const bool splits_words : {false, true})
            for (const auto prefix :
                 {SentencePiece::Prefix::none, SentencePiece::Prefix::all,
                  SentencePiece::Prefix::all_without, SentencePiece::Prefix::first_if_without})
                rules.push_back({.prefix = prefix,
                                 .in_normalizer = in_normalizer,
                                 .splits_words = splits_words});
    return rules;
}

}  // namespace

TEST_CASE("cuts: the parts of a text have the ids of the whole, whatever the tokenizer") {
    for (const char* name : kSmall) {
        CAPTURE(name);
        CHECK(check_cuts(files_of(name), 4000, 1) > 1000);
    }
}

TEST_CASE("cuts: digits, normal form C and every rule of SentencePiece keep to it") {
    using Digits = PreTokenizer::Digits;
    for (const char* name : {"small_gpt2", "small_llama3"}) {
        for (const Digits digits : {Digits::in_pattern, Digits::grouped, Digits::individual}) {
            TokenizerFiles files = files_of(name);
            files.pre_tokenizer.digits = digits;
            files.normalize_nfc = digits != Digits::in_pattern;
            CHECK(check_cuts(files, 1500, 2) > 400);
        }
    }
    for (const SentencePiece& rule : sentence_piece_rules()) {
        TokenizerFiles files = files_of("small_llama");
        files.sentence_piece = rule;
        CHECK(check_cuts(files, 1000, 3) > 500);
    }
}

TEST_CASE("cuts: added tokens with spaces in them, that strip, or that look around, are safe") {
    Random random(4);
    int cuts = 0;
    for (const char* name : kSmall) {
        for (int round = 0; round < 150; ++round) {
            TokenizerFiles files = files_of(name);
            for (size_t n = 1 + below(3, random); n > 0; --n) {
                const AddedToken token = greedy_token(next_id(files), random);
                const auto taken = [&](const AddedToken& t) { return t.content == token.content; };
                if (files.ids.count(token.content) == 0 &&
                    std::none_of(files.added.begin(), files.added.end(), taken))
                    files.added.push_back(token);
            }
            if (files.sentence_piece) files.sentence_piece = sentence_piece_rules()[round % 16];
            cuts += check_cuts(files, 60, static_cast<uint32_t>(round));
        }
    }
    CHECK(cuts > 10'000);
}

TEST_CASE("cuts: without a pattern, only before spaces that no merge crosses") {
    TokenizerFiles files = files_of("small_gpt2");
    files.pre_tokenizer.pattern = PreTokenizer::Pattern::none;
    CHECK(Tokenizer(files).next_cut("one two", 0) == 7);  // it has merges such as "\n "
    const Tokenizer every_merge(files);
    std::erase_if(files.merges, [&](const Merge& merge) {
        const std::string& text = every_merge.token_bytes(merge.merged);
        return text.find(' ', text.find_first_not_of(' ')) != std::string::npos;
    });
    CHECK(check_cuts(files, 2000, 5) > 500);
    CHECK(Tokenizer(files).next_cut("one two\nx", 0) == 3);
    CHECK(Tokenizer(files).next_cut("one\ntwo", 0) == 7);

    const auto id = [&](const std::string& token) { return files.ids.at(token); };
    const int32_t merged = next_id(files);
    files.ids["a\u0120"] = merged;  // "a "
    files.merges.push_back({.left = id("a"), .right = id("\u0120"), .merged = merged});
    CHECK(Tokenizer(files).next_cut("one two", 0) == 7);
    CHECK(Tokenizer(files).encode("a b")[0] == merged);
}

TEST_CASE("cuts: a line or a few words of any language hold a place") {
    for (const char* name : {"small_gpt2", "small_smollm", "small_qwen", "small_llama3"}) {
        CAPTURE(name);
        TokenizerFiles files = files_of(name);
        files.added.clear();  // among them are tokens made to be difficult
        const Tokenizer tokenizer(files);
        CHECK(tokenizer.next_cut("and then", 0) == 3);
        CHECK(tokenizer.next_cut("and then", 4) == 8);
        CHECK(tokenizer.next_cut("end.\nThen", 0) == 5);
        CHECK(tokenizer.next_cut("\u7b2c\u3002\n\u7b2c", 0) == 7);
        CHECK(tokenizer.next_cut("a\n\nb", 0) == 4);  // GPT-2 cuts two ends of line in the middle
    }
    CHECK(Tokenizer(files_of("small_llama")).next_cut("and then", 0) == 3);
    CHECK(bytes_tokenizer().next_cut("and then", 0) == 3);
}

TEST_CASE("cuts: a text that ends inside a character is not cut in front of it") {
    TokenizerFiles files = files_of("small_gpt2");
    files.added.clear();
    const Tokenizer tokenizer(files);
    const std::string whole = "a\n\u3000b";  // white space of three bytes
    CHECK(tokenizer.next_cut(whole.substr(0, 3), 0) == 3);
    CHECK(tokenizer.next_cut(whole, 0) == whole.size());
}
