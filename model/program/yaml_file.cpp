#include "model/program/yaml_file.h"

#include <yaml-cpp/yaml.h>

#include <map>

#include "kernels/core/check.h"
#include "model/io/json.h"

namespace {

std::string place(const std::string& path, const YAML::Mark& mark) {
    return mark.is_null() ? path : fmt::format("{}:{}", path, mark.line + 1);
}

YAML::Node load(const std::string& path) {
    constexpr int64_t kMaxBytes = 1 << 20;  // the longest command line is shorter
    const std::string text = read_text_file(path, kMaxBytes);
    try {
        const std::vector<YAML::Node> documents = YAML::LoadAll(text);
        ENSURE_INPUT(documents.size() <= 1, path, "found {} YAML documents, expected one",
                     documents.size());
        return documents.empty() ? YAML::Node() : documents.front();
    } catch (const YAML::Exception& error) {
        throw InputError(fmt::format("{}: not YAML: {}", place(path, error.mark), error.msg));
    }
}

std::string scalar(const YAML::Node& node, const std::string& source) {
    ENSURE_INPUT(
        !node.IsMap(), source,
        "found a mapping, expected a value or a list (JSON goes in quotes: '{{\"a\": 1}}')");
    ENSURE_INPUT(node.IsScalar(), source, "found {}, expected a single value",
                 node.IsSequence() ? "a list within a list" : "nothing");
    return node.Scalar();
}

}  // namespace

std::vector<YamlEntry> read_yaml_file(const std::string& path) {
    const YAML::Node root = load(path);
    std::vector<YamlEntry> entries;
    if (root.IsNull()) return entries;
    ENSURE_INPUT(root.IsMap(), place(path, root.Mark()),
                 "expected `flag: value` lines, found something else");

    std::map<std::string, int> line_of;
    for (const auto& pair : root) {
        const YAML::Node &key = pair.first, &value = pair.second;
        const std::string here = place(path, key.Mark());
        ENSURE_INPUT(key.IsScalar(), here, "expected the name of a flag");
        YamlEntry entry;
        entry.key = key.Scalar();
        entry.line = key.Mark().line + 1;
        entry.is_list = value.IsSequence();
        const auto [first, is_new] = line_of.emplace(entry.key, entry.line);
        ENSURE_INPUT(is_new, here, "{} is already set in line {}", entry.key, first->second);
        if (value.IsNull()) continue;

        const std::string source = fmt::format("{}: {}", here, entry.key);
        if (entry.is_list)
            for (const auto& element : value) entry.values.push_back(scalar(element, source));
        else
            entry.values.push_back(scalar(value, source));
        entries.push_back(std::move(entry));
    }
    return entries;
}
