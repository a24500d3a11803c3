#include "eval/run_info.h"

#include <fmt/chrono.h>

#include <ctime>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "kernels/core/check.h"
#include "model/io/json.h"
#include "model/io/sha256.h"

namespace {

using Json = nlohmann::ordered_json;

constexpr const char* kFormat = "fettle-run-1";

Json json_of(const InputFile& input) {
    return {{"role", input.role},
            {"path", input.path},
            {"bytes", input.bytes},
            {"sha256", input.sha256}};
}

const nlohmann::json& array_at(const nlohmann::json& json, const char* key,
                               const std::string& source) {
    const auto found = json.find(key);
    ENSURE_INPUT(found != json.end() && found->is_array(), source, "{}: expected a list", key);
    return *found;
}

}  // namespace

InputFile input_file(const std::string& role, const std::string& path) {
    InputFile input{role, path, 0, sha256_of_file(path)};
    input.bytes = static_cast<int64_t>(std::filesystem::file_size(path));
    return input;
}

std::string utc_now() { return fmt::format("{:%Y-%m-%dT%H:%M:%SZ}", fmt::gmtime(std::time({}))); }

std::string cpu_name() {
    std::ifstream info("/proc/cpuinfo");
    for (std::string line; std::getline(info, line);)
        if (line.starts_with("model name")) {
            const size_t colon = line.find(": ");
            if (colon != std::string::npos) return line.substr(colon + 2);
        }
    return "";
}

std::string to_json(const RunInfo& info) {
    Json inputs = Json::array();
    for (const InputFile& input : info.inputs) inputs.push_back(json_of(input));
    const Json json = {{"format", kFormat},
                       {"command", info.command},
                       {"started", info.started},
                       {"versions", info.versions},
                       {"device", info.device},
                       {"device_name", info.device_name},
                       {"threads", info.threads},
                       {"seed", info.seed},
                       {"options", Json::parse(info.options)},
                       {"inputs", inputs}};
    // A command line may hold any bytes; those that are not UTF-8 are replaced.
    return json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

RunInfo run_info_from_json(const std::string& json, const std::string& source) {
    const nlohmann::json parsed = parse_json(json, source);
    ENSURE_INPUT(parsed.is_object(), source, "expected an object");
    const JsonObject object(parsed, source);
    if (object.string("format") != kFormat) object.refuse("format", kFormat);
    RunInfo info;
    info.command = object.strings("command");
    info.started = object.string("started");
    const JsonObject versions = object.object("versions");
    for (const auto& [name, version] : parsed.at("versions").items())
        info.versions[name] = versions.string(name.c_str());
    info.device = object.string("device");
    info.device_name = object.string("device_name");
    info.threads = static_cast<int>(object.integer("threads"));
    info.seed = object.integer("seed");
    object.object("options");
    info.options = parse_ordered_json(json, source).at("options").dump();
    for (const nlohmann::json& element : array_at(parsed, "inputs", source)) {
        ENSURE_INPUT(element.is_object(), source, "inputs: expected objects");
        const JsonObject input(element, source + ": inputs");
        info.inputs.push_back({input.string("role"), input.string("path"), input.integer("bytes"),
                               input.string("sha256")});
    }
    return info;
}
