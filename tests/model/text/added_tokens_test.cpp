#include "model/text/added_tokens.h"

#include "tests/support/doctest.h"

namespace {

// "text", "<id:text>": what the matcher makes of the text, with bars between.
std::string cut(const std::vector<AddedToken>& tokens, std::string_view text) {
    std::string joined;
    const AddedTokenMatcher matcher(tokens);
    for (const auto& segment : matcher.split(text)) {
        CHECK_FALSE(segment.text.empty());
        joined += joined.empty() ? "" : "|";
        if (segment.id == AddedTokenMatcher::kText) {
            joined += segment.text;
        } else {
            joined.append("<").append(std::to_string(segment.id)).append(":");
            joined.append(segment.text).append(">");
        }
    }
    return joined;
}

AddedToken token(int32_t id, std::string content) {
    AddedToken result;
    result.id = id;
    result.content = std::move(content);
    return result;
}

}  // namespace

TEST_CASE("added tokens: the leftmost, then the longest") {
    const std::vector<AddedToken> tokens{token(1, "ab"), token(2, "abcd"), token(3, "bc"),
                                         token(4, "b")};
    CHECK(cut(tokens, "xabcdy") == "x|<2:abcd>|y");
    CHECK(cut(tokens, "xabcy") == "x|<1:ab>|cy");
    CHECK(cut(tokens, "abcabcd") == "<1:ab>|c|<2:abcd>");
    CHECK(cut(tokens, "bbc") == "<4:b>|<3:bc>");
    CHECK(cut(tokens, "abc") == "<1:ab>|c");
    CHECK(cut(tokens, "xyz") == "xyz");
    CHECK(cut(tokens, "") == "");
    CHECK(cut({}, "abc") == "abc");
}

TEST_CASE("added tokens: lstrip and rstrip take white space, not a neighbour's") {
    AddedToken left = token(1, "<l>"), right = token(2, "<r>");
    left.lstrip = true;
    right.rstrip = true;
    CHECK(cut({left, right}, "a \n<l> b") == "a|<1: \n<l>>| b");
    CHECK(cut({left, right}, "a <r> \u3000b") == "a |<2:<r> \u3000>|b");
    CHECK(cut({left, right}, "<r>  <l>") == "<2:<r>  >|<1:<l>>");
    CHECK(cut({left, right}, "  <l>") == "<1:  <l>>");
}

TEST_CASE("added tokens: single_word only where no word character touches") {
    AddedToken word = token(1, "cat");
    word.single_word = true;
    CHECK(cut({word}, "cat cat's cats concat é-cat _cat") ==
          "<1:cat>| |<1:cat>|'s cats concat é-|<1:cat>| _cat");
    CHECK(cut({word}, "écat") == "écat");
    CHECK(cut({word}, "\u0301cat") == "\u0301cat");
}

TEST_CASE("added tokens: bytes above 127 and bytes that are not UTF-8") {
    CHECK(cut({token(1, "é"), token(2, "\u4F60\u597D")}, "é\u4F60\u4F60\u597D") ==
          "<1:é>|\u4F60|<2:\u4F60\u597D>");
    CHECK(cut({token(1, "é")}, "\xC3\xC3\xA9\xA9") == "\xC3|<1:é>|\xA9");
}
