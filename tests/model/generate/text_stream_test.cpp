#include "model/generate/text_stream.h"

#include "tests/support/doctest.h"

namespace {
struct Recorder {
    std::string text;
    std::vector<std::string> pieces;
    TextStream stream;
    explicit Recorder(std::vector<std::string> stops)
        : stream(std::move(stops), [this](std::string_view piece) {
              text += piece;
              if (!piece.empty()) pieces.emplace_back(piece);
          }) {}
};
}  // namespace

TEST_CASE("text_stream: text comes as it is pushed") {
    Recorder out({});
    CHECK(!out.stream.push("ab"));
    CHECK(out.text == "ab");
    CHECK(!out.stream.push("c"));
    out.stream.finish();
    CHECK(out.text == "abc");
}

TEST_CASE("text_stream: a character in two tokens is written whole") {
    Recorder out({});
    out.stream.push("a\xE2\x82");
    CHECK(out.text == "a");
    out.stream.push("\xAC");
    CHECK(out.pieces == std::vector<std::string>{"a", "\xE2\x82\xAC"});
}

TEST_CASE("text_stream: bytes that never become a character still come out") {
    Recorder out({});
    out.stream.push("\xF0\x9F");
    out.stream.push("x\xE2");
    out.stream.finish();
    CHECK(out.text == "\xF0\x9Fx\xE2");
}

TEST_CASE("text_stream: a stop text across tokens ends it and is not written") {
    Recorder out({"END", "\n\n"});
    CHECK(!out.stream.push("one E"));
    CHECK(out.text == "one ");
    CHECK(!out.stream.push("x E"));  // it was not the stop text after all
    CHECK(out.text == "one Ex ");
    CHECK(out.stream.push("ND two"));
    CHECK(out.text == "one Ex ");
}
