// Safetensors: what is written is what the format says, and no spoilt file is believed.

#include "model/io/safetensors.h"

#include <cstring>

#include "kernels/core/check.h"
#include "tests/support/doctest.h"
#include "tests/support/temporary_folder.h"

namespace {

std::string length_bytes(uint64_t length) {
    return {reinterpret_cast<const char*>(&length), sizeof length};
}

// A file of this header and so many data bytes.
std::string file_of(const std::string& header, size_t data_bytes) {
    return length_bytes(header.size()) + header + std::string(data_bytes, '\1');
}

// The complaint about a file of these bytes; empty if there is none.
std::string complaint(const std::string& bytes) {
    const TemporaryFolder folder;
    put(folder / "m.safetensors", bytes);
    return input_error([&] { SafetensorsFile file(folder / "m.safetensors"); });
}

TensorToWrite tensor_of(const std::string& name, TensorType type, std::vector<int64_t> shape,
                        char byte) {
    return {
        .name = name, .type = type, .shape = std::move(shape), .fill = [=](int64_t, auto bytes) {
            std::memset(bytes.data(), byte, bytes.size());
        }};
}

constexpr const char* kTwo = R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},)"
                             R"("b":{"dtype":"I8","shape":[3],"data_offsets":[8,11]}})";

}  // namespace

TEST_CASE("write_safetensors: the bytes are exactly the format's") {
    const TemporaryFolder folder;
    const int64_t size =
        write_safetensors(folder / "m", {tensor_of("z", TensorType::bf16, {2}, 'z'),
                                         tensor_of("b", TensorType::f32, {1, 2}, 'b'),
                                         tensor_of("a", TensorType::bf16, {}, 'a')});
    const std::string header = R"({"__metadata__":{"format":"pt"},)"
                               R"("b":{"dtype":"F32","shape":[1,2],"data_offsets":[0,8]},)"
                               R"("a":{"dtype":"BF16","shape":[],"data_offsets":[8,10]},)"
                               R"("z":{"dtype":"BF16","shape":[2],"data_offsets":[10,14]}})";
    const std::string padded = header + std::string((8 - header.size() % 8) % 8, ' ');
    const std::string expected = length_bytes(padded.size()) + padded + "bbbbbbbbaazzzz";
    CHECK(get(folder / "m") == expected);
    CHECK(size == static_cast<int64_t>(expected.size()));
}

TEST_CASE("write_safetensors: a tensor larger than one piece is asked for piece by piece") {
    const TemporaryFolder folder;
    constexpr int64_t kCount = (int64_t{9} << 20) / 4 + 1;
    int64_t next = 0;
    TensorToWrite tensor{.name = "t", .type = TensorType::i32, .shape = {kCount}, .fill = {}};
    tensor.fill = [&](int64_t first, std::span<std::byte> bytes) {
        CHECK(first == next);
        for (size_t i = 0; i < bytes.size() / 4; ++i) {
            const auto value = static_cast<int32_t>(next++);
            std::memcpy(bytes.data() + 4 * i, &value, 4);
        }
    };
    write_safetensors(folder / "m", {tensor});
    const SafetensorsFile file(folder / "m");
    REQUIRE(file.tensors().size() == 1);
    CHECK(file.tensors()[0].count == kCount);
    int64_t wrong = 0;
    for (int64_t i = 0; i < kCount; ++i) {
        int32_t value = 0;
        std::memcpy(&value, file.tensors()[0].bytes.data() + 4 * i, 4);
        wrong += value != i;
    }
    CHECK(wrong == 0);
}

TEST_CASE("write_safetensors: the same name twice is our own mistake") {
    const TemporaryFolder folder;
    CHECK_THROWS_AS(write_safetensors(folder / "m", {tensor_of("a", TensorType::f32, {1}, 'x'),
                                                     tensor_of("a", TensorType::f32, {1}, 'y')}),
                    Error);
}

TEST_CASE("SafetensorsFile: types, shapes, metadata and bytes are read, in file order") {
    const TemporaryFolder folder;
    put(folder / "m", file_of(R"({"__metadata__":{"format":"pt","k":"v"},)"
                              R"("late":{"dtype":"F16","shape":[1,2],"data_offsets":[1,5]},)"
                              R"("none":{"dtype":"F32","shape":[0,7],"data_offsets":[1,1]},)"
                              R"("early":{"dtype":"BOOL","shape":[],"data_offsets":[0,1]}}  )",
                              5));
    const SafetensorsFile file(folder / "m");
    REQUIRE(file.tensors().size() == 3);
    CHECK(file.tensors()[0].name == "early");
    CHECK(file.tensors()[1].name == "none");
    CHECK(file.tensors()[2].name == "late");
    CHECK(file.find("late")->shape == std::vector<int64_t>{1, 2});
    CHECK(file.find("late")->bytes.size() == 4);
    CHECK(file.find("none")->count == 0);
    CHECK(file.find("gone") == nullptr);
    CHECK(file.metadata().at("k") == "v");
}

TEST_CASE("SafetensorsFile: a file cut at any length is refused") {
    const std::string whole = file_of(kTwo, 11);
    CHECK(complaint(whole) == "");
    for (size_t length = 0; length < whole.size(); ++length) {
        CAPTURE(length);
        CHECK(contains(complaint(whole.substr(0, length)), "m.safetensors: "));
    }
    CHECK(contains(complaint(whole + "x"), "found 12 data bytes, expected 11"));
}

TEST_CASE("SafetensorsFile: a flipped bit anywhere in the header never crashes the reader") {
    const std::string whole = file_of(kTwo, 11);
    int refused = 0;
    for (size_t bit = 0; bit < (whole.size() - 11) * 8; ++bit) {
        std::string spoilt = whole;
        spoilt[bit / 8] = static_cast<char>(spoilt[bit / 8] ^ (1 << bit % 8));
        refused += complaint(spoilt) != "";
    }
    CHECK(refused > 0);  // a flip inside a name, or of I8 to U8, is another valid file
}

TEST_CASE("SafetensorsFile: a header's length is not believed beyond the file") {
    for (const uint64_t length :
         {uint64_t{1000}, uint64_t{100'000'001}, UINT64_MAX, uint64_t{1} << 63, UINT64_MAX - 7})
        CHECK(contains(complaint(length_bytes(length) + "{}      "), "claims a header of"));
    CHECK(contains(complaint("GGUF, not a safetensors file"), "claims a header of"));
    CHECK(contains(complaint(file_of("[]", 0)), "does not start with '{'"));
    CHECK(contains(complaint(file_of("", 0)), "does not start with '{'"));
}

TEST_CASE("SafetensorsFile: lying entries are refused by tensor, with found and expected") {
    const auto entry = [](const std::string& fields) {
        return complaint(file_of("{\"t\":{" + fields + "}}", 8));
    };
    const std::string f32 = R"("dtype":"F32",)";
    CHECK(entry(f32 + R"("shape":[2],"data_offsets":[0,8])") == "");
    CHECK(contains(entry(f32 + R"("shape":[3],"data_offsets":[0,8])"),
                   "tensor t: data_offsets: found 8 bytes, expected 12 for shape [3] of F32"));
    CHECK(contains(entry(f32 + R"("shape":[2],"data_offsets":[0,9])"), "the file's 8 data bytes"));
    CHECK(contains(entry(f32 + R"("shape":[2],"data_offsets":[8,0])"), "the file's 8 data bytes"));
    CHECK(contains(entry(f32 + R"("shape":[2],"data_offsets":[-8,0])"), "the file's 8 data"));
    CHECK(contains(entry(f32 + R"("shape":[-2],"data_offsets":[0,8])"), "no negative size"));
    CHECK(contains(entry(f32 + R"("shape":2,"data_offsets":[0,8])"), "expected a list of sizes"));
    CHECK(contains(entry(f32 + R"("shape":[2.0],"data_offsets":[0,8])"), "list of integers"));
    CHECK(contains(entry(f32 + R"("shape":[2],"data_offsets":[0])"), "expected [begin, end]"));
    CHECK(contains(entry(f32 + R"("shape":[2])"), "data_offsets: found nothing"));
    CHECK(contains(entry(R"("dtype":"F8_E4M3","shape":[8],"data_offsets":[0,8])"),
                   "dtype: found \"F8_E4M3\", expected"));
    CHECK(contains(entry(R"("dtype":32,"shape":[2],"data_offsets":[0,8])"), "expected a string"));
    CHECK(contains(complaint(file_of(R"({"t":7})", 8)), "tensor t: found 7, expected"));
}

TEST_CASE("SafetensorsFile: shapes whose product overflows are refused, not wrapped") {
    const auto shape = [](const std::string& sizes) {
        return complaint(file_of(
            "{\"t\":{\"dtype\":\"F32\",\"shape\":[" + sizes + "],\"data_offsets\":[0,0]}}", 0));
    };
    CHECK(contains(shape("4294967296,4294967296"), "does not fit in 63 bits"));
    CHECK(contains(shape("9223372036854775807"), "does not fit in 63 bits"));
    CHECK(contains(shape("18446744073709551615"), "shape"));
    CHECK(contains(shape("2,4611686018427387904"), "does not fit in 63 bits"));
    CHECK(contains(shape("1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1"), "found 17 dimensions"));
    CHECK(shape("0,9223372036854775807") == "");
}

TEST_CASE("SafetensorsFile: overlaps, gaps and hidden bytes are refused") {
    const auto layout = [](const std::string& first, const std::string& second, size_t bytes) {
        return complaint(file_of(
            "{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":" + first +
                "},\"b\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":" + second + "}}",
            bytes));
    };
    CHECK(layout("[0,8]", "[8,16]", 16) == "");
    CHECK(layout("[8,16]", "[0,8]", 16) == "");
    CHECK(contains(layout("[0,8]", "[0,8]", 8), "tensors overlap"));
    CHECK(contains(layout("[0,8]", "[4,12]", 12),
                   "tensor b starts at data byte 4, expected 8: tensors overlap"));
    CHECK(contains(layout("[0,8]", "[12,20]", 20), "leave a gap"));
    CHECK(contains(layout("[4,12]", "[12,20]", 20), "leave a gap"));
    CHECK(contains(layout("[0,8]", "[8,16]", 17), "found 17 data bytes, expected 16"));
}

TEST_CASE("SafetensorsFile: deep JSON, repeated names and odd metadata are refused") {
    CHECK(contains(complaint(file_of("{\"t\":" + std::string(1'000'000, '['), 0)), "nested 5"));
    const std::string t = R"("t":{"dtype":"I8","shape":[1],"data_offsets":[0,1]})";
    CHECK(contains(complaint(file_of("{" + t + "," + t + "}", 1)), "key \"t\" appears twice"));
    CHECK(
        contains(complaint(file_of(R"({"__metadata__":{"n":1}})", 0)), "__metadata__: n: found 1"));
    CHECK(contains(complaint(file_of(R"({"__metadata__":[]})", 0)), "expected an object"));
    CHECK(contains(complaint(file_of(R"({"t": )", 0)), "header: byte"));
}
