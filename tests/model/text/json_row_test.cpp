// Rows read the fast way are what the parser makes of them, and complaints are the parser's.

#include "model/text/json_row.h"

#include <nlohmann/json.hpp>
#include <random>

#include "kernels/core/check.h"
#include "model/io/json.h"
#include "tests/support/doctest.h"

namespace {

// The value, typed, or the complaint.
template <class Parse>
std::string outcome(Parse parse, const std::string& text) {
    try {
        const nlohmann::json value = parse(text);
        return std::string(value.type_name()) + " " + value.dump();
    } catch (const InputError& error) {
        return error.what();
    }
}

void check_same(const std::string& text) {
    CAPTURE(text);
    CHECK(outcome([](const std::string& t) { return parse_json_row(t, "rows line 1"); }, text) ==
          outcome([](const std::string& t) { return parse_json(t, "rows line 1"); }, text));
}

}  // namespace

TEST_CASE("json row: objects, good and bad, are what the parser says") {
    for (const char* text : {R"({"text": "a"})",
                             R"( { "a" : "b" , "c":"d" } )",
                             "{}",
                             "{ }",
                             "",
                             "[]",
                             "1",
                             "{",
                             R"({"a"})",
                             R"({"a":})",
                             R"({"a":"b",})",
                             R"({"a":"b"} x)",
                             R"({"a":"b" "c":"d"})",
                             R"({"a":"b","a":"c"})",
                             R"({"a":1,"b":-0.5e3,"c":true,"d":null,"e":false})",
                             R"({"a":01})",
                             R"({"a":tru})",
                             R"({"a":1e999})",
                             R"({"a":18446744073709551616})",
                             R"({"a":{"b":1}})",
                             R"({"a":["b"]})",
                             R"({"a":"\"\\\/\b\f\n\r\t"})",
                             R"({"a":"\x"})",
                             R"({"a":"\u0041\u00e9\u7b2c\ud83d\ude00\u0000"})",
                             R"({"a":"\ud83d"})",
                             R"({"a":"\ude00"})",
                             R"({"a":"\ud83d\u0041"})",
                             R"({"a":"\u00g0"})",
                             R"({"a":"\u00)",
                             R"({"a":"\)",
                             "{\"a\":\"b",
                             "{\"a\":\"\t\"}",
                             "{\"a\":\"\x7f\"}",
                             "{\"a\":\"\xff\"}",
                             "{\"a\":\"\xc3\xa9\"}",
                             "{\"a\":\"\xed\xa0\x80\"}",
                             "{\"a\":\"\xf4\x90\x80\x80\"}",
                             "{\"\xc3\xa9\":\"b\"}",
                             "\xEF\xBB\xBF{\"a\":\"b\"}",
                             "{\"a\":\"b\"}\r",
                             "{\"a\":1]"})
        check_same(text);
}

TEST_CASE("json row: spoiled rows are what the parser says") {
    const std::string row =
        R"({"instruction": "Say \"hi\"\n", "input": "caf\u00e9 )"
        "\xe7\xac\xac"
        R"(", "id": -12.5, "ok": true, "none": null, "output": "\ud83d\ude00 a b c"})";
    const std::string bytes = "\"\\{}[]:,u0dD e-.n\n\t\xc3\xa9\xff\x01";
    std::mt19937 random(1);
    check_same(row);
    for (int round = 0; round < 20'000; ++round) {
        std::string text = row;
        for (size_t changes = 1 + random() % 3; changes > 0; --changes) {
            const size_t at = random() % text.size();
            if (random() % 2 == 0) {
                text[at] = bytes[random() % bytes.size()];
            } else {
                text.erase(at, 1 + random() % 3);
            }
        }
        check_same(text);
    }
}
