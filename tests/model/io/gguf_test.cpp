// GGUF: values and tensors are those of the file, and no spoilt file is believed.

#include "model/io/gguf.h"

#include <limits>

#include "kernels/core/check.h"
#include "tests/support/doctest.h"
#include "tests/support/gguf_writer.h"
#include "tests/support/temporary_folder.h"

namespace {

struct Opened {
    explicit Opened(const std::string& bytes) { put(folder / "m.gguf", bytes); }
    TemporaryFolder folder;
    GgufFile file() const { return GgufFile(folder / "m.gguf"); }
};

// The complaint about a file of these bytes; empty if there is none.
std::string complaint(const std::string& bytes) {
    const Opened opened(bytes);
    return input_error([&] { opened.file(); });
}

// The complaint that `action` makes about the one file.
template <typename Action>
std::string complaint(const GgufWriter& writer, Action action) {
    const Opened opened(writer.bytes());
    const GgufFile file = opened.file();
    return input_error([&] { action(file); });
}

std::string head(uint64_t tensors, uint64_t keys, uint32_t version = 3) {
    return "GGUF" + raw(version) + raw(tensors) + raw(keys);
}

// A file of these lines of the table and so many bytes of data.
std::string with_tensors(const std::vector<std::string>& lines, size_t data_bytes) {
    std::string out = head(lines.size(), 0);
    for (const std::string& line : lines) out += line;
    out.resize((out.size() + 31) / 32 * 32);
    return out + std::string(data_bytes, '\1');
}

// A small file with a bit of everything.
GgufWriter sample() {
    GgufWriter writer;
    writer.add("text", "words");
    writer.add("count", uint32_t{7});
    writer.add("tokens", std::vector<std::string>{"a", "", "bc"});
    writer.add("scores", std::vector<float>{0.5f, -1.0f});
    writer.add_tensor("plain", {2, 3}, {1, 2, 3, 4, 5, 6});
    writer.add_tensor("blocks", {32, 2}, 8, std::string(68, 'q'));
    return writer;
}

}  // namespace

TEST_CASE("GgufFile: metadata comes back by type") {
    GgufWriter writer = sample();
    writer.add("epsilon", 1e-5f);
    writer.add("flag", true);
    writer.add("roles", std::vector<int32_t>{-1, 6});
    writer.entry("byte", GgufType::u8, raw<uint8_t>(200));
    writer.entry("signed byte", GgufType::i8, raw<int8_t>(-3));
    writer.entry("short", GgufType::u16, raw<uint16_t>(60000));
    writer.entry("signed short", GgufType::i16, raw<int16_t>(-300));
    writer.entry("int", GgufType::i32, raw<int32_t>(-70000));
    writer.entry("long", GgufType::u64, raw<uint64_t>(uint64_t{1} << 40));
    writer.entry("signed long", GgufType::i64, raw<int64_t>(-(int64_t{1} << 40)));
    writer.entry("double", GgufType::f64, raw<double>(0.1));
    for (const uint32_t version : {2u, 3u}) {
        writer.version = version;
        const Opened opened(writer.bytes());
        const GgufFile file = opened.file();
        CHECK(file.version() == static_cast<int>(version));
        CHECK(file.string("text") == "words");
        CHECK(file.integer("count") == 7);
        CHECK(file.strings("tokens", 3) == std::vector<std::string>{"a", "", "bc"});
        CHECK(file.floats("scores", 2) == std::vector<float>{0.5f, -1.0f});
        CHECK(file.integers("roles", 2) == std::vector<int64_t>{-1, 6});
        CHECK(file.number("epsilon") == 1e-5);  // not the float's 9.9999997e-06
        CHECK(file.boolean("flag"));
        CHECK(file.integer("byte") == 200);
        CHECK(file.integer("signed byte") == -3);
        CHECK(file.integer("short") == 60000);
        CHECK(file.integer("signed short") == -300);
        CHECK(file.integer("int") == -70000);
        CHECK(file.integer("long") == int64_t{1} << 40);
        CHECK(file.integer("signed long") == -(int64_t{1} << 40));
        CHECK(file.number("double") == 0.1);
        CHECK(file.number("count") == 7.0);
        CHECK(file.integer_or("absent", 5) == 5);
        CHECK(file.number_or("absent", 0.5) == 0.5);
        CHECK(file.boolean_or("absent", true));
        CHECK(file.string_or("absent", "none") == "none");
        CHECK(file.strings("absent", 1).empty());
        CHECK(file.metadata().size() == 15);
    }
}

TEST_CASE("GgufFile: tensors have their shape slowest first and their own bytes") {
    const Opened opened(sample().bytes());
    const GgufFile file = opened.file();
    REQUIRE(file.tensors().size() == 2);
    const GgufTensor* plain = file.find_tensor("plain");
    REQUIRE(plain != nullptr);
    CHECK(plain->shape == std::vector<int64_t>{3, 2});
    CHECK(plain->count == 6);
    std::vector<float> values(6);
    dequantize(plain->type, plain->bytes, values);
    CHECK(values == std::vector<float>{1, 2, 3, 4, 5, 6});
    const GgufTensor* blocks = file.find_tensor("blocks");
    REQUIRE(blocks != nullptr);
    CHECK(blocks->type == BlockType::q8_0);
    CHECK(blocks->bytes.size() == 68);
    CHECK(blocks->bytes[0] == std::byte{'q'});
    CHECK(file.find_tensor("other") == nullptr);
}

TEST_CASE("GgufFile: another alignment moves the data") {
    GgufWriter writer;
    writer.alignment = 8;
    writer.add("general.alignment", uint32_t{8});
    writer.add_tensor("a", {1}, {1.0f});
    writer.add_tensor("b", {1}, {2.0f});
    const Opened opened(writer.bytes());
    const GgufFile file = opened.file();
    CHECK(file.tensors()[1].bytes.data() == file.tensors()[0].bytes.data() + 8);
    for (const uint32_t alignment : {0u, 12u, 1u << 17}) {
        writer.add("general.alignment", alignment);
        CHECK(contains(complaint(writer.bytes()), "general.alignment: found"));
    }
}

TEST_CASE("GgufFile: a value of another type is refused with key, value and expectation") {
    const GgufWriter writer = sample();
    CHECK(contains(complaint(writer, [](const GgufFile& f) { f.integer("text"); }),
                   "m.gguf: text: found \"words\", expected an integer"));
    CHECK(contains(complaint(writer, [](const GgufFile& f) { f.integer("absent"); }),
                   "m.gguf: absent: found nothing, expected an integer"));
    CHECK(contains(complaint(writer, [](const GgufFile& f) { f.string("count"); }),
                   "count: found 7, expected a string"));
    CHECK(contains(complaint(writer, [](const GgufFile& f) { f.boolean_or("count", true); }),
                   "count: found 7, expected a boolean"));
    CHECK(contains(complaint(writer, [](const GgufFile& f) { f.number("tokens"); }),
                   "tokens: found an array of 3 strings, expected a number"));
    CHECK(contains(complaint(writer, [](const GgufFile& f) { f.strings("scores", 9); }),
                   "scores: found an array of 2 numbers, expected an array of strings"));
    CHECK(contains(complaint(writer, [](const GgufFile& f) { f.integers("tokens", 9); }),
                   "expected an array of integers"));
    CHECK(contains(complaint(writer, [](const GgufFile& f) { f.integers("scores", 9); }),
                   "expected an array of integers"));
    CHECK(contains(complaint(writer, [](const GgufFile& f) { f.floats("tokens", 9); }),
                   "expected an array of 32-bit floats"));
    CHECK(contains(complaint(writer, [](const GgufFile& f) { f.strings("count", 9); }),
                   "count: found 7, expected an array of strings"));
    CHECK(contains(complaint(writer, [](const GgufFile& f) { f.strings("tokens", 2); }),
                   "tokens: found an array of 3 strings, expected at most 2 elements"));
}

TEST_CASE("GgufFile: numbers that are not finite and integers beyond 63 bits are refused") {
    GgufWriter writer;
    writer.add("infinite", std::numeric_limits<float>::infinity());
    writer.entry("nan", GgufType::f64, raw(std::numeric_limits<double>::quiet_NaN()));
    writer.entry("huge", GgufType::u64, raw(UINT64_MAX));
    writer.entry("maybe", GgufType::boolean, "\2");
    CHECK(contains(complaint(writer, [](const GgufFile& f) { f.number("infinite"); }),
                   "infinite: found inf, expected a finite number"));
    CHECK(
        contains(complaint(writer, [](const GgufFile& f) { f.number("nan"); }), "nan: found nan"));
    CHECK(contains(complaint(writer, [](const GgufFile& f) { f.integer("huge"); }),
                   "huge: found 18446744073709551615, expected an integer"));
    CHECK(contains(complaint(writer, [](const GgufFile& f) { f.boolean("maybe"); }),
                   "expected a boolean, 0 or 1"));
}

TEST_CASE("GgufFile: what is not GGUF, or another version of it, is refused") {
    CHECK(
        contains(complaint("GG"), "its magic: found a length of 4 bytes, expected at most the 2"));
    CHECK(contains(complaint("ggml" + std::string(100, '\0')), "not a GGUF file"));
    CHECK(contains(complaint(head(0, 0, 1)), "found GGUF version 1, expected 2 or 3"));
    CHECK(contains(complaint(head(0, 0, 4)), "found GGUF version 4, expected 2 or 3"));
    CHECK(contains(complaint(head(0, 0, 3u << 24)), "found a big-endian file"));
    CHECK(complaint(head(0, 0)) == "");
}

TEST_CASE("GgufFile: a file cut off anywhere before its data is refused") {
    const std::string whole = sample().bytes();
    const size_t end = whole.size();
    CHECK(complaint(whole) == "");
    int accepted = 0;
    for (size_t length = 0; length + 28 < end; ++length)  // 28 bytes of padding end the file
        accepted += complaint(whole.substr(0, length)) == "";
    CHECK(accepted == 0);
}

TEST_CASE("GgufFile: a byte changed anywhere is a complaint or another file, never a crash") {
    const std::string whole = sample().bytes();
    int complaints = 0;
    for (size_t place = 0; place < whole.size(); ++place)
        for (const int bit : {0, 3, 7}) {
            std::string spoilt = whole;
            spoilt[place] = static_cast<char>(spoilt[place] ^ (1 << bit));
            complaints += complaint(spoilt) != "";
        }
    CHECK(complaints > 100);
}

TEST_CASE("GgufFile: counts and lengths that lie are refused before any memory follows them") {
    CHECK(contains(complaint(head(UINT64_MAX, 0)),
                   "its number of tensors: found 18446744073709551615"));
    CHECK(contains(complaint(head(0, 1 << 17)),
                   "its number of keys: found 131072, expected at most"));
    CHECK(contains(complaint(head(0, 3)), "metadata entry 0: found a length of 8 bytes"));
    const std::string key = head(0, 1) + raw_text("k");
    const auto value = [&](GgufType type, const std::string& bytes) {
        return complaint(key + raw(static_cast<uint32_t>(type)) + bytes);
    };
    CHECK(contains(complaint(head(0, 1) + raw(UINT64_MAX)), "metadata entry 0: found a name of"));
    CHECK(contains(complaint(key + raw(13u)), "k: found a value of type 13, expected 0 to 12"));
    CHECK(contains(value(GgufType::string, raw(UINT64_MAX)),
                   "k: found a length of 18446744073709551615"));
    CHECK(contains(value(GgufType::array, raw(4u) + raw(UINT64_MAX)),
                   "found an array of 18446744073709551615"));
    CHECK(contains(value(GgufType::array, raw(4u) + raw(uint64_t{1} << 40)),
                   "k: found a length of 4398046511104"));
    CHECK(contains(value(GgufType::array, raw(8u) + raw(uint64_t{1} << 48)),
                   "k: found a length of 8 bytes"));
    CHECK(
        contains(value(GgufType::array, raw(13u) + raw(uint64_t{1})), "found a value of type 13"));
    std::string nested;
    for (int depth = 0; depth < 100'000; ++depth) nested += raw(9u) + raw(uint64_t{1});
    CHECK(contains(value(GgufType::array, nested), "found an array of arrays"));
}

TEST_CASE("GgufFile: the same key or tensor twice is refused") {
    GgufWriter writer = sample();
    writer.entry("text", GgufType::string, raw_text("more"));
    CHECK(contains(complaint(writer.bytes()), "m.gguf: text: appears twice"));
    const std::string line = raw_tensor("t", {8}, 0, 0);
    CHECK(contains(complaint(with_tensors({line, line}, 64)), "tensor t: appears twice"));
}

TEST_CASE("GgufFile: tensors must have sane shapes, known types and whole blocks") {
    const auto one = [](const std::vector<uint64_t>& dims, uint32_t type = 0) {
        return complaint(with_tensors({raw_tensor("t", dims, type, 0)}, 64));
    };
    CHECK(one({16}) == "");
    CHECK(contains(one({}), "tensor t: found 0 dimensions, expected 1 to 4"));
    CHECK(contains(one({1, 1, 1, 1, 1}), "found 5 dimensions"));
    CHECK(contains(one({4, 0}), "found a dimension of 0"));
    CHECK(contains(one({UINT64_MAX}), "found a dimension of 18446744073709551615"));
    CHECK(contains(one({uint64_t{1} << 32, uint64_t{1} << 32}), "multiply to more than 63 bits"));
    CHECK(contains(one({uint64_t{1} << 62}), "its size takes more than 63 bits"));
    CHECK(contains(one({uint64_t{1} << 40}),
                   "found 4398046511104 bytes at offset 0, expected them within the 64"));
    CHECK(contains(one({16}, 10), "tensor t: found type Q2_K, expected F32, F16"));
    CHECK(contains(one({16}, 99), "tensor t: found type number 99, expected F32, F16"));
    CHECK(contains(one({33}, 8), "found rows of 33, expected a multiple of 32 for Q8_0"));
    CHECK(contains(one({128}, 12), "found rows of 128, expected a multiple of 256 for Q4_K"));
}

TEST_CASE("GgufFile: tensors that overlap or leave the file are refused") {
    const auto two = [](uint64_t first, uint64_t second, size_t data_bytes) {
        return complaint(with_tensors(
            {raw_tensor("a", {8}, 0, first), raw_tensor("b", {8}, 0, second)}, data_bytes));
    };
    CHECK(two(0, 32, 64) == "");
    CHECK(two(32, 0, 64) == "");  // in any order
    CHECK(two(0, 64, 96) == "");  // with a gap
    CHECK(contains(two(0, 0, 64), "overlap"));
    CHECK(contains(two(0, 16, 64), "tensor b: found offset 16, expected a multiple of 32"));
    CHECK(contains(two(0, 32, 63),
                   "tensor b: found 32 bytes at offset 32, expected them within the 63"));
    CHECK(contains(two(0, uint64_t{1} << 63, 64), "tensor b: found 32 bytes at offset"));
    CHECK(contains(two(0, UINT64_MAX - 31, 64), "tensor b: found 32 bytes at offset"));
    CHECK(contains(
        complaint(with_tensors({raw_tensor("a", {16}, 0, 0), raw_tensor("b", {8}, 0, 32)}, 64)),
        "tensors a and b overlap"));
}

TEST_CASE("printable: names from files make messages of one line") {
    CHECK(printable("blk.0.attn_q.weight") == "blk.0.attn_q.weight");
    CHECK(printable("a\nb\x1b[31m\xff") == "a?b?[31m?");
    CHECK(printable(std::string(100, 'x')) == std::string(60, 'x') + "...");
}
