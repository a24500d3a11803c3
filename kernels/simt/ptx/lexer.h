// The words of a PTX text, one after another, with the lines they stand on.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

namespace simt::ptx {

struct Token {
    enum Kind {
        end,
        word,    // add.s32  %r1  %tid.x  $L__BB0_2  .reg  shared::cta
        number,  // 42  0x2a  0f3F800000  7U
        text,    // "nounroll", without the quotes
        sign,    // one character: { } [ ] ( ) < > , ; : @ ! + - | =
    };
    Kind kind = end;
    std::string_view value;
    int line = 0;

    bool is(std::string_view what) const { return value == what && kind != text && kind != end; }
};

class Lexer {
public:
    // `file` names the text in messages; `text` must outlive the tokens.
    Lexer(std::string file, std::string_view text, int first_line = 1)
        : file_(std::move(file)), text_(text), line_(first_line) {
        advance();
    }

    const Token& peek() const { return token_; }
    Token next();
    // Takes the next token if it is `what`.
    bool take(std::string_view what);
    // It must be: an InputError says what is there instead.
    void expect(std::string_view what);
    Token expect_word(std::string_view what_it_is);
    int64_t expect_integer(std::string_view what_it_is);

    // What stands between the brace that is next and its partner, and goes on behind that.
    struct Body {
        std::string_view text;
        int line = 0;
    };
    Body skip_body(std::string_view of);

    std::string place() const;  // "gelu.ptx:12", of the next token
    [[noreturn]] void fail(const std::string& message) const;

private:
    void advance();
    void skip_spaces();

    std::string file_;
    std::string_view text_;
    size_t at_ = 0;
    int line_ = 1;
    Token token_;
};

// The value of an integer as PTX writes it: decimal, 0x, 0 (octal), 0b, perhaps with a U behind.
// False if `text` is none, or needs more than 64 bits.
bool parse_integer(std::string_view text, uint64_t* value);

}  // namespace simt::ptx
