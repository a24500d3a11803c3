// PTX text as words, and what is wrong with texts that end too early.

#include "kernels/simt/ptx/lexer.h"

#include "kernels/core/check.h"
#include "tests/support/doctest.h"
#include "tests/support/ptx.h"

using simt::ptx::Lexer;
using simt::ptx::Token;

TEST_CASE("simt PTX lexer: words, numbers, texts, signs and their lines") {
    Lexer lexer("a.ptx",
                "ld.shared::cta.u32 %r1, [x+-4]; // a comment\n/* another\n one */ L1: 0f3F800000\n"
                "\"nounroll\"");
    const struct {
        Token::Kind kind;
        const char* value;
        int line;
    } kExpected[] = {
        {Token::word, "ld.shared::cta.u32", 1},
        {Token::word, "%r1", 1},
        {Token::sign, ",", 1},
        {Token::sign, "[", 1},
        {Token::word, "x", 1},
        {Token::sign, "+", 1},
        {Token::sign, "-", 1},
        {Token::number, "4", 1},
        {Token::sign, "]", 1},
        {Token::sign, ";", 1},
        {Token::word, "L1", 3},
        {Token::sign, ":", 3},
        {Token::number, "0f3F800000", 3},
        {Token::text, "nounroll", 4},
        {Token::end, "", 4},
    };
    for (const auto& expected : kExpected) {
        const Token token = lexer.next();
        CHECK(token.kind == expected.kind);
        CHECK(token.value == expected.value);
        CHECK(token.line == expected.line);
    }
}

TEST_CASE("simt PTX lexer: integers in every notation, of at most 64 bits") {
    uint64_t value = 0;
    CHECK((simt::ptx::parse_integer("42", &value) && value == 42));
    CHECK((simt::ptx::parse_integer("0x2aU", &value) && value == 42));
    CHECK((simt::ptx::parse_integer("052", &value) && value == 42));
    CHECK((simt::ptx::parse_integer("0b101010", &value) && value == 42));
    CHECK((simt::ptx::parse_integer("0", &value) && value == 0));
    CHECK((simt::ptx::parse_integer("18446744073709551615", &value) && value == ~uint64_t{0}));
    CHECK(!simt::ptx::parse_integer("18446744073709551616", &value));
    CHECK(!simt::ptx::parse_integer("0x", &value));
    CHECK(!simt::ptx::parse_integer("12a", &value));
}

TEST_CASE(
    "simt PTX lexer: a body ends at its own brace, or the error says where it began to lack") {
    Lexer lexer("a.ptx", "{ a { b } \"}\" // }\n c } d");
    const auto body = lexer.skip_body("the body of k");
    CHECK(body.text == " a { b } \"}\" // }\n c ");
    CHECK(lexer.next().value == "d");
    for (const char* text : {"{ a { b }", "{", "{ /* }", "{ \"} "}) {
        CAPTURE(text);
        CHECK_THROWS_AS(Lexer("a.ptx", text).skip_body("the body of k"), InputError);
    }
    CHECK(message_of([] { Lexer("a.ptx", "\n{ a").skip_body("the body of k"); }) ==
          "a.ptx:2: the file ends within the body of k, found the end");
}

TEST_CASE("simt PTX lexer: what is expected and not there is named with what is") {
    Lexer lexer("a.ptx", "a ; 7");
    CHECK(message_of([&] { lexer.expect("("); }) == "a.ptx:1: expected '(', found \"a\"");
    CHECK(message_of([&] { lexer.expect_integer("a number"); }) ==
          "a.ptx:1: expected a number, found \"a\"");
    lexer.next();
    CHECK_THROWS_AS(lexer.expect_word("a name"), InputError);
}
