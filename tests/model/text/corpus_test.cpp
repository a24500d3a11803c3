// Text into rows of tokens. The tokenizer has <|endoftext|> as 0 and one token a byte.

#include "model/text/corpus.h"

#include "kernels/core/check.h"
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
        CHECK(corpus.rows_read == corpus.num_rows());
        CHECK(corpus.longest_row() == std::min<int64_t>(length, 27));
        CHECK(corpus.target_tokens() == 27 - corpus.num_rows());
        CHECK(corpus.bytes == 26);
    }
}

TEST_CASE("corpus: a last window of one token has nothing to predict and is counted") {
    const Files files;
    const Corpus corpus = read(files.put("a.txt", "abcd"), {.max_length = 4});
    CHECK(texts(corpus) == Texts{"abcd"});
    CHECK(corpus.rows_read == 2);
    CHECK(corpus.dropped_empty == 1);
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
    CHECK(lines.rows_read == 4);
    CHECK(lines.bytes == 15);
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
    CHECK(dropped.rows_read == 3);
    CHECK(dropped.dropped_long == 1);
    CHECK(dropped.bytes == 5);
    const Corpus cut = read(path, lines(Truncation::truncate));
    CHECK(texts(cut) == Texts{"abc|", "abcde", "ab|"});
    CHECK(cut.truncated_rows == 1);
    CHECK(cut.truncated_tokens == 4);
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
    CHECK(lines.bytes == 5);
    CHECK(texts(read(files.put("a.json",
                               "[{\"text\": \"a\\n\"}, {\"text\": \"\\u00e9\"},\n"
                               "{\"text\": \"b\"}]"))) == expected);
    const Corpus empty = read(files.put("b.jsonl", "{\"text\": \"\"}\n{\"text\": \"c\"}\n"));
    CHECK(texts(empty) == Texts{"c|"});
    CHECK(empty.dropped_empty == 1);
    CHECK(empty.rows_read == 2);
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
    CHECK(lines.tokens == list.tokens);
    CHECK(lines.weights == list.weights);
    REQUIRE(lines.num_rows() == 2);
    CHECK(lines.row_weights(0).size() == lines.row(0).size());
    std::string trained;
    for (size_t n = 0; n < lines.tokens.size(); ++n)
        if (lines.weights[n] == 1.0f) trained += bytes_tokenizer().token_bytes(lines.tokens[n]);
    CHECK(trained == "3<|im_end|>hello<|im_end|>");
    CHECK(lines.target_tokens() == static_cast<int64_t>(trained.size()));
    REQUIRE(lines.files.size() == 1);
    CHECK(lines.files[0].format == RowFormat::alpaca);
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
    CHECK(corpus.weights.size() == corpus.tokens.size());
    for (const int64_t r : {0, 2})
        for (const float weight : corpus.row_weights(r)) CHECK(weight == 1.0f);
    CHECK(corpus.row_weights(1)[0] == 0.0f);
    CHECK(corpus.target_tokens() == 3 + 11 + 3);  // "b<|im_end|>" is 11 bytes
}

TEST_CASE("corpus: an instruction row cut before its answer has nothing to train and is counted") {
    const Files files;
    const std::string path = files.put("a.jsonl", R"({"instruction": "a", "output": "b"})");
    const Corpus whole = read(path, {.truncation = Truncation::truncate});
    const auto length = static_cast<int64_t>(whole.tokens.size());
    REQUIRE(whole.target_tokens() == 2);
    const Corpus half = read(path, {.truncation = Truncation::truncate, .max_length = length - 1});
    CHECK(half.target_tokens() == 1);
    const Corpus none = read(path, {.truncation = Truncation::truncate, .max_length = length - 2});
    CHECK(none.num_rows() == 0);
    CHECK(none.dropped_empty == 1);
    CHECK(none.truncated_rows == 1);
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

TEST_CASE("files_of: `path:2` is the path twice, unless a file has that name") {
    const Files files;
    const std::string a = files.put("a.txt", "a"), named = files.put("a:3.txt", "b");
    const auto names = [](const std::string& argument) {
        Texts found;
        for (const auto& file : files_of(argument, "--train_data"))
            found.push_back(file.filename().string());
        return found;
    };
    CHECK(names(a) == Texts{"a.txt"});
    CHECK(names(a + ":2") == Texts{"a.txt", "a.txt"});
    CHECK(names(named) == Texts{"a:3.txt"});
    CHECK(names(named + ":1") == Texts{"a:3.txt"});
    CHECK_THROWS_WITH_AS(
        names(a + ":0"),
        ("--train_data: " + a + ":0 repeats 0 times, expected 1 to 1000000").c_str(), InputError);
    CHECK_THROWS_WITH_AS(names(a + ":x"), ("--train_data: " + a + ":x does not exist").c_str(),
                         InputError);
}

TEST_CASE("files_of: folders and globs are their data files by name") {
    const Files files;
    files.put("d/b.txt", "b");
    files.put("d/a.jsonl", "a");
    files.put("d/c.json", "[]");
    files.put("d/notes.md", "no");
    files.put("d/inner/e.txt", "no");
    const auto names = [&](const std::string& argument) {
        Texts found;
        for (const auto& file : files_of(files.path(argument), "--eval_data"))
            found.push_back(file.filename().string());
        return found;
    };
    CHECK(names("d") == Texts{"a.jsonl", "b.txt", "c.json"});
    CHECK(names("d:2") == Texts{"a.jsonl", "b.txt", "c.json", "a.jsonl", "b.txt", "c.json"});
    CHECK(names("d/*.[jt]*") == Texts{"a.jsonl", "b.txt", "c.json"});
    CHECK(names("*/b.txt:2") == Texts{"b.txt", "b.txt"});
    std::filesystem::create_directories(files.path("empty"));
    CHECK_THROWS_WITH_AS(
        names("empty"),
        ("--eval_data: " + files.path("empty") + " holds no .txt, .jsonl or .json file").c_str(),
        InputError);
    CHECK_THROWS_AS(names("d/*.csv"), InputError);
    CHECK_THROWS_WITH_AS(
        names("d/notes.md"),
        ("--eval_data: " + files.path("d/notes.md") + " is no .txt, .jsonl or .json file").c_str(),
        InputError);
}

TEST_CASE("read_corpus: paths follow each other in the order given; a repeat repeats the rows") {
    const Files files;
    const std::string a = files.put("a.txt", "aa"), b = files.put("b.txt", "bb");
    const Corpus corpus = read_corpus({b + ":2", a}, "--train_data", bytes_tokenizer(), {});
    CHECK(texts(corpus) == Texts{"bb|", "bb|", "aa|"});
    CHECK(corpus.bytes == 6);
}

TEST_CASE("read_corpus: rows too short to predict anything are an error of the caller") {
    const Files files;
    CHECK_THROWS_AS(read(files.put("a.txt", "abc"), {.max_length = 0}), Error);
}
