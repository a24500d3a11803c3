#include "train/train.h"

#include "model/text/chat_template.h"
#include "tests/support/doctest.h"
#include "tests/support/tiny_run.h"

TEST_CASE("train: a run ends with 0 and leaves a model folder that a run can start from") {
    const TinyRun tiny;
    TrainOptions options = tiny.options();
    CHECK(train(options, "first") == 0);
    TrainOptions next = tiny.options();
    next.init = next.tokenizer = "";
    next.model = options.output_dir;
    next.output_dir = (tiny.folder / "next").string();
    CHECK(train(next, "second") == 0);
    CHECK(std::filesystem::exists(std::filesystem::path(next.output_dir) / "tokenizer.json"));
}

TEST_CASE("train: the chat template of a run lies beside its model and its checkpoints") {
    const TinyRun tiny;
    put(tiny.folder / "rows.json",
        R"([{"instruction": "a", "output": "b"}, {"instruction": "c", "output": "d"}])");
    const auto template_in = [](const std::filesystem::path& folder) {
        const auto chat = ChatTemplate::of_folder(folder);
        return chat ? chat->name() : "none";
    };
    TrainOptions options = tiny.options();
    options.max_length = 64;
    options.max_steps = 2;
    options.save_steps = 1;
    const auto run = [&](const std::string& chat, const std::string& output) {
        options.chat_template = chat;
        options.output_dir = (tiny.folder / output).string();
        CHECK(train(options, output) == 0);
    };
    run("", "plain");
    options.train_data = {(tiny.folder / "rows.json").string()};
    CHECK(template_in(tiny.folder / "plain") == "none");
    run("chatml", "chat");
    for (const char* folder : {"chat", "chat/checkpoint-1", "chat/checkpoint-2"})
        CHECK(template_in(tiny.folder / folder) == "chatml");

    // A template that says the same stays as it was written; one that a run departs from does not.
    const std::string own = get(tiny.folder / "chat/chat_template.jinja") + "\n";
    put(tiny.folder / "tokenizer/chat_template.jinja", own);
    run("chatml", "same");
    CHECK(get(tiny.folder / "same/chat_template.jinja") == own);
    put(tiny.folder / "tokenizer/chat_template.jinja", "{{ messages }}");
    run("chatml", "other");
    CHECK(template_in(tiny.folder / "other") == "chatml");
    CHECK(get(tiny.folder / "tokenizer/chat_template.jinja") == "{{ messages }}");
}

TEST_CASE("train: a dry run writes nothing") {
    const TinyRun tiny;
    TrainOptions options = tiny.options();
    options.dry_run = true;
    CHECK(train(options, "dry") == 0);
    CHECK(!std::filesystem::exists(options.output_dir));
}
