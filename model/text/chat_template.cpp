#include "model/text/chat_template.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "kernels/core/check.h"
#include "model/io/json.h"

namespace fs = std::filesystem;

namespace {

constexpr const char* kSmolLm2System =
    "You are a helpful AI assistant named SmolLM, trained by Hugging Face";

struct KnownSource {
    const char* name;
    const char* jinja;
};

// As published: the first in SmolLM2's tokenizer_config.json and in the GGUF files made of it, the
// second in SmolLM's and many others', the third the same with a default for a variable that is
// always set.
constexpr KnownSource kKnownSources[] = {
    {"smollm2",
     "{% for message in messages %}{% if loop.first and messages[0]['role'] != 'system' %}"
     "{{ '<|im_start|>system\nYou are a helpful AI assistant named SmolLM, trained by Hugging Face"
     "<|im_end|>\n' }}{% endif %}{{'<|im_start|>' + message['role'] + '\n' + message['content'] + "
     "'<|im_end|>' + '\n'}}{% endfor %}{% if add_generation_prompt %}"
     "{{ '<|im_start|>assistant\n' }}{% endif %}"},
    {"chatml",
     "{% for message in messages %}{{'<|im_start|>' + message['role'] + '\n' + message['content'] "
     "+ '<|im_end|>' + '\n'}}{% endfor %}{% if add_generation_prompt %}"
     "{{ '<|im_start|>assistant\n' }}{% endif %}"},
    {"chatml",
     "{% if not add_generation_prompt is defined %}{% set add_generation_prompt = false %}"
     "{% endif %}{% for message in messages %}{{'<|im_start|>' + message['role'] + '\n' + "
     "message['content'] + '<|im_end|>' + '\n'}}{% endfor %}{% if add_generation_prompt %}"
     "{{ '<|im_start|>assistant\n' }}{% endif %}"},
};

// In the known sources a line ends only inside a string literal, where Jinja reads "\n" as the
// character it stands for; and Jinja drops a newline at a source's very end.
std::string canonical(std::string_view jinja) {
    std::string text;
    for (size_t i = 0; i < jinja.size(); ++i) {
        const bool escaped = jinja[i] == '\\' && i + 1 < jinja.size() && jinja[i + 1] == 'n';
        text += escaped ? '\n' : jinja[i];
        i += escaped;
    }
    if (!text.empty() && text.back() == '\n') text.pop_back();
    return text;
}

// What cannot be looked at (a symbolic link to itself) counts as there: reading it complains.
bool is_there(const fs::path& file) {
    std::error_code error;
    return fs::status(file, error).type() != fs::file_type::not_found;
}

// The text of "chat_template", which may also be a list of {"name", "template"}.
std::string default_of(const nlohmann::json& value, const std::string& source) {
    if (value.is_string()) return value.get<std::string>();
    ENSURE_INPUT(value.is_array(), source, "chat_template: found {}, expected a text or a list",
                 excerpt(value));
    for (const nlohmann::json& element : value) {
        const JsonObject entry(element, source + ": chat_template");
        if (entry.string("name") == "default") return entry.string("template");
    }
    throw InputError(source + ": chat_template: a list without one named \"default\"");
}

struct OwnSource {
    std::string jinja;
    std::string file;
};

// A folder's own template.
std::optional<OwnSource> source_in(const fs::path& folder) {
    if (const fs::path file = folder / "chat_template.jinja"; is_there(file))
        return OwnSource{read_text_file(file), file.string()};
    const fs::path file = folder / "tokenizer_config.json";
    if (!is_there(file)) return std::nullopt;
    const nlohmann::json config = read_json_file(file);
    if (!config.is_object() || !config.contains("chat_template") ||
        config["chat_template"].is_null())
        return std::nullopt;
    return OwnSource{default_of(config["chat_template"], file.string()), file.string()};
}

// Null: none that is known.
const char* name_of_source(std::string_view jinja) {
    const std::string text = canonical(jinja);
    for (const KnownSource& known : kKnownSources)
        if (text == known.jinja) return known.name;
    return nullptr;
}

std::string known_names() {
    std::string list;
    for (const std::string& name : ChatTemplate::names())
        list += (list.empty() ? "" : " or ") + name;
    return list;
}

}  // namespace

const std::vector<std::string>& ChatTemplate::names() {
    static const std::vector<std::string> names = {"smollm2", "chatml"};
    return names;
}

ChatTemplate ChatTemplate::named(const std::string& name, const std::string& flag) {
    const bool known = std::find(names().begin(), names().end(), name) != names().end();
    ENSURE_INPUT(known, flag, "found '{}', expected {}", name, known_names());
    return {name, name == "smollm2" ? kSmolLm2System : ""};
}

ChatTemplate ChatTemplate::recognised(std::string_view jinja, const std::string& source) {
    if (const char* name = name_of_source(jinja)) return named(name, source);
    const std::string text = canonical(jinja);
    throw InputError(fmt::format(
        "{}: its chat template (\"{}\"...) is none that is known; --chat_template takes {}", source,
        text.substr(0, std::min<size_t>(40, text.find('\n'))), known_names()));
}

std::string ChatTemplate::jinja_beside(const fs::path& folder) const {
    const char* own_name = nullptr;
    try {
        if (const auto own = source_in(folder)) own_name = name_of_source(own->jinja);
    } catch (const InputError&) {  // whatever it means, it is not this
    }
    if (own_name != nullptr && name_ == own_name) return "";
    const auto known =
        std::find_if(std::begin(kKnownSources), std::end(kKnownSources),
                     [&](const KnownSource& source) { return name_ == source.name; });
    return known->jinja;
}

std::optional<ChatTemplate> ChatTemplate::of_folder(const fs::path& folder) {
    const auto own = source_in(folder);
    return own ? std::optional(recognised(own->jinja, own->file)) : std::nullopt;
}

ChatTemplate ChatTemplate::chosen(const std::string& name, const fs::path& folder) {
    if (!name.empty()) return named(name, "--chat_template");
    const auto own = of_folder(folder);
    ENSURE_INPUT(own, folder.string(),
                 "has no chat template (chat_template.jinja, or a key of tokenizer_config.json), "
                 "expected one; --chat_template takes {}",
                 known_names());
    return *own;
}

std::string ChatTemplate::render(std::span<const ChatMessage> messages,
                                 bool add_generation_prompt) const {
    std::string text;
    const auto add = [&](std::string_view role, std::string_view content) {
        text += "<|im_start|>";
        text += role;
        text += '\n';
        text += content;
        text += turn_end();
        text += '\n';
    };
    if (!default_system_.empty() && !messages.empty() && messages.front().role != "system")
        add("system", default_system_);
    for (const ChatMessage& message : messages) add(message.role, message.content);
    if (add_generation_prompt) text += "<|im_start|>assistant\n";
    return text;
}
