// JSON of unknown origin: what is refused, and whether the message says where.

#include "model/io/json.h"

#include <nlohmann/json.hpp>

#include "model/text/unicode.h"
#include "tests/support/doctest.h"
#include "tests/support/temporary_folder.h"

namespace {
std::string complaint(const std::string& text, JsonLimits limits = {}) {
    return input_error([&] { parse_json(text, "a.json", limits); });
}
}  // namespace

TEST_CASE("parse_json: a syntax error names file and byte") {
    CHECK(contains(complaint("{\"a\": 1,}"), "a.json: byte 9: not JSON"));
    CHECK(contains(complaint(""), "a.json: byte 1: not JSON"));
    CHECK(contains(complaint("{\"a\": 1} x"), "a.json: byte 10: not JSON"));
    CHECK(contains(complaint("{\"a\": NaN}"), "not JSON"));
    CHECK(contains(complaint("{\"a\": \"\xff\"}"), "not JSON"));
    CHECK(contains(complaint("{\"a\": 1e999}"), "not JSON"));
}

TEST_CASE("parse_json: a complaint about a long string is short and whole characters") {
    for (size_t ascii = 0; ascii < 3; ++ascii) {
        std::string text = "{\"a\": \"" + std::string(ascii, 'x');
        for (int i = 0; i < 10'000; ++i) text += "\u7b2c";
        const std::string message = complaint(text + "\x01\"}");
        CHECK(message.size() < 260);
        CHECK(is_valid_utf8(message));
        CHECK(contains(message, "control character U+0001"));
        CHECK(message.ends_with("<U+0001>'"));
    }
}

TEST_CASE("parse_json: every cut of a document is refused") {
    const std::string text = R"({"a": [1, 2.5, "x\u00e9\\"], "b": {"c": null, "d": true}})";
    CHECK(complaint(text) == "");
    for (size_t length = 0; length < text.size(); ++length) {
        CAPTURE(length);
        CHECK(complaint(text.substr(0, length)) != "");
    }
}

TEST_CASE("parse_json: depth is limited, brackets in strings are not depth") {
    CHECK(complaint(std::string(64, '[') + std::string(64, ']')) == "");
    CHECK(contains(complaint(std::string(65, '[') + std::string(65, ']')),
                   "a.json: byte 64: JSON nested 65 levels deep, expected at most 64"));
    CHECK(contains(complaint(std::string(10'000'000, '[')), "levels deep"));
    CHECK(contains(complaint("[" + std::string(4'000'000, ',') + "]"), "more than 4000000 values"));
    CHECK(complaint("[\"" + std::string(1000, '[') + "\\\"[\"]") == "");
}

TEST_CASE("parse_json: a repeated key is refused, equal keys of different objects are not") {
    CHECK(contains(complaint(R"({"a": {"b": 1}, "a": 2})"), "key \"a\" appears twice"));
    CHECK(contains(complaint(R"([{"x": {"b": 1, "b": 2}}])"), "key \"b\" appears twice"));
    CHECK(complaint(R"({"a": {"a": 1}, "b": [{"a": 1}, {"a": 2}]})") == "");
    CHECK(complaint(R"({"a": 1, "a": 2})", {.allow_repeated_keys = true}) == "");
}

TEST_CASE("parse_json: size is limited") {
    CHECK(contains(complaint("[1, 2]", {.max_bytes = 5}), "found 6 bytes of JSON"));
}

TEST_CASE("read_json_file: missing files, folders and large files are named") {
    const TemporaryFolder folder;
    CHECK(contains(input_error([&] { read_json_file(folder / "none.json"); }),
                   "none.json: cannot be opened: No such file"));
    CHECK(contains(input_error([&] { read_json_file(folder.path()); }), "found a folder"));
    put(folder / "big.json", std::string(100, ' '));
    CHECK(contains(input_error([&] { read_json_file(folder / "big.json", {.max_bytes = 99}); }),
                   "more than 99 bytes"));
    std::filesystem::create_symlink("loop.json", folder / "loop.json");
    CHECK(contains(input_error([&] { read_json_file(folder / "loop.json"); }),
                   "loop.json: cannot be opened: Too many levels of symbolic links"));
}

TEST_CASE("JsonObject: wrong types name key, found and expected; null counts as absent") {
    const nlohmann::json json = nlohmann::json::parse(
        R"({"n": 3, "f": 2.5, "s": "x", "b": true, "z": null, "list": [1, 2], "big": 18446744073709551615,
            "huge": [1, 18446744073709551615]})");
    const JsonObject object(json, "c.json");
    CHECK(object.integer("n") == 3);
    CHECK(object.number("n") == 3.0);
    CHECK(object.integers("n") == std::vector<int64_t>{3});
    CHECK(object.integers("list") == std::vector<int64_t>{1, 2});
    CHECK(object.integer_or("z", 7) == 7);
    CHECK_FALSE(object.has("z"));
    CHECK(input_error([&] { object.integer("f"); }) == "c.json: f: found 2.5, expected an integer");
    CHECK(input_error([&] { object.integer("gone"); }) ==
          "c.json: gone: missing, expected an integer");
    CHECK(contains(input_error([&] { object.integer("big"); }), "below 2^63"));
    CHECK(contains(input_error([&] { object.integers("huge"); }), "a list of integers"));
    CHECK(contains(input_error([&] { object.string("n"); }), "expected a string"));
    CHECK(contains(input_error([&] { object.boolean_or("s", true); }), "expected true or false"));
    CHECK(contains(input_error([&] { JsonObject(json["list"], "c.json"); }),
                   "found [1,2], expected a JSON object"));
}

TEST_CASE("parse_json: a complaint quotes no more than fits in a line") {
    const std::string text = "[" + std::string(100'000, '9') + "]";
    const std::string found = input_error([&] { parse_json(text, "c.json"); });
    CHECK(contains(found, "c.json: not JSON: number overflow"));
    CHECK(found.size() < 300);
}

TEST_CASE("parse_json: a long list of objects takes a time in proportion to its length") {
    // With a look at all objects before each, as nlohmann's callbacks have it, minutes.
    std::string text = "[";
    for (int i = 0; i < 300'000; ++i) text += "{\"a\":1},";
    text.back() = ']';
    CHECK(parse_json(text, "c.json").size() == 300'000);
}

TEST_CASE("parse_ordered_json: an object of more keys than can be looked up is refused") {
    std::string text = "{";
    for (int i = 0; i < 10'001; ++i) text += fmt::format("\"{}\":1,", i);
    text.back() = '}';
    CHECK(contains(input_error([&] { parse_ordered_json(text, "c.json"); }),
                   "c.json: found an object of more than 10000 keys"));
    CHECK(parse_json(text, "c.json").size() == 10'001);
}
