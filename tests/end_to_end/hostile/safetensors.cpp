// Model folders whose weights lie: headers, offsets, shapes, values, the index of parts.

#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>

#include "kernels/core/check.h"
#include "tests/end_to_end/hostile/hostile.h"

namespace {

using Json = nlohmann::ordered_json;
namespace fs = std::filesystem;

constexpr const char* kKind = "weights";
constexpr const char* kTensor = "transformer.h.0.ln_1.weight";  // of 8, the base model's

std::string read(const fs::path& path) {
    std::ifstream file(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

std::string with_length(const std::string& header) { return raw<uint64_t>(header.size()) + header; }

class Cases {
public:
    explicit Cases(Hostile& out) : out_(out), right_(read(base() / "model.safetensors")) {
        uint64_t length = 0;
        std::memcpy(&length, right_.data(), sizeof length);
        header_ = Json::parse(right_.substr(8, length));
        data_ = right_.substr(8 + length);
    }

    void write() {
        file("right_weights", "nothing is wrong", "", right_);
        lengths();
        truncations();
        syntax();
        entries();
        offsets();
        values();
        indices();
    }

private:
    fs::path base() const { return out_.root() / "gpt2"; }
    // A folder with the base model's config.
    fs::path folder(const std::string& kind, const std::string& name, const std::string& texts) {
        const fs::path path = out_.next(kind, name, texts);
        fs::create_directories(path);
        fs::copy_file(base() / "config.json", path / "config.json");
        return path;
    }
    static void put(const fs::path& path, const std::string& bytes) {
        std::ofstream file(path, std::ios::binary);
        file.exceptions(std::ios::failbit | std::ios::badbit);
        file << bytes;
        file.close();
    }
    void file(const std::string& kind, const std::string& name, const std::string& texts,
              const std::string& bytes) {
        put(folder(kind, name, texts) / "model.safetensors", bytes);
    }
    void bytes(const std::string& name, const std::string& texts, const std::string& bytes) {
        file(kKind, name, "/model.safetensors|" + texts, bytes);
    }
    void header(const std::string& name, const std::string& texts, const std::string& text) {
        bytes(name, texts, with_length(text) + data_);
    }
    template <typename Change>
    void change(const std::string& name, const std::string& texts, Change apply) {
        Json json = header_;
        apply(json);
        header(name, texts, json.dump());
    }
    // One member of one tensor's entry.
    void member(const std::string& name, const std::string& texts, const char* key,
                const Json& value) {
        change(name, std::string("ln_1.weight|") + texts,
               [&](Json& json) { json[kTensor][key] = value; });
    }

    void lengths();
    void truncations();
    void syntax();
    void entries();
    void offsets();
    void values();
    void indices();

    Hostile& out_;
    std::string right_, data_;
    Json header_;
};

void Cases::lengths() {
    const uint64_t size = right_.size();
    for (const uint64_t length :
         {uint64_t{1} << 63, UINT64_MAX, uint64_t{1} << 40, uint64_t{100'000'001}})
        bytes(fmt::format("a header of {} bytes", length), fmt::format("{}|100000000", length),
              patched(right_, 0, raw(length)));
    for (const uint64_t length : {size, size - 7, uint64_t{100'000'000}})
        bytes(fmt::format("a header of {} bytes in a file of {}", length, size),
              fmt::format("{}|found", length), patched(right_, 0, raw(length)));
    bytes("a header of no bytes", "header", patched(right_, 0, raw<uint64_t>(0)));
    bytes("a header of 1 byte", "header", patched(right_, 0, raw<uint64_t>(1)));
    bytes("a header that reaches into the data", "data_offsets|within",
          patched(right_, 0, raw<uint64_t>(right_.size() - data_.size() + 64)));
}

void Cases::truncations() {
    for (const size_t end : {0, 1, 7, 8, 9, 100, 500})
        bytes(fmt::format("cut after {} bytes", end), "", right_.substr(0, end));
    for (const size_t lost : {1, 4, 4096})
        bytes(fmt::format("cut by {} bytes", lost), "data", right_.substr(0, right_.size() - lost));
    bytes("bytes behind the data", "data bytes", right_ + "tail");
}

void Cases::syntax() {
    const std::string text = header_.dump();
    header("a header that is a list", "header", "[" + text + "]");
    header("a header without its end", "header|JSON", text.substr(0, text.size() - 1));
    header("a header that ends in the middle", "header|JSON", text.substr(0, text.size() / 2));
    header("a header of brackets", "header|deep", "{\"a\":" + std::string(100'000, '['));
    header("a header of a zero byte", "header|JSON", patched(text, 1, std::string(1, '\0')));
    header("a header that is no UTF-8", "header|JSON", patched(text, 2, "\xff\xfe"));
    header("a tensor twice", "twice", "{" + text.substr(1, text.find("},") + 1) + text.substr(1));
    header("an empty header", "data bytes", "{}");
    header("metadata that is a number", "__metadata__|3", "{\"__metadata__\": 3}");
    header("metadata of numbers", "__metadata__|a|7", "{\"__metadata__\": {\"a\": 7}}");
}

void Cases::entries() {
    member("an unknown dtype", "dtype|F128|F32", "dtype", "F128");
    member("a dtype that is a number", "dtype|32", "dtype", 32);
    member("weights of whole numbers", "I32|F32", "dtype", "I32");
    member("weights of half the bytes", "32 bytes|16", "dtype", "F16");
    member("a shape that is a number", "shape|8|list", "shape", 8);
    member("a shape of words", "shape|integer", "shape", {"8"});
    member("a shape of fractions", "shape|integer", "shape", {8.5});
    member("a negative shape", "shape|-8|negative", "shape", {-8});
    member("another shape", "shape|[4, 2]|[8]", "shape", {4, 2});
    member("a shape of another count", "32 bytes|36", "shape", {9});
    member("a shape beyond 63 bits", "shape|63 bits", "shape",
           {int64_t{1} << 40, int64_t{1} << 40});
    member("bytes beyond 63 bits", "shape|63 bits", "shape", {int64_t{1} << 62});
    member("a shape of 2^64 - 1", "shape", "shape", {UINT64_MAX});
    member("a shape of 1e308", "shape", "shape", {1e308});
    member("a shape of 1000 dimensions", "shape|1000|16", "shape", std::vector<int>(1000, 1));
    member("an empty shape", "32 bytes|4", "shape", Json::array());
    change("a tensor that is a number", "ln_1.weight|7|object",
           [](Json& json) { json[kTensor] = 7; });
    for (const char* key : {"dtype", "shape", "data_offsets"})
        change(fmt::format("a tensor without {}", key), std::string("ln_1.weight|") + key,
               [&](Json& json) { json[kTensor].erase(key); });
    change("a tensor of another name", "ln_9|not part", [](Json& json) {
        json["transformer.h.0.ln_9.weight"] = json[kTensor];
        json.erase(kTensor);
    });
    change("a tensor under two names", "overlap",
           [](Json& json) { json["again"] = json[kTensor]; });
}

void Cases::offsets() {
    const Json right = header_[kTensor]["data_offsets"];
    const int64_t begin = right[0], end = right[1];
    member("offsets that run backwards", "data_offsets", "data_offsets", {end, begin});
    member("offsets below zero", "data_offsets|-32", "data_offsets", {-32, 0});
    member("offsets beyond the file", "data_offsets|within", "data_offsets",
           {begin + (1 << 20), end + (1 << 20)});
    member("offsets beyond 63 bits", "data_offsets", "data_offsets",
           {begin + (uint64_t{1} << 63), end + (uint64_t{1} << 63)});
    member("offsets one byte off", "overlap", "data_offsets", {begin - 1, end - 1});
    member("offsets of another tensor", "overlap", "data_offsets", {begin - 32, end - 32});
    member("one offset", "data_offsets|begin, end", "data_offsets", {begin});
    member("three offsets", "data_offsets|begin, end", "data_offsets", {begin, end, end});
    member("offsets in words", "data_offsets|integer", "data_offsets", {"0", "32"});
    member("offsets of fractions", "data_offsets|integer", "data_offsets", {0.5, 32.5});
    member("offsets as one number", "data_offsets", "data_offsets", 32);
    change("a gap between tensors", "gap", [&](Json& json) {
        json.erase(kTensor);
        json["again"] = {{"dtype", "U8"}, {"shape", {31}}, {"data_offsets", {begin, end - 1}}};
    });
}

void Cases::values() {
    struct Value {
        const char* name;
        float value;
    };
    const size_t last = right_.size() - 4;
    for (const Value& each : {Value{"nan", std::nanf("")},
                              {"inf", std::numeric_limits<float>::infinity()},
                              {"-inf", -std::numeric_limits<float>::infinity()}})
        bytes(fmt::format("a weight of {}", each.name), std::string(each.name) + "|finite",
              patched(right_, last, raw(each.value)));
}

void Cases::indices() {
    const auto index = [&](const std::string& name, const std::string& texts, const Json& json) {
        const fs::path path = folder("weights", name, texts);
        put(path / "part.safetensors", right_);
        put(path / "model.safetensors.index.json", json.dump());
    };
    Json map = Json::object();
    for (const auto& [name, entry] : header_.items())
        if (name != "__metadata__") map[name] = "part.safetensors";
    const std::string file = "/model.safetensors.index.json|";
    index("an index that is a list", file + "object", Json::array());
    index("an index without a map", file + "weight_map", Json::object());
    index("a map that is a list", file + "weight_map|object", {{"weight_map", {1, 2}}});
    index("a map of nothing", file + "weight_map", {{"weight_map", Json::object()}});
    for (const std::string part :
         {"../gpt2/model.safetensors", "/etc/passwd", "..", ".", "", "a/b"}) {
        Json changed = map;
        changed[kTensor] = part;
        index("a part called \"" + part + "\"", file + kTensor, {{"weight_map", changed}});
    }
    Json changed = map;
    changed[kTensor] = 7;
    index("a part that is a number", file + kTensor + "|7", {{"weight_map", changed}});
    changed[kTensor] = "absent.safetensors";
    index("a part that is absent", "absent.safetensors|opened", {{"weight_map", changed}});
    changed = map;
    changed.erase(kTensor);
    index("a tensor that the index lacks", std::string("/part.safetensors|") + kTensor,
          {{"weight_map", changed}});
    changed = map;
    changed["transformer.h.7.ln_1.weight"] = "part.safetensors";
    index("a tensor that no part has", file + "h.7.ln_1", {{"weight_map", changed}});
}

}  // namespace

void write_hostile_safetensors(Hostile& out) { Cases(out).write(); }
