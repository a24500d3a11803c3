#include "model/text/json_row.h"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <optional>

#include "model/io/json.h"
#include "model/text/unicode.h"

namespace {

using nlohmann::json;

// [byte] it stands for itself in a string: ASCII that is no quote, backslash or control character.
constexpr std::array<bool, 256> kPlain = [] {
    std::array<bool, 256> plain{};
    for (size_t c = 0x20; c < 0x80; ++c) plain[c] = c != '"' && c != '\\';
    return plain;
}();

// Reads an object of strings, numbers and literals. Whatever else there is, bad or good, makes it
// give up.
class FlatObject {
public:
    explicit FlatObject(std::string_view text) : text_(text) {}

    std::optional<json> read() {
        json object = json::object();
        auto& members = object.get_ref<json::object_t&>();
        if (!take('{')) return std::nullopt;
        if (!take('}')) {
            do {
                std::string key;
                json value;
                if (!read_string(key) || !take(':') || !read_value(value)) return std::nullopt;
                if (!members.emplace(std::move(key), std::move(value)).second) return std::nullopt;
            } while (take(','));
            if (!take('}')) return std::nullopt;
        }
        skip_spaces();
        if (at_ != text_.size()) return std::nullopt;
        return object;
    }

private:
    char peek() const { return at_ < text_.size() ? text_[at_] : '\0'; }

    void skip_spaces() {
        while (peek() == ' ' || peek() == '\t' || peek() == '\r' || peek() == '\n') ++at_;
    }

    bool take(char expected) {
        skip_spaces();
        const bool found = peek() == expected;
        at_ += found;
        return found;
    }

    bool read_value(json& value) {
        skip_spaces();
        if (peek() == '"') {
            value = std::string();
            return read_string(value.get_ref<std::string&>());
        }
        const size_t end = std::min(text_.find_first_of(",}] \t\r\n", at_), text_.size());
        const std::string_view word = text_.substr(at_, end - at_);
        if (word.empty() || word[0] == '{' || word[0] == '[') return false;
        value = json::parse(word, nullptr, /*allow_exceptions=*/false);
        at_ = end;
        return !value.is_discarded();
    }

    bool read_string(std::string& out) {
        if (!take('"')) return false;
        bool is_ascii = true;
        for (;;) {
            const size_t begin = at_;
            while (kPlain[static_cast<uint8_t>(peek())]) ++at_;
            out.append(text_, begin, at_ - begin);
            const char c = peek();
            if (static_cast<uint8_t>(c) >= 0x80) {
                is_ascii = false;
                out += c;
                ++at_;
            } else if (c == '\\') {
                if (!read_escape(out)) return false;
            } else {
                if (c != '"') return false;
                ++at_;
                return is_ascii || is_valid_utf8(out);
            }
        }
    }

    bool read_escape(std::string& out) {
        constexpr std::string_view kNames = "\"\\/bfnrt", kMeanings = "\"\\/\b\f\n\r\t";
        const char name = at_ + 1 < text_.size() ? text_[at_ + 1] : '\0';
        const size_t known = name == '\0' ? kNames.npos : kNames.find(name);
        if (known == kNames.npos && name != 'u') return false;
        at_ += 2;
        if (name != 'u') {
            out += kMeanings[known];
            return true;
        }
        int code = 0;
        if (!read_hex(code)) return false;
        if (code >= 0xDC00 && code < 0xE000) return false;
        if (code >= 0xD800 && code < 0xDC00) {  // the first half of a pair
            int second = 0;
            if (text_.substr(at_, 2) != "\\u") return false;
            at_ += 2;
            if (!read_hex(second) || second < 0xDC00 || second >= 0xE000) return false;
            code = 0x10000 + ((code - 0xD800) << 10) + (second - 0xDC00);
        }
        append_utf8(code, out);
        return true;
    }

    bool read_hex(int& code) {
        if (text_.size() - at_ < 4) return false;
        for (const size_t end = at_ + 4; at_ < end; ++at_) {
            const char c = text_[at_];
            const int digit = c >= '0' && c <= '9'   ? c - '0'
                              : c >= 'a' && c <= 'f' ? c - 'a' + 10
                              : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                                     : -1;
            if (digit < 0) return false;
            code = code << 4 | digit;
        }
        return true;
    }

    static void append_utf8(int code, std::string& out) {
        const auto tail = [&](int shift) {
            out += static_cast<char>(0x80 | (code >> shift & 0x3F));
        };
        if (code < 0x80) {
            out += static_cast<char>(code);
        } else if (code < 0x800) {
            out += static_cast<char>(0xC0 | code >> 6);
            tail(0);
        } else if (code < 0x10000) {
            out += static_cast<char>(0xE0 | code >> 12);
            tail(6), tail(0);
        } else {
            out += static_cast<char>(0xF0 | code >> 18);
            tail(12), tail(6), tail(0);
        }
    }

    std::string_view text_;
    size_t at_ = 0;
};

}  // namespace

json parse_json_row(std::string_view text, const std::string& source) {
    if (auto object = FlatObject(text).read()) return std::move(*object);
    return parse_json(text, source);
}
