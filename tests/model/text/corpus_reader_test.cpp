// Text into rows of tokens. The tokenizer has <|endoftext|> as 0 and one token a byte.

#include "model/text/corpus_reader.h"

#include <algorithm>
#include <random>

#include "kernels/core/check.h"
#include "kernels/core/parallel.h"
#include "model/text/tokenizer_writer.h"
#include "tests/support/bytes_tokenizer.h"
#include "tests/support/doctest.h"
#include "tests/support/temporary_folder.h"

namespace {

constexpr const char* kEnd = "<|endoftext|>";

struct Files {
    TemporaryFolder folder;
    std::string path(const std::string& name) const { return (folder.path() / name).string(); }
    std::string put(const std::string& name, const std::string& text) const {
        std::filesystem::create_directories((folder.path() / name).parent_path());
        ::put(folder / name, text);
        return path(name);
    }
};

Corpus read(const std::string& path, const CorpusOptions& options = {}) {
    return read_corpus({path}, "--train_data", bytes_tokenizer(), options);
}

// The rows as text, <|endoftext|> written as "|".
std::vector<std::string> texts(const Corpus& corpus) {
    std::vector<std::string> rows;
    for (int64_t r = 0; r < corpus.num_rows(); ++r) {
        std::string text;
        for (const int32_t id : corpus.row(r))
            text += id == 0 ? "|" : bytes_tokenizer().token_bytes(id);
        rows.push_back(text);
    }
    return rows;
}

using Texts = std::vector<std::string>;

bool same_rows(const Corpus& a, const Corpus& b) {
    if (a.num_rows() != b.num_rows() || a.target_tokens() != b.target_tokens()) return false;
    for (int64_t r = 0; r < a.num_rows(); ++r)
        if (!std::ranges::equal(a.row(r), b.row(r)) ||
            !std::ranges::equal(a.row_weights(r), b.row_weights(r)))
            return false;
    return a.longest_row() == b.longest_row() && a.num_tokens() == b.num_tokens();
}

// The message of the InputError that reading `path` throws.
std::string complaint(const std::string& path, const CorpusOptions& options = {}) {
    try {
        read(path, options);
    } catch (const InputError& error) {
        return error.what();
    }
    return "";
}

}  // namespace

TEST_CASE("corpus: windows of a text file are the whole document, in order, and one EOS") {
    const Files files;
    const std::string text = "The quick brown fox.\nJumps";  // 26 bytes
    const std::string path = files.put("a.txt", text);
    for (const int64_t length : {3, 5, 9, 25, 27, 100}) {
        CAPTURE(length);
        const Corpus corpus = read(path, {.max_length = length});
        std::string all;
        for (const std::string& row : texts(corpus)) all += row;
        CHECK(all == text + "|");
        for (int64_t r = 0; r + 1 < corpus.num_rows(); ++r)
            CHECK(static_cast<int64_t>(corpus.row(r).size()) == length);
        CHECK(corpus.num_rows() == (27 + length - 1) / length);
        CHECK(corpus.source.rows_read == corpus.num_rows());
        CHECK(corpus.longest_row() == std::min<int64_t>(length, 27));
        CHECK(corpus.target_tokens() == 27 - corpus.num_rows());
        CHECK(corpus.source.bytes == 26);
    }
}

TEST_CASE("corpus: a last window of one token has nothing to predict and is counted") {
    const Files files;
    const Corpus corpus = read(files.put("a.txt", "abcd"), {.max_length = 4});
    CHECK(texts(corpus) == Texts{"abcd"});
    CHECK(corpus.source.rows_read == 2);
    CHECK(corpus.source.dropped_empty == 1);
}

TEST_CASE("corpus: one EOS ends a document, and none is added to one that ends so") {
    const Files files;
    CHECK(texts(read(files.put("a.txt", "ab"))) == Texts{"ab|"});
    CHECK(texts(read(files.put("b.txt", std::string("ab") + kEnd))) == Texts{"ab|"});
    CHECK(texts(read(files.put("c.txt", std::string("ab") + kEnd + "\n"))) == Texts{"ab|\n|"});
    CHECK(texts(read(files.put("d.txt", std::string("a") + kEnd + "b"))) == Texts{"a|b|"});
}

TEST_CASE("corpus: text files do not truncate, whatever --truncation says") {
    const Files files;
    const std::string path = files.put("a.txt", "abcdefgh");
    for (const Truncation truncation : {Truncation::error, Truncation::drop, Truncation::truncate})
        CHECK(texts(read(path, {.truncation = truncation, .max_length = 6})) ==
              Texts{"abcdef", "gh|"});
}

TEST_CASE("corpus: paragraphs are what blank lines separate, lines what newlines end") {
    const Files files;
    const std::string path = files.put("a.txt", "one\ntwo\n\nthree\n\n\n  \n\nfour\n");
    CHECK(texts(read(path, {.text_rows = TextRows::paragraph})) ==
          Texts{"one\ntwo|", "three|", "four|"});
    const Corpus lines = read(path, {.text_rows = TextRows::line});
    CHECK(texts(lines) == Texts{"one|", "two|", "three|", "four|"});
    CHECK(lines.source.rows_read == 4);
    CHECK(lines.source.bytes == 15);
    CHECK(texts(read(files.put("b.txt", "no newline"), {.text_rows = TextRows::line})) ==
          Texts{"no newline|"});
}

TEST_CASE("corpus: the ends of lines may be those of Windows") {
    const Files files;
    const std::string path = files.put("a.txt", "one\r\ntwo\r\n\r\nthree\r\n");
    CHECK(texts(read(path, {.text_rows = TextRows::line})) == Texts{"one|", "two|", "three|"});
    CHECK(texts(read(path, {.text_rows = TextRows::paragraph})) == Texts{"one\r\ntwo|", "three|"});
    const std::string rows = files.put("a.jsonl", "{\"text\": \"a\"}\r\n\r\n{\"text\": \"b\"}\r\n");
    CHECK(texts(read(rows)) == Texts{"a|", "b|"});
}

TEST_CASE("corpus: rows that are too long are dropped, cut or refused, and counted") {
    const Files files;
    const std::string path = files.put("a.txt", "abc\nabcdefgh\nab\n");
    const auto lines = [](Truncation truncation) {
        return CorpusOptions{
            .text_rows = TextRows::line, .truncation = truncation, .max_length = 5};
    };
    const Corpus dropped = read(path, lines(Truncation::drop));
    CHECK(texts(dropped) == Texts{"abc|", "ab|"});
    CHECK(dropped.source.rows_read == 3);
    CHECK(dropped.source.dropped_long == 1);
    CHECK(dropped.source.bytes == 5);
    const Corpus cut = read(path, lines(Truncation::truncate));
    CHECK(texts(cut) == Texts{"abc|", "abcde", "ab|"});
    CHECK(cut.source.truncated_rows == 1);
    CHECK(cut.source.truncated_tokens == 4);
    CHECK(complaint(path, lines(Truncation::error)) ==
          path +
              " line 2: 9 tokens, expected at most 5 (--max_length; or --truncation drop or "
              "truncate)");
}

TEST_CASE("corpus: rows of JSON are the texts of their objects, a line or an element each") {
    const Files files;
    const Texts expected = {"a\n|", "\xC3\xA9|", "b|"};
    const Corpus lines = read(
        files.put("a.jsonl",
                  "{\"text\": \"a\\n\", \"id\": 1}\n\n{\"text\": \"\\u00e9\"}\n{\"text\": \"b\"}"));
    CHECK(texts(lines) == expected);
    CHECK(lines.source.bytes == 5);
    CHECK(texts(read(files.put("a.json",
                               "[{\"text\": \"a\\n\"}, {\"text\": \"\\u00e9\"},\n"
                               "{\"text\": \"b\"}]"))) == expected);
    const Corpus empty = read(files.put("b.jsonl", "{\"text\": \"\"}\n{\"text\": \"c\"}\n"));
    CHECK(texts(empty) == Texts{"c|"});
    CHECK(empty.source.dropped_empty == 1);
    CHECK(empty.source.rows_read == 2);
}

TEST_CASE("corpus: complaints about rows of JSON name the file and the line or row") {
    const Files files;
    const auto says = [&](const std::string& name, const std::string& text) {
        const std::string path = files.put(name, text);
        const std::string message = complaint(path);
        REQUIRE(message.rfind(path, 0) == 0);
        return message.substr(path.size());
    };
    CHECK(says("a.jsonl", "{\"text\": \"a\"}\n\n{\"texts\": \"b\"}\n") ==
          " line 3: has no key \"text\"");
    CHECK(says("b.jsonl", "{\"text\": 5}") == " line 1: \"text\" is 5, expected a string");
    CHECK(says("c.jsonl", "{\"text\": \"a\"}\n[1]") == " line 2: found [1], expected an object");
    CHECK(says("d.jsonl", "{\"text\": \"a\"}\n{\"text\"\n").rfind(" line 2: ", 0) == 0);
    CHECK(says("e.json", "[{\"text\": \"a\"}, {}]") == " row 2: has no key \"text\"");
    CHECK(says("f.json", "{\"text\": \"a\"}") ==
          ": found {\"text\":\"a\"}, expected a list of rows");
}

TEST_CASE("corpus: of instruction rows the answer is trained; JSON and JSONL are the same rows") {
    const Files files;
    const std::string one = R"({"instruction": "Add", "input": "1, 2", "output": "3"})";
    const std::string two = R"({"instruction": "Greet", "output": "hello"})";
    const CorpusOptions options{.chat = ChatTemplate::named("chatml", "--chat_template")};
    const Corpus lines = read(files.put("a.jsonl", one + "\n" + two + "\n"), options);
    const Corpus list = read(files.put("b.json", "[" + one + ",\n" + two + "]"), options);
    CHECK(same_rows(lines, list));
    REQUIRE(lines.num_rows() == 2);
    CHECK(lines.row_weights(0).size() == lines.row(0).size());
    std::string trained;
    for (int64_t r = 0; r < lines.num_rows(); ++r)
        for (size_t n = 0; n < lines.row(r).size(); ++n)
            if (lines.row_weights(r)[n] == 1.0f)
                trained += bytes_tokenizer().token_bytes(lines.row(r)[n]);
    CHECK(trained == "3<|im_end|>hello<|im_end|>");
    CHECK(lines.target_tokens() == static_cast<int64_t>(trained.size()));
    REQUIRE(lines.source.files.size() == 1);
    CHECK(lines.source.files[0].format == RowFormat::alpaca);
    CHECK(texts(read(files.path("a.jsonl")))[0].starts_with("Below is an instruction"));
}

TEST_CASE("corpus: rows of text before and after rows of instructions are trained whole") {
    const Files files;
    const std::string text = files.put("a.jsonl", "{\"text\": \"abc\"}");
    const std::string rows = files.put("b.jsonl", R"({"instruction": "a", "output": "b"})");
    CorpusOptions options{.chat = ChatTemplate::named("chatml", "--chat_template")};
    const Corpus corpus =
        read_corpus({text, rows, text}, "--train_data", bytes_tokenizer(), options);
    REQUIRE(corpus.num_rows() == 3);
    for (const int64_t r : {0, 2}) CHECK(corpus.row_weights(r).empty());
    CHECK(corpus.row_weights(1)[0] == 0.0f);
    CHECK(corpus.target_tokens() == 3 + 11 + 3);  // "b<|im_end|>" is 11 bytes
}

TEST_CASE("corpus: an instruction row cut before its answer has nothing to train and is counted") {
    const Files files;
    const std::string path = files.put("a.jsonl", R"({"instruction": "a", "output": "b"})");
    const Corpus whole = read(path, {.truncation = Truncation::truncate});
    const auto length = whole.num_tokens();
    REQUIRE(whole.target_tokens() == 2);
    const Corpus half = read(path, {.truncation = Truncation::truncate, .max_length = length - 1});
    CHECK(half.target_tokens() == 1);
    const Corpus none = read(path, {.truncation = Truncation::truncate, .max_length = length - 2});
    CHECK(none.num_rows() == 0);
    CHECK(none.source.dropped_empty == 1);
    CHECK(none.source.truncated_rows == 1);
}

TEST_CASE("corpus: --format decides where it is given, and the first row of a file where not") {
    const Files files;
    const std::string both = R"({"instruction": "a", "output": "b", "text": "all"})"
                             "\n"
                             R"({"text": "only"})";
    const std::string path = files.put("a.jsonl", both);
    CHECK(texts(read(path, {.format = RowFormat::text})) == Texts{"all|", "only|"});
    CHECK(complaint(path) == path + " line 2: has no key \"instruction\"");
    CHECK(complaint(path, {.format = RowFormat::alpaca}) ==
          path + " line 2: has no key \"instruction\"");
    const std::string text = files.put("a.txt", "text");
    CHECK(complaint(text, {.format = RowFormat::alpaca}) ==
          text + ": is text, expected .jsonl or .json for --format alpaca");
    const std::string neither = files.put("b.jsonl", "{\"txt\": \"a\"}");
    CHECK(complaint(neither) ==
          neither + " line 1: has no key \"text\", nor \"instruction\" and \"output\"");
}

TEST_CASE("corpus: a zero byte and an empty file are refused by name") {
    const Files files;
    const std::string binary = files.put("a.txt", std::string("ab\0c", 4));
    CHECK(complaint(binary) == binary + ": holds a zero byte at 2, expected text");
    const std::string empty = files.put("b.jsonl", "");
    CHECK(complaint(empty) == empty + ": is empty, expected text");
}

TEST_CASE("read_corpus: paths follow each other in the order given; a repeat repeats the rows") {
    const Files files;
    const std::string a = files.put("a.txt", "aa"), b = files.put("b.txt", "bb");
    const Corpus corpus = read_corpus({b + ":2", a}, "--train_data", bytes_tokenizer(), {});
    CHECK(texts(corpus) == Texts{"bb|", "bb|", "aa|"});
    CHECK(corpus.source.bytes == 6);
}

TEST_CASE("read_corpus: rows too short to predict anything are an error of the caller") {
    const Files files;
    CHECK_THROWS_AS(read(files.put("a.txt", "abc"), {.max_length = 0}), Error);
}

namespace {

// Text with paragraphs, long lines, and words of several bytes.
std::string long_text(size_t bytes, uint32_t seed) {
    const Texts words = {"the", "whale", "caf\u00e9", "\u7b2c\u4e00\u3002", "1851", "don't", "."};
    const Texts ends = {" ", " ", " ", " ", " ", "\n", "\n\n", "\r\n", "  "};
    std::mt19937 random(seed);
    std::string text;
    while (text.size() < bytes)
        text += words[random() % words.size()] + ends[random() % ends.size()];
    return text;
}

std::string json_rows(int count) {
    std::string rows;
    for (int i = 0; i < count; ++i)
        rows += i % 3 == 0
                    ? fmt::format("{{\"instruction\": \"Add {0}\", \"output\": \"{0}\"}}\n", i)
                    : fmt::format(
                          "{{\"output\": \"a\\n{0}\", \"input\": \"b\", "
                          "\"instruction\": \"caf\u00e9\"}}\n",
                          i);
    return rows;
}

}  // namespace

TEST_CASE("read_corpus: windows, threads and files without names change no row") {
    const Files files;
    const std::string text = files.put("a.txt", long_text(40'000, 1));
    const std::string rows = files.put("a.jsonl", json_rows(500));
    const auto tokenizer = Tokenizer::from_folder("tests/golden/tokenizer/small_qwen");
    const int threads = num_threads();
    for (const TextRows kind : {TextRows::file, TextRows::paragraph, TextRows::line}) {
        const CorpusOptions options{
            .text_rows = kind, .truncation = Truncation::truncate, .max_length = 17};
        const auto read = [&](const CorpusOptions& asked) {
            return read_corpus({text, rows}, "--train_data", tokenizer, asked);
        };
        set_threads(1);
        const Corpus whole = read(options);
        CHECK(whole.num_rows() > 600);
        for (const int many : {1, 3}) {
            set_threads(many);
            for (const size_t window : {1, 50, 5000}) {
                CAPTURE(window);
                CorpusOptions other = options;
                other.window_bytes = window;
                other.bytes_in_memory = window;
                const Corpus corpus = read(other);
                CHECK(same_rows(corpus, whole));
                CHECK(corpus.source.rows_read == whole.source.rows_read);
                CHECK(corpus.source.bytes == whole.source.bytes);
                CHECK(corpus.source.truncated_tokens == whole.source.truncated_tokens);
                CHECK(corpus.source.files[1].sha256 == whole.source.files[1].sha256);
            }
        }
    }
    set_threads(threads);
}

TEST_CASE("read_corpus: windows are those of the text tokenised at once") {
    const Files files;
    const std::string text = long_text(20'000, 2);
    const auto tokenizer = Tokenizer::from_folder("tests/golden/tokenizer/small_gpt2");
    std::vector<int32_t> expected = tokenizer.encode(text);
    expected.push_back(*tokenizer.eos_id());
    const std::string path = files.put("a.txt", text);
    const auto size = static_cast<int64_t>(expected.size());
    for (const int64_t length : {int64_t{2}, int64_t{100}, size - 1, size, size + 1}) {
        const Corpus corpus = read_corpus({path}, "--train_data", tokenizer,
                                          {.max_length = length, .window_bytes = 1000});
        std::vector<int32_t> ids;
        for (int64_t r = 0; r < corpus.num_rows(); ++r)
            ids.insert(ids.end(), corpus.row(r).begin(), corpus.row(r).end());
        ids.insert(ids.end(), expected.begin() + static_cast<int64_t>(ids.size()), expected.end());
        CHECK(ids == expected);
        CHECK(corpus.source.rows_read == (size + length - 1) / length);
        CHECK(corpus.num_tokens() + corpus.source.dropped_empty == size);
    }
}

TEST_CASE("read_corpus: of several bad rows the first is named, however they are read") {
    const Files files;
    std::string rows = json_rows(300);
    const size_t middle = rows.find('\n', rows.size() / 2) + 1;
    const auto line =
        std::count(rows.begin(), rows.begin() + static_cast<int64_t>(middle), '\n') + 1;
    rows.insert(middle, "{\"instruction\": 1}\nno JSON\n");
    const std::string path = files.put("a.jsonl", rows + "[]\n");
    for (const size_t window : {1, 100, 1 << 20})
        CHECK(complaint(path, {.window_bytes = window}) ==
              fmt::format("{} line {}: \"instruction\" is 1, expected a string", path, line));
    // A row that is too long comes before a worse one behind it.
    CHECK(complaint(path, {.truncation = Truncation::error, .max_length = 10})
              .starts_with(path + " line 1: "));
}

TEST_CASE("read_corpus: a list of rows too large to hold is refused, and the way out named") {
    const Files files;
    const std::string path = files.put("a.json", "[]");
    std::filesystem::resize_file(path, uint64_t{300} << 20);
    CHECK(complaint(path) == path +
                                 ": found 300 MiB in one list, expected at most 256; as .jsonl, a "
                                 "row a line, a file may have any size");
}

TEST_CASE("read_corpus: a file's hash is that of its bytes, and progress ends with their number") {
    const Files files;
    const std::string text = long_text(5000, 3), rows = json_rows(50);
    const std::string list = "[" + rows.substr(0, rows.find('\n')) + "]";
    int64_t read_bytes = 0;
    CorpusOptions options{.window_bytes = 512};
    options.progress = [&](int64_t bytes) {
        CHECK(bytes >= read_bytes);
        read_bytes = bytes;
    };
    const Corpus corpus = read_corpus(
        {files.put("a.txt", text), files.put("a.jsonl", rows), files.put("a.json", list)},
        "--train_data", bytes_tokenizer(), options);
    REQUIRE(corpus.source.files.size() == 3);
    CHECK(corpus.source.files[0].sha256 == sha256_of(text));
    CHECK(corpus.source.files[1].sha256 == sha256_of(rows));
    CHECK(corpus.source.files[2].sha256 == sha256_of(list));
    CHECK(read_bytes == static_cast<int64_t>(text.size() + rows.size() + list.size()));
}
