#include "train/train.h"

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

TEST_CASE("train: a dry run writes nothing") {
    const TinyRun tiny;
    TrainOptions options = tiny.options();
    options.dry_run = true;
    CHECK(train(options, "dry") == 0);
    CHECK(!std::filesystem::exists(options.output_dir));
}
