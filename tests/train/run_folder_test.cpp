#include "train/run_folder.h"

#include <nlohmann/json.hpp>

#include "model/io/json.h"
#include "tests/support/doctest.h"
#include "tests/support/tiny_run.h"
#include "train/trainer.h"

namespace {

std::string refusal_of(const TrainOptions& options) {
    try {
        claim_run_folder(prepare(options));
    } catch (const InputError& error) {
        return error.what();
    }
    return "";
}

bool mentions(const std::string& text, const std::string& part) {
    return text.find(part) != std::string::npos;
}

void run(const TrainOptions& options) {
    const Preparation prepared = prepare(options);
    RunFolder folder(prepared, "bin/train as typed");
    Trainer<float>(prepared).run(folder, claim_run_folder(prepared));
}

}  // namespace

TEST_CASE("run_folder: a folder with a run is refused unless it is resumed or overwritten") {
    const TinyRun tiny;
    TrainOptions options = tiny.options();
    CHECK(refusal_of(options).empty());
    options.save_steps = 3;
    run(options);
    CHECK(mentions(refusal_of(options), "holds a run or a model already"));
    options.overwrite_output_dir = true;
    CHECK(refusal_of(options).empty());
    options.overwrite_output_dir = false;
    options.resume_from_checkpoint = "latest";
    CHECK(claim_run_folder(prepare(options)) == checkpoint_path(options.output_dir, 6));
    put(std::filesystem::path(options.output_dir) / "metrics.jsonl", "no log\n");
    CHECK(mentions(refusal_of(options), "metrics.jsonl:1"));
}

TEST_CASE("run_folder: the folder of the model or of data is refused whatever is asked") {
    const TinyRun tiny;
    TrainOptions options = tiny.options();
    options.overwrite_output_dir = true;
    options.output_dir = tiny.folder.path().string();
    CHECK(mentions(refusal_of(options), "holds the input"));
    options.output_dir = options.tokenizer;
    CHECK(mentions(refusal_of(options), "is or holds the folder"));
    options.output_dir = (tiny.folder / "text.txt" / "out").string();
    CHECK(mentions(refusal_of(options), "is no folder"));
    std::filesystem::create_symlink("gone/nowhere", tiny.folder / "dangling");
    options.output_dir = (tiny.folder / "dangling").string();
    CHECK(mentions(refusal_of(options), "is a link to nothing"));
}

TEST_CASE("run_folder: a file whose name run.json cannot hold is refused") {
    const TinyRun run;
    std::filesystem::create_directory(run.folder / "data");
    put(run.folder / "data" / "caf\xe9.txt", get(run.folder / "text.txt"));
    TrainOptions options = run.options();
    options.train_data = {(run.folder / "data").string()};
    CHECK(mentions(refusal_of(options), "caf\xe9.txt: its name is not UTF-8"));
}

TEST_CASE("run_folder: resuming with other numbers or other data is refused and says which") {
    const TinyRun tiny;
    TrainOptions options = tiny.options();
    options.save_steps = 3;
    run(options);
    options.resume_from_checkpoint = "latest";
    TrainOptions changed = options;
    changed.learning_rate = 2e-2;
    CHECK(mentions(refusal_of(changed), "--learning_rate"));
    changed = options;
    changed.logging_steps = 5;
    CHECK(refusal_of(changed).empty());
    put(tiny.folder / "text.txt", get(tiny.folder / "text.txt") + "More.");
    CHECK(mentions(refusal_of(options), "text.txt: its contents changed"));
}

TEST_CASE("run_folder: overwriting removes what Fettle wrote and nothing else") {
    const TinyRun tiny;
    TrainOptions options = tiny.options();
    options.save_steps = 3;
    run(options);
    const std::filesystem::path out = options.output_dir;
    put(out / "notes.txt", "mine");
    options.overwrite_output_dir = true;
    const Preparation prepared = prepare(options);
    const RunFolder folder(prepared, "again");
    CHECK(std::filesystem::exists(out / "notes.txt"));
    CHECK(!std::filesystem::exists(out / "model.safetensors"));
    CHECK(checkpoint_steps(out).empty());
}

TEST_CASE("run_folder: run.json and plan.json say what was asked and what it takes") {
    const TinyRun tiny;
    const TrainOptions options = tiny.options();
    run(options);
    const std::filesystem::path out = options.output_dir;
    const auto json = read_json_file(out / "run.json");
    CHECK(json.at("command") == "bin/train as typed");
    CHECK(json.at("options").at("learning_rate") == 1e-2);
    CHECK(json.at("input_hashes").size() == 4);  // config, text and the tokenizer's two
    const auto plan = read_json_file(out / "plan.json");
    CHECK(plan.at("total_steps") == 6);
    CHECK(plan.at("rows").at("used") == 48);
    int64_t sum = 0;
    for (const auto& part : plan.at("parts")) sum += part.get<int64_t>();
    CHECK(plan.at("total_bytes") == sum);
    const auto state = read_json_file(out / "trainer_state.json");
    CHECK(state.at("global_step") == 6);
    CHECK(state.at("log_history").size() == 6);
}
