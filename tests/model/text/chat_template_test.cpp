// Conversations as text, against what transformers renders with the published Jinja sources.

#include "model/text/chat_template.h"

#include <nlohmann/json.hpp>

#include "model/io/json.h"
#include "tests/support/doctest.h"
#include "tests/support/temporary_folder.h"

namespace {

nlohmann::json golden() { return read_json_file("tests/golden/chat.json"); }

std::string jinja_of(const std::string& name) {
    return golden()["templates"][name].get<std::string>();
}

std::string as_config(const nlohmann::json& chat_template) {
    return nlohmann::json{{"eos_token", "<|im_end|>"}, {"chat_template", chat_template}}.dump();
}

std::string found_in(const std::filesystem::path& folder) {
    const auto chat = ChatTemplate::of_folder(folder);
    return chat ? chat->name() : "none";
}

}  // namespace

TEST_CASE("chat_template: renders what transformers renders") {
    const nlohmann::json cases = golden()["renderings"];
    REQUIRE(cases.size() == 28);
    for (const auto& golden_case : cases) {
        const auto chat =
            ChatTemplate::named(golden_case["template"].get<std::string>(), "--chat_template");
        std::vector<ChatMessage> messages;
        for (const auto& message : golden_case["messages"])
            messages.push_back({message[0].get<std::string>(), message[1].get<std::string>()});
        CHECK(chat.render(messages, golden_case["add_generation_prompt"].get<bool>()) ==
              golden_case["text"].get<std::string>());
    }
}

TEST_CASE("chat_template: an empty conversation has no default system message") {
    CHECK(ChatTemplate::named("smollm2", "--chat_template").render({}, false).empty());
    CHECK(ChatTemplate::named("smollm2", "--chat_template").render({}, true) ==
          "<|im_start|>assistant\n");
}

TEST_CASE("chat_template: a folder's own is recognised by its published text") {
    for (const std::string& name : ChatTemplate::names()) {
        CAPTURE(name);
        const TemporaryFolder folder;
        put(folder / "tokenizer_config.json", as_config(jinja_of(name)));
        CHECK(found_in(folder.path()) == name);
        put(folder / "tokenizer_config.json",
            as_config({{{"name", "tool_use"}, {"template", "{{ tools }}"}},
                       {{"name", "default"}, {"template", jinja_of(name)}}}));
        CHECK(found_in(folder.path()) == name);
        // The file counts for more than the key.
        put(folder / "tokenizer_config.json", as_config("{{ other }}"));
        put(folder / "chat_template.jinja", jinja_of(name));
        CHECK(found_in(folder.path()) == name);
        // "\n" as Jinja spells it inside a string, and an editor's newline at the end.
        std::string escaped;
        for (const char c : jinja_of(name)) escaped += c == '\n' ? "\\n" : std::string(1, c);
        put(folder / "chat_template.jinja", escaped + "\n");
        CHECK(found_in(folder.path()) == name);
    }
}

TEST_CASE("chat_template: a folder may have none") {
    const TemporaryFolder folder;
    CHECK(found_in(folder.path()) == "none");
    put(folder / "tokenizer_config.json", "{}");
    CHECK(found_in(folder.path()) == "none");
    put(folder / "tokenizer_config.json", "{\"chat_template\": null}");
    CHECK(found_in(folder.path()) == "none");
}

TEST_CASE("chat_template: any other template is refused by the file's name and what is known") {
    const TemporaryFolder folder;
    const std::string config = (folder / "tokenizer_config.json").string();
    const auto says = [&](const nlohmann::json& chat_template) {
        put(config, as_config(chat_template));
        return input_error([&] { ChatTemplate::of_folder(folder.path()); });
    };
    CHECK(says("{{ messages }}") == config +
                                        ": its chat template (\"{{ messages }}\"...) is none that "
                                        "is known; --chat_template takes smollm2 or chatml");
    // A word of SmolLM2's default message, and two newlines at the end, of which Jinja keeps one.
    std::string changed = jinja_of("smollm2");
    changed.replace(changed.find("helpful"), 7, "careful");
    CHECK(contains(says(changed), "is none that is known"));
    CHECK(contains(says(jinja_of("smollm2") + "\n\n"), "is none that is known"));
    CHECK(says(7) == config + ": chat_template: found 7, expected a text or a list");
    CHECK(says({{{"name", "rag"}, {"template", "{{ x }}"}}}) ==
          config + ": chat_template: a list without one named \"default\"");
    CHECK(contains(says({5}), config));
    const std::string jinja = (folder / "chat_template.jinja").string();
    put(jinja, "{{ x }}");
    CHECK(contains(input_error([&] { ChatTemplate::of_folder(folder.path()); }), jinja));
}

TEST_CASE(
    "chat_template: beside a tuned model stands its source, unless the folder says the same") {
    for (const std::string& name : ChatTemplate::names()) {
        CAPTURE(name);
        const ChatTemplate chat = ChatTemplate::named(name, "--chat_template");
        const TemporaryFolder folder;
        CHECK(chat.jinja_beside(folder.path()) == jinja_of(name));
        put(folder / "tokenizer_config.json", as_config(jinja_of(name)));
        CHECK(chat.jinja_beside(folder.path()) == "");
        put(folder / "chat_template.jinja", jinja_of(name) + "\n");
        CHECK(chat.jinja_beside(folder.path()) == "");
        const std::string other = name == "chatml" ? "smollm2" : "chatml";
        for (const std::string& text : {jinja_of(other), std::string("{{ x }}")}) {
            put(folder / "chat_template.jinja", text);
            CHECK(chat.jinja_beside(folder.path()) == jinja_of(name));
        }
        std::filesystem::remove(folder / "chat_template.jinja");
        put(folder / "tokenizer_config.json", as_config({{{"name", "rag"}, {"template", "x"}}}));
        CHECK(chat.jinja_beside(folder.path()) == jinja_of(name));
    }
}

TEST_CASE("chat_template: an unknown name is refused by the flag's") {
    CHECK(input_error([] { ChatTemplate::named("llama3", "--chat_template"); }) ==
          "--chat_template: found 'llama3', expected smollm2 or chatml");
}

TEST_CASE(
    "chat_template: what is named counts for more than the folder's own; neither is refused") {
    const TemporaryFolder folder;
    CHECK(input_error([&] { ChatTemplate::chosen("", folder.path()); }) ==
          folder.path().string() +
              ": has no chat template (chat_template.jinja, or a key of tokenizer_config.json), "
              "expected one; --chat_template takes smollm2 or chatml");
    CHECK(ChatTemplate::chosen("chatml", folder.path()).name() == "chatml");
    put(folder / "chat_template.jinja", jinja_of("smollm2"));
    CHECK(ChatTemplate::chosen("", folder.path()).name() == "smollm2");
    CHECK(ChatTemplate::chosen("chatml", folder.path()).name() == "chatml");
}
