// JSON files of unknown origin: read within limits, with complaints that name file and place.
// nlohmann's own header stays in the few translation units that need it.
#pragma once

#include <cstdint>
#include <filesystem>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>
#include <vector>

struct JsonLimits {
    int64_t max_bytes = int64_t{256} << 20;
    int max_depth = 64;  // of nested arrays and objects; no file of ours or Hugging Face's has 20
    bool allow_repeated_keys = false;
};

// Refuses what is there and no file: a pipe may block, a device may never end.
void refuse_special_file(const std::filesystem::path& path);

// The whole file; an InputError if it cannot be read or is larger than max_bytes.
std::string read_text_file(const std::filesystem::path& path,
                           int64_t max_bytes = JsonLimits{}.max_bytes);

// `source` (a file name) starts every complaint; errors of syntax name the byte.
nlohmann::json parse_json(std::string_view text, const std::string& source, JsonLimits limits = {});
nlohmann::ordered_json parse_ordered_json(std::string_view text, const std::string& source,
                                          JsonLimits limits = {});
nlohmann::json read_json_file(const std::filesystem::path& path, JsonLimits limits = {});

// At most 60 characters of the value, for messages.
std::string excerpt(const nlohmann::json& value);

// Typed access to the members of one object. A missing key or a wrong type is an InputError that
// names source, key, what was found and what was expected. A null member counts as absent, as it
// does in Hugging Face's files. Borrows the object.
class JsonObject {
public:
    JsonObject(const nlohmann::json& object, std::string source);

    const std::string& source() const { return source_; }
    bool has(const char* key) const;

    int64_t integer(const char* key) const;
    double number(const char* key) const;
    std::string string(const char* key) const;
    JsonObject object(const char* key) const;

    int64_t integer_or(const char* key, int64_t fallback) const;
    double number_or(const char* key, double fallback) const;
    bool boolean_or(const char* key, bool fallback) const;
    std::string string_or(const char* key, const std::string& fallback) const;

    // One integer, or a list of them; empty if absent.
    std::vector<int64_t> integers(const char* key) const;
    // Absent: an empty list.
    std::vector<std::string> strings(const char* key) const;

    // An InputError "source: key: found VALUE, expected ...".
    [[noreturn]] void refuse(const char* key, const std::string& expected) const;

private:
    const nlohmann::json& at(const char* key, const char* expected) const;

    const nlohmann::json* object_;
    std::string source_;
};
