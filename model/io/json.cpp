#include "model/io/json.h"

#include <cerrno>
#include <cmath>
#include <cstring>
#include <fstream>
#include <nlohmann/json.hpp>
#include <set>
#include <type_traits>
#include <vector>

#include "kernels/core/check.h"

namespace {

// 64 bytes of memory each, or more; a tokenizer of 256,000 tokens has 2 million.
constexpr int64_t kMaxValues = 4'000'000;

// The parser keeps no limits of its own: a value of a million levels would overflow the stack of
// whoever walks it, and "[],[],..." takes 25 times its bytes. What is inside strings does not
// count; bad syntax is left to the parser.
void check_size(std::string_view text, const std::string& source, int max_depth) {
    int depth = 0;
    int64_t values = 1;
    bool in_string = false;
    for (size_t i = 0; i < text.size(); ++i) {
        const char c = text[i];
        if (in_string) {
            if (c == '\\') ++i;
            if (c == '"') in_string = false;
        } else if (c == '"') {
            in_string = true;
        } else if (c == ',') {
            ENSURE_INPUT(++values <= kMaxValues, source,
                         "byte {}: found more than {} values of JSON, expected no more", i,
                         kMaxValues);
        } else if (c == '[' || c == '{') {
            ++depth;
            ENSURE_INPUT(depth <= max_depth, source,
                         "byte {}: JSON nested {} levels deep, expected at most {}", i, depth,
                         max_depth);
        } else if (c == ']' || c == '}') {
            --depth;
        }
    }
}

// What nlohmann says without its "[json.exception.parse_error.101] parse error at ...: " in front.
std::string reason_of(const nlohmann::json::exception& error) {
    const std::string text = error.what();
    size_t start = text.find("] ");
    start = start == std::string::npos ? 0 : start + 2;
    if (text.compare(start, 14, "parse error at") == 0) {
        const size_t colon = text.find(": ", start);
        if (colon != std::string::npos) start = colon + 2;
    }
    // "last read: '...'" holds all of a string, however long.
    constexpr size_t kMost = 200, kEnd = 40;
    if (text.size() - start <= kMost) return text.substr(start);
    const auto is_inside = [&](size_t at) { return (text[at] & 0xC0) == 0x80; };  // a character
    size_t cut = start + kMost - kEnd, resume = text.size() - kEnd;
    while (is_inside(cut)) --cut;
    while (is_inside(resume)) ++resume;
    return text.substr(start, cut - start) + " ... " + text.substr(resume);
}

// Builds a document as nlohmann's own parser does, and refuses a key that an object has twice. Its
// parser with a callback could do that too, in time quadratic in the length of a list of objects.
template <typename Json>
class UniqueKeys : public nlohmann::detail::json_sax_dom_parser<Json> {
    using Base = nlohmann::detail::json_sax_dom_parser<Json>;

public:
    UniqueKeys(Json& document, const std::string& source) : Base(document), source_(source) {}

    bool start_object(size_t size) {
        keys_.emplace_back();
        return Base::start_object(size);
    }
    bool end_object() {
        keys_.pop_back();
        return Base::end_object();
    }
    bool key(std::string& key) {
        ENSURE_INPUT(keys_.back().insert(key).second, source_, "key \"{}\" appears twice",
                     key.substr(0, 60));
        ENSURE_INPUT(!kIsOrdered || keys_.back().size() <= kMaxOrderedKeys, source_,
                     "found an object of more than {} keys", kMaxOrderedKeys);
        return Base::key(key);
    }

private:
    // An object that keeps its keys' order looks at all of them to find one.
    static constexpr bool kIsOrdered = std::is_same_v<Json, nlohmann::ordered_json>;
    static constexpr size_t kMaxOrderedKeys = 10'000;

    const std::string& source_;
    std::vector<std::set<std::string>> keys_;  // of each object that is open
};

template <typename Json>
Json parse(std::string_view text, const std::string& source, JsonLimits limits) {
    ENSURE_INPUT(static_cast<int64_t>(text.size()) <= limits.max_bytes, source,
                 "found {} bytes of JSON, expected at most {}", text.size(), limits.max_bytes);
    check_size(text, source, limits.max_depth);
    try {
        if (limits.allow_repeated_keys) return Json::parse(text);
        Json document;
        UniqueKeys<Json> builder(document, source);
        Json::sax_parse(text, &builder);
        return document;
    } catch (const nlohmann::json::parse_error& error) {
        throw InputError(
            fmt::format("{}: byte {}: not JSON: {}", source, error.byte, reason_of(error)));
    } catch (const nlohmann::json::exception& error) {  // a number beyond double, for one
        throw InputError(fmt::format("{}: not JSON: {}", source, reason_of(error)));
    }
}

}  // namespace

void refuse_special_file(const std::filesystem::path& path) {
    std::error_code unknown;  // opening it says why
    ENSURE_INPUT(!std::filesystem::is_other(path, unknown), path.string(), "is not a regular file");
}

std::string read_text_file(const std::filesystem::path& path, int64_t max_bytes) {
    std::error_code ignored;  // of a loop of links, for one: opening it says so
    ENSURE_INPUT(!std::filesystem::is_directory(path, ignored), path.string(),
                 "found a folder, expected a file");
    errno = 0;
    std::ifstream file(path, std::ios::binary);
    ENSURE_INPUT(file.is_open(), path.string(), "cannot be opened: {}", std::strerror(errno));
    std::string text;
    char chunk[1 << 16];
    while (file.read(chunk, sizeof chunk) || file.gcount() > 0) {
        text.append(chunk, static_cast<size_t>(file.gcount()));
        ENSURE_INPUT(static_cast<int64_t>(text.size()) <= max_bytes, path.string(),
                     "found more than {} bytes, expected at most that", max_bytes);
    }
    ENSURE_INPUT(!file.bad(), path.string(), "cannot be read: {}", std::strerror(errno));
    return text;
}

nlohmann::json parse_json(std::string_view text, const std::string& source, JsonLimits limits) {
    return parse<nlohmann::json>(text, source, limits);
}

nlohmann::ordered_json parse_ordered_json(std::string_view text, const std::string& source,
                                          JsonLimits limits) {
    return parse<nlohmann::ordered_json>(text, source, limits);
}

nlohmann::json read_json_file(const std::filesystem::path& path, JsonLimits limits) {
    refuse_special_file(path);
    return parse_json(read_text_file(path, limits.max_bytes), path.string(), limits);
}

std::string excerpt(const nlohmann::json& value) {
    // Not valid UTF-8 cannot reach here from a file, but a cut may fall inside a character.
    std::string text = value.dump(-1, ' ', true, nlohmann::json::error_handler_t::replace);
    if (text.size() > 60) text = text.substr(0, 57) + "...";
    return text;
}

JsonObject::JsonObject(const nlohmann::json& object, std::string source)
    : object_(&object), source_(std::move(source)) {
    ENSURE_INPUT(object.is_object(), source_, "found {}, expected a JSON object", excerpt(object));
}

bool JsonObject::has(const char* key) const {
    const auto found = object_->find(key);
    return found != object_->end() && !found->is_null();
}

const nlohmann::json& JsonObject::at(const char* key, const char* expected) const {
    ENSURE_INPUT(has(key), source_, "{}: missing, expected {}", key, expected);
    return *object_->find(key);
}

void JsonObject::refuse(const char* key, const std::string& expected) const {
    const std::string found = has(key) ? excerpt(*object_->find(key)) : "nothing";
    throw InputError(fmt::format("{}: {}: found {}, expected {}", source_, key, found, expected));
}

int64_t JsonObject::integer(const char* key) const {
    const nlohmann::json& value = at(key, "an integer");
    if (!value.is_number_integer()) refuse(key, "an integer");
    if (value.is_number_unsigned() && value.get<uint64_t>() > uint64_t{INT64_MAX})
        refuse(key, "an integer below 2^63");
    return value.get<int64_t>();
}

double JsonObject::number(const char* key) const {
    const nlohmann::json& value = at(key, "a number");
    if (!value.is_number() || !std::isfinite(value.get<double>())) refuse(key, "a finite number");
    return value.get<double>();
}

std::string JsonObject::string(const char* key) const {
    const nlohmann::json& value = at(key, "a string");
    if (!value.is_string()) refuse(key, "a string");
    return value.get<std::string>();
}

JsonObject JsonObject::object(const char* key) const {
    const nlohmann::json& value = at(key, "an object");
    if (!value.is_object()) refuse(key, "an object");
    return JsonObject(value, source_ + ": " + key);
}

int64_t JsonObject::integer_or(const char* key, int64_t fallback) const {
    return has(key) ? integer(key) : fallback;
}

double JsonObject::number_or(const char* key, double fallback) const {
    return has(key) ? number(key) : fallback;
}

bool JsonObject::boolean_or(const char* key, bool fallback) const {
    if (!has(key)) return fallback;
    const nlohmann::json& value = *object_->find(key);
    if (!value.is_boolean()) refuse(key, "true or false");
    return value.get<bool>();
}

std::string JsonObject::string_or(const char* key, const std::string& fallback) const {
    return has(key) ? string(key) : fallback;
}

std::vector<int64_t> JsonObject::integers(const char* key) const {
    std::vector<int64_t> result;
    if (!has(key)) return result;
    const nlohmann::json& value = *object_->find(key);
    if (!value.is_array()) return {integer(key)};
    for (const nlohmann::json& element : value) {
        const bool is_too_large =
            element.is_number_unsigned() && element.get<uint64_t>() > uint64_t{INT64_MAX};
        if (!element.is_number_integer() || is_too_large)
            refuse(key, "an integer or a list of integers");
        result.push_back(element.get<int64_t>());
    }
    return result;
}

std::vector<std::string> JsonObject::strings(const char* key) const {
    std::vector<std::string> result;
    if (!has(key)) return result;
    const nlohmann::json& value = *object_->find(key);
    if (!value.is_array()) refuse(key, "a list of strings");
    for (const nlohmann::json& element : value) {
        if (!element.is_string()) refuse(key, "a list of strings");
        result.push_back(element.get<std::string>());
    }
    return result;
}
