// Tokens that stand outside the merges: special tokens such as <|endoftext|> and whatever else a
// tokenizer added to its vocabulary. Their text is found before the rest is cut and merged.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

struct AddedToken {
    int32_t id = 0;
    std::string content;
    bool single_word = false;  // only where no word character touches it
    bool lstrip = false;       // takes the white space before it
    bool rstrip = false;       // takes the white space behind it
    bool normalized = false;   // looked for in the normalised text, else in the text as given
    bool special = false;      // decoding can leave it out
};

class AddedTokenMatcher {
public:
    AddedTokenMatcher() = default;
    explicit AddedTokenMatcher(std::vector<AddedToken> tokens);

    struct Segment {
        std::string_view text;
        int32_t id = kText;
    };
    static constexpr int32_t kText = -1;

    // Cuts the text at the added tokens in it: the leftmost, and of those that start at the same
    // place the longest. Stripped white space belongs to the token's segment; none is empty.
    std::vector<Segment> split(std::string_view text) const;
    bool empty() const { return tokens_.empty(); }

private:
    const AddedToken* longest_at(std::string_view text, size_t position) const;

    std::vector<AddedToken> tokens_;          // sorted by content
    std::array<bool, 256> starts_a_token_{};  // [byte]
};
