// A run small enough for a test: a model of one block over bytes, from random weights, on a text of
// a few hundred bytes.
#pragma once

#include <filesystem>
#include <string>

#include "model/io/atomic_file.h"
#include "tests/support/temporary_folder.h"
#include "tests/support/tiny_model.h"
#include "train/options.h"

class TinyRun {
public:
    TinyRun() {
        write_tokenizer(BpeTrainer().train(kTinyVocabulary), folder / "tokenizer");
        write_file(folder / "config.json", config_to_json(tiny_config(), TensorType::f32));
        std::string text;
        for (int i = 0; i < 40; ++i) text += "The tide comes in, the tide goes out. ";
        put(folder / "text.txt", text);
        put(folder / "other.txt", text.substr(0, 400));
    }

    // Eight rows of 32 tokens a step, the last step of an epoch shorter.
    TrainOptions options() const {
        TrainOptions out;
        out.init = (folder / "config.json").string();
        out.tokenizer = (folder / "tokenizer").string();
        out.train_data = {(folder / "text.txt").string()};
        out.max_length = 32;
        out.learning_rate = 1e-2;
        out.max_steps = 6;
        out.logging_steps = 1;
        out.eval_strategy = "no";
        out.report_to = "none";
        out.output_dir = (folder / "out").string();
        return out;
    }

    TemporaryFolder folder;
};
