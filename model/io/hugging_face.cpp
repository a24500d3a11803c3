// Finding models: the local cache, the files of a folder, the index of its parts.

#include "model/io/hugging_face.h"

#include <algorithm>
#include <cctype>
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <set>

#include "kernels/core/check.h"
#include "model/io/atomic_file.h"
#include "model/io/json.h"
#include "model/io/quantized_tensor.h"
#include "model/io/safetensors.h"

namespace {

namespace fs = std::filesystem;

constexpr const char* kIndexName = "model.safetensors.index.json";
fs::path from_environment(const char* variable) {
    const char* value = std::getenv(variable);
    return value != nullptr ? fs::path(value) : fs::path();
}

// Where huggingface_hub keeps models, by the same variables in the same order.
fs::path cache_folder() {
    for (const char* variable : {"HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE"})
        if (fs::path path = from_environment(variable); !path.empty()) return path;
    if (fs::path path = from_environment("HF_HOME"); !path.empty()) return path / "hub";
    if (fs::path path = from_environment("XDG_CACHE_HOME"); !path.empty())
        return path / "huggingface" / "hub";
    return from_environment("HOME") / ".cache" / "huggingface" / "hub";
}

// "name" or "org/name", of letters, digits, '.', '_' and '-'.
bool is_model_name(const std::string& name) {
    const auto is_plain = [](unsigned char c) {
        return std::isalnum(c) || c == '.' || c == '_' || c == '-' || c == '/';
    };
    return !name.empty() && name.front() != '/' && name.back() != '/' && name.front() != '.' &&
           std::count(name.begin(), name.end(), '/') <= 1 &&
           std::all_of(name.begin(), name.end(), is_plain);
}

// The snapshot that the branch main names; else the only one there is; else nothing.
fs::path snapshot_of(const fs::path& model) {
    const fs::path main = model / "refs" / "main";
    if (fs::is_regular_file(main)) {
        std::string commit = read_text_file(main, 4096);
        commit.erase(std::remove_if(commit.begin(), commit.end(),
                                    [](unsigned char c) { return std::isspace(c); }),
                     commit.end());
        const bool plain = !commit.empty() && commit.find('/') == std::string::npos;
        if (plain && fs::is_directory(model / "snapshots" / commit))
            return model / "snapshots" / commit;
    }
    std::vector<fs::path> snapshots;
    if (fs::is_directory(model / "snapshots"))
        for (const fs::directory_entry& entry : fs::directory_iterator(model / "snapshots"))
            snapshots.push_back(entry.path());
    return snapshots.size() == 1 ? snapshots[0] : fs::path();
}

// The parts that an index names, checked against what is in them.
std::vector<fs::path> parts_of(const fs::path& folder) {
    const fs::path index = folder / kIndexName;
    const nlohmann::json json = read_json_file(index);
    JsonObject(json, index.string()).object("weight_map");
    std::set<fs::path> parts;
    for (const auto& [tensor, part] : json["weight_map"].items()) {
        const bool plain = part.is_string() && fs::path(part).filename() == fs::path(part) &&
                           part != "" && part != "." && part != "..";
        ENSURE_INPUT(plain, index.string(), "weight_map: {}: found {}, expected a file name",
                     tensor, excerpt(part));
        parts.insert(folder / part.get<std::string>());
    }
    ENSURE_INPUT(!parts.empty(), index.string(), "weight_map: names no file");
    std::set<std::string> found;
    for (const fs::path& part : parts) {
        const SafetensorsFile file(part);
        for (const StoredTensor& tensor : file.tensors()) {
            const auto entry = json["weight_map"].find(tensor.name);
            const bool listed =
                entry != json["weight_map"].end() && folder / entry->get<std::string>() == part;
            ENSURE_INPUT(listed, part.string(), "tensor {} is not listed for this file in {}",
                         tensor.name, kIndexName);
            found.insert(tensor.name);
        }
    }
    for (const auto& [tensor, part] : json["weight_map"].items())
        ENSURE_INPUT(found.contains(tensor), index.string(),
                     "weight_map: {}: found no such tensor in {}, expected one", tensor,
                     part.get<std::string>());
    return {parts.begin(), parts.end()};
}

// Also a link to nowhere: whoever opens it says so.
bool is_listed(const fs::path& file) { return fs::exists(fs::symlink_status(file)); }

}  // namespace

fs::path resolve_model(const std::string& name, const std::string& flag) {
    if (fs::is_directory(name)) return name;
    ENSURE_INPUT(is_model_name(name), flag, "found \"{}\", expected a model folder", name);
    std::string cached = "models--" + name;
    if (const size_t slash = cached.find('/'); slash != std::string::npos)
        cached.replace(slash, 1, "--");
    const fs::path model = cache_folder() / cached;
    const fs::path snapshot = snapshot_of(model);
    ENSURE_INPUT(!snapshot.empty(), flag,
                 "found \"{}\", which is neither a folder nor in the local Hugging Face cache "
                 "({}); fetch it with: hf download {}",
                 name, model.string(), name);
    return snapshot;
}

ModelFolder open_model_folder(const fs::path& path) {
    ENSURE_INPUT(fs::is_directory(path), path.string(), "is not a folder");
    ModelFolder folder{
        .path = path, .config = read_config(path / "config.json"), .weight_files = {}};
    if (is_listed(path / "model.safetensors")) {
        folder.weight_files = {path / "model.safetensors"};
    } else if (is_listed(path / kIndexName)) {
        folder.weight_files = parts_of(path);
    } else if (is_listed(path / kQuantizedFile)) {
        folder.weight_files = {path / kQuantizedFile};
    } else {
        ENSURE_INPUT(!fs::exists(path / "pytorch_model.bin"), path.string(),
                     "found pytorch_model.bin, expected model.safetensors; in Python, "
                     "AutoModelForCausalLM.from_pretrained(...).save_pretrained(...) writes it");
        throw InputError(fmt::format("{}: found neither model.safetensors nor {} nor {}",
                                     path.string(), kIndexName, kQuantizedFile));
    }
    check_tensors(folder);
    return folder;
}

TensorType stored_type(const ModelFolder& folder) {
    for (const fs::path& path : folder.weight_files) {
        const SafetensorsFile file(path);
        for (const StoredTensor& tensor : file.tensors())
            if (tensor.name.ends_with("wte.weight") || tensor.name.ends_with("embed_tokens.weight"))
                return tensor.type;
    }
    if (parameter_table<float>(folder)[0].quantized) return TensorType::f32;
    throw InputError(fmt::format("{}: its weights hold no token embedding", folder.path.string()));
}

std::span<const char* const> tokenizer_file_names() {
    static constexpr const char* kNames[] = {"tokenizer.json",
                                             "vocab.json",
                                             "merges.txt",
                                             "encoder.json",
                                             "vocab.bpe",
                                             "added_tokens.json",
                                             "tokenizer_config.json",
                                             "special_tokens_map.json",
                                             "chat_template.jinja",
                                             "generation_config.json"};
    return kNames;
}

void copy_tokenizer_files(const fs::path& from, const fs::path& to) {
    for (const char* name : tokenizer_file_names()) {
        if (!fs::is_regular_file(from / name)) continue;
        // Resolving links first: in the cache every file is one.
        std::error_code error;
        const bool same = fs::equivalent(from / name, to / name, error) && !error;
        if (!same) write_file(to / name, read_text_file(from / name));
    }
}
