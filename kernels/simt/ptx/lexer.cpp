#include "kernels/simt/ptx/lexer.h"

#include <algorithm>
#include <charconv>
#include <cstdint>

#include "kernels/core/check.h"

namespace simt::ptx {
namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_word(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || is_digit(c) || c == '_' ||
           c == '$' || c == '%' || c == '.';
}

}  // namespace

bool parse_integer(std::string_view text, uint64_t* value) {
    if (!text.empty() && (text.back() == 'U' || text.back() == 'u')) text.remove_suffix(1);
    int base = 10;
    if (text.size() > 1 && text[0] == '0') {
        base = text[1] == 'x' || text[1] == 'X' ? 16 : text[1] == 'b' || text[1] == 'B' ? 2 : 8;
        text.remove_prefix(base == 8 ? 1 : 2);
    }
    const auto parsed = std::from_chars(text.data(), text.data() + text.size(), *value, base);
    return parsed.ec == std::errc() && parsed.ptr == text.data() + text.size();
}

void Lexer::skip_spaces() {
    while (at_ < text_.size()) {
        size_t next = at_ + 1;
        if (text_.substr(at_, 2) == "//") {
            next = std::min(text_.find('\n', at_), text_.size());
        } else if (text_.substr(at_, 2) == "/*") {
            const size_t close = text_.find("*/", at_ + 2);
            next = close == std::string_view::npos ? text_.size() : close + 2;
        } else if (std::string_view(" \t\r\n").find(text_[at_]) == std::string_view::npos) {
            return;
        }
        const std::string_view skipped = text_.substr(at_, next - at_);
        line_ += static_cast<int>(std::count(skipped.begin(), skipped.end(), '\n'));
        at_ = next;
    }
}

void Lexer::advance() {
    skip_spaces();
    token_ = {Token::end, {}, line_};
    if (at_ >= text_.size()) return;
    const size_t first = at_;
    const char c = text_[at_++];
    if (c == '"') {
        const size_t close = text_.find('"', at_);
        if (close == std::string_view::npos) fail("a text without an end, expected '\"'");
        token_ = {Token::text, text_.substr(at_, close - at_), line_};
        at_ = close + 1;
        return;
    }
    if (!is_word(c)) {
        token_ = {Token::sign, text_.substr(first, 1), line_};
        return;
    }
    const auto is_scope = [&] { return text_.substr(at_, 2) == "::"; };  // shared::cta
    while (at_ < text_.size() && (is_word(text_[at_]) || is_scope())) at_ += is_scope() ? 2 : 1;
    token_ = {is_digit(c) ? Token::number : Token::word, text_.substr(first, at_ - first), line_};
}

Token Lexer::next() {
    const Token token = token_;
    advance();
    return token;
}

bool Lexer::take(std::string_view what) {
    if (!token_.is(what)) return false;
    advance();
    return true;
}

void Lexer::expect(std::string_view what) {
    if (!take(what)) fail(fmt::format("expected '{}'", what));
}

Token Lexer::expect_word(std::string_view what_it_is) {
    if (token_.kind != Token::word) fail(fmt::format("expected {}", what_it_is));
    return next();
}

int64_t Lexer::expect_integer(std::string_view what_it_is) {
    const bool negative = take("-");
    uint64_t value = 0;
    if (token_.kind != Token::number || !parse_integer(token_.value, &value))
        fail(fmt::format("expected {}", what_it_is));
    advance();
    return static_cast<int64_t>(negative ? 0 - value : value);
}

Lexer::Body Lexer::skip_body(std::string_view of) {
    if (!token_.is("{")) fail(fmt::format("expected '{{' and {}", of));
    const size_t first = at_;
    const int line = line_;
    advance();
    for (int depth = 1;; advance()) {
        if (token_.kind == Token::end) fail(fmt::format("the file ends within {}", of));
        if (token_.is("{")) ++depth;
        if (token_.is("}") && --depth == 0) break;
    }
    const size_t last = at_ - 1;
    advance();
    return {text_.substr(first, last - first), line};
}

std::string Lexer::place() const { return fmt::format("{}:{}", file_, token_.line); }

void Lexer::fail(const std::string& message) const {
    const std::string found =
        token_.kind == Token::end ? "the end" : fmt::format("\"{}\"", token_.value);
    throw InputError(fmt::format("{}: {}, found {}", place(), message, found));
}

}  // namespace simt::ptx
