#include "model/program/yaml_file.h"

#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/yaml.h>

#include <filesystem>
#include <fstream>
#include <map>
#include <sstream>

#include "kernels/core/check.h"
#include "model/io/json.h"

namespace {

std::string place(const std::string& path, const YAML::Mark& mark) {
    return mark.is_null() ? path : fmt::format("{}:{}", path, mark.line + 1);
}

constexpr int64_t kMaxBytes = 1 << 20;  // the parser takes a hundred times as much memory

// Sees to it that a text is one document of few levels. yaml-cpp's own LoadAll never returns where
// a document leaves something behind, such as a stray comma: each of its attempts to read on makes
// one more empty document.
class OneDocument : public YAML::EventHandler {
public:
    OneDocument(const std::string& text, const std::string& path) : path_(path) {
        std::istringstream stream(text);
        YAML::Parser parser(stream);
        while (parser.HandleNextDocument(*this)) {
        }
    }

    void OnDocumentStart(const YAML::Mark& mark) override {
        ENSURE_INPUT(++documents_ == 1, place(path_, mark),
                     "found more behind the first YAML document, expected one document");
    }
    void OnDocumentEnd() override {}
    void OnNull(const YAML::Mark&, YAML::anchor_t) override {}
    void OnAlias(const YAML::Mark&, YAML::anchor_t) override {}
    void OnScalar(const YAML::Mark&, const std::string&, YAML::anchor_t,
                  const std::string&) override {}
    void OnSequenceStart(const YAML::Mark& mark, const std::string&, YAML::anchor_t,
                         YAML::EmitterStyle::value) override {
        enter(mark);
    }
    void OnSequenceEnd() override { --depth_; }
    void OnMapStart(const YAML::Mark& mark, const std::string&, YAML::anchor_t,
                    YAML::EmitterStyle::value) override {
        enter(mark);
    }
    void OnMapEnd() override { --depth_; }

private:
    void enter(const YAML::Mark& mark) {
        constexpr int kMaxDepth = 64;
        ENSURE_INPUT(++depth_ <= kMaxDepth, place(path_, mark),
                     "YAML nested {} levels deep, expected at most {}", depth_, kMaxDepth);
    }

    const std::string& path_;
    int documents_ = 0, depth_ = 0;
};

YAML::Node load(const std::string& path) {
    ENSURE_INPUT(!std::filesystem::is_directory(path), path, "a folder, expected a YAML file");
    ENSURE_INPUT(std::ifstream(path).good(), path, "cannot be opened, expected a YAML file");
    const std::string text = read_text_file(path, kMaxBytes);
    try {
        const OneDocument checked(text, path);
        return YAML::Load(text);
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
