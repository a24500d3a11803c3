#include "model/text/vocabulary.h"

#include <nlohmann/json.hpp>

#include "kernels/core/check.h"
#include "tests/support/doctest.h"

using nlohmann::json;

namespace {

const TokenIds kIds{{"a", 0}, {"b", 1}, {"ab", 2}, {"c", 3}};

}  // namespace

TEST_CASE("read_token_ids: ids are integers in bounds, all different") {
    CHECK(read_token_ids(json::parse(R"({"a": 0, "b": 7})"), "v") == TokenIds{{"a", 0}, {"b", 7}});
    for (const char* text :
         {R"({"a": -1})", R"({"a": 4194304})", R"({"a": 1.5})", R"({"a": "1"})",
          R"({"a": 18446744073709551615})", R"({"a": null})", "{}", "[]", "null", R"({"": 0})"}) {
        CAPTURE(text);
        CHECK_THROWS_AS(read_token_ids(json::parse(text), "v"), InputError);
    }
    CHECK_THROWS_WITH_AS(read_token_ids(json::parse(R"({"a": 3, "b": 3})"), "v"),
                         "v: tokens \"a\" and \"b\" share id 3", InputError);
}

TEST_CASE("read_merges: strings and pairs mean the same") {
    for (const char* text : {R"(["a b"])", R"([["a", "b"]])"}) {
        const auto merges = read_merges(json::parse(text), kIds, "v");
        REQUIRE(merges.size() == 1);
        CHECK(merges[0].left == 0);
        CHECK(merges[0].right == 1);
        CHECK(merges[0].merged == 2);
    }
    CHECK(read_merges(json::array(), kIds, "v").empty());
}

TEST_CASE("read_merges: unknown tokens and odd shapes are refused by place") {
    CHECK_THROWS_WITH_AS(read_merges(json::parse(R"(["a b", "a x"])"), kIds, "v"),
                         "v: merge 1: right token \"x\" is not in the vocabulary", InputError);
    CHECK_THROWS_WITH_AS(read_merges(json::parse(R"(["b a"])"), kIds, "v"),
                         "v: merge 0: merged token \"ba\" is not in the vocabulary", InputError);
    for (const char* text : {R"(["ab"])", R"(["a b c"])", R"([" ab"])", R"(["a "])", R"([["a"]])",
                             R"([["a", 1]])", R"([["", "a"]])", R"([7])", R"({"a": "b"})"}) {
        CAPTURE(text);
        CHECK_THROWS_AS(read_merges(json::parse(text), kIds, "v"), InputError);
    }
}

TEST_CASE("parse_merges: a version line, empty lines and CRLF are fine") {
    CHECK(parse_merges("#version: 0.2\na b\n", kIds, "m").size() == 1);
    CHECK(parse_merges("a b\r\n\r\n", kIds, "m").size() == 1);
    CHECK(parse_merges("a b", kIds, "m").size() == 1);
    CHECK(parse_merges("", kIds, "m").empty());
    CHECK_THROWS_WITH_AS(parse_merges("#version: 0.2\na b\nab\n", kIds, "m"),
                         "m: line 3: found \"ab\", expected two tokens with a space between",
                         InputError);
}
