// Rows of data as ids and trained tokens, against transformers' ids and labels.

#include "model/text/rows.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <random>

#include "model/io/json.h"
#include "model/text/bpe_trainer.h"
#include "model/text/tokenizer_writer.h"
#include "tests/support/bytes_tokenizer.h"
#include "tests/support/chat_rows.h"
#include "tests/support/doctest.h"
#include "tests/support/temporary_folder.h"

namespace {

std::string text_of(const Tokenizer& tokenizer, const TrainingRow& row, bool trained_only) {
    std::string text;
    for (size_t i = 0; i < row.ids.size(); ++i)
        if (!trained_only || (i >= row.trained_begin && i < row.trained_end))
            text += tokenizer.token_bytes(row.ids[i]);
    return text;
}

TrainingRow row_of(const std::string& json, const ChatTemplate* chat = nullptr,
                   RowFormat format = RowFormat::alpaca) {
    return training_row(nlohmann::json::parse(json), format, bytes_tokenizer(), chat, "x row 1");
}

}  // namespace

TEST_CASE("rows: ids and trained tokens are those of transformers") {
    const Tokenizer tokenizer = chat_tokenizer();
    const nlohmann::json rows = chat_golden()["rows"];
    REQUIRE(rows.size() == 15);
    for (const auto& golden : rows) {
        CAPTURE(golden["row"].dump());
        CAPTURE(golden["template"].dump());
        const std::string name = golden["template"].get<std::string>();
        std::optional<ChatTemplate> chat;
        if (!name.empty()) chat = ChatTemplate::named(name, "--chat_template");
        const TrainingRow row = training_row(golden["row"], RowFormat::alpaca, tokenizer,
                                             chat ? &*chat : nullptr, "golden");
        CHECK(row.ids == golden["ids"].get<std::vector<int32_t>>());
        const auto labels = golden["labels"].get<std::vector<int32_t>>();
        REQUIRE(labels.size() == row.ids.size());
        for (size_t i = 0; i < labels.size(); ++i) {
            CAPTURE(i);
            CHECK((labels[i] >= 0) == (i >= row.trained_begin && i < row.trained_end));
        }
    }
}

TEST_CASE("rows: an alpaca row is Stanford's prompt, with or without an input, and the answer") {
    const TrainingRow with = row_of(R"({"instruction": "Add", "input": "1, 2", "output": "3"})");
    CHECK(text_of(bytes_tokenizer(), with, false) ==
          "Below is an instruction that describes a task, paired with an input that provides "
          "further context. Write a response that appropriately completes the request.\n\n"
          "### Instruction:\nAdd\n\n### Input:\n1, 2\n\n### Response:\n3<|endoftext|>");
    CHECK(text_of(bytes_tokenizer(), with, true) == "3<|endoftext|>");
    for (const char* json :
         {R"({"instruction": "Say {} %s", "input": "", "output": "yes", "history": []})",
          R"({"instruction": "Say {} %s", "input": null, "output": "yes", "system": ""})",
          R"({"instruction": "Say {} %s", "output": "yes", "id": 7})"}) {
        const TrainingRow without = row_of(json);
        CHECK(text_of(bytes_tokenizer(), without, false) ==
              "Below is an instruction that describes a task. Write a response that appropriately "
              "completes the request.\n\n### Instruction:\nSay {} %s\n\n### Response:\n"
              "yes<|endoftext|>");
        CHECK(text_of(bytes_tokenizer(), without, true) == "yes<|endoftext|>");
        CHECK(without.num_trained() == 4);
    }
}

TEST_CASE("rows: under a chat template the instruction is the user's, the answer the assistant's") {
    const auto chat = ChatTemplate::named("chatml", "--chat_template");
    const TrainingRow row =
        row_of(R"({"instruction": "Add", "input": "1, 2", "output": "3\n"})", &chat);
    CHECK(text_of(bytes_tokenizer(), row, false) ==
          "<|im_start|>user\nAdd\n1, 2<|im_end|>\n<|im_start|>assistant\n3\n<|im_end|>\n");
    CHECK(text_of(bytes_tokenizer(), row, true) == "3\n<|im_end|>");
}

TEST_CASE("rows: training starts at a token that joins prompt and answer, and ends with one EOS") {
    // "x" and "xx" are tokens, and so is <|endoftext|>.
    const TemporaryFolder folder;
    BpeTrainer trainer;
    trainer.add_text("xx xx xx xx");
    write_tokenizer(trainer.train(258), folder.path());
    const Tokenizer tokenizer = Tokenizer::from_folder(folder.path());
    REQUIRE(tokenizer.encode("xx").size() == 1);
    const TrainingRow joined = completion_row(tokenizer, "ax", "xb");
    CHECK(joined.ids.size() == 4);
    CHECK(text_of(tokenizer, joined, true) == "xxb<|endoftext|>");
    CHECK(text_of(tokenizer, completion_row(tokenizer, "a", "b<|endoftext|>"), true) ==
          "b<|endoftext|>");
    CHECK(text_of(tokenizer, completion_row(tokenizer, "a", ""), true) == "<|endoftext|>");
}

TEST_CASE("rows: what is trained is what departs from the ids of the prompt tokenised alone") {
    const std::vector<std::string> words = {"Add",       " 1",     " and",   "\n",        "\n\n",
                                            "caf\u00e9", "\u0301", ".",      "'s",        " ",
                                            "  ",        "###",    "\u7b2c", "<|im_end|>"};
    const auto departs = [](const std::vector<int32_t>& a, const std::vector<int32_t>& b) {
        return static_cast<size_t>(std::mismatch(a.begin(), a.end(), b.begin(), b.end()).first -
                                   a.begin());
    };
    const auto chat = ChatTemplate::named("smollm2", "--chat_template");
    std::mt19937 random(1);
    const auto draw = [&] {
        std::string text;
        for (size_t n = random() % 30; n > 0; --n) text += words[random() % words.size()];
        return text;
    };
    for (const char* name : {"small_gpt2", "small_qwen", "small_llama3", "small_llama"}) {
        CAPTURE(name);
        const auto tokenizer =
            Tokenizer::from_folder(std::string("tests/golden/tokenizer/") + name);
        const auto& prefix = tokenizer.prefix_ids();
        const auto encode = [&](const std::string& text) {
            std::vector<int32_t> ids = prefix;
            tokenizer.encode(text, ids);
            return ids;
        };
        for (int round = 0; round < 1000; ++round) {
            const std::string prompt = draw(), answer = draw();
            CAPTURE(prompt);
            CAPTURE(answer);
            const TrainingRow row = completion_row(tokenizer, prompt, answer);
            auto ids = encode(prompt + answer);
            CHECK(row.trained_begin == departs(ids, encode(prompt)));
            end_with_eos(tokenizer, ids);
            CHECK(row.ids == ids);

            const std::vector<ChatMessage> user = {{"user", prompt}};
            const TrainingRow turn = chat_row(tokenizer, chat, user, answer);
            const std::string before = chat.render(user, true);
            const auto ended = tokenizer.encode(before + answer + "<|im_end|>");
            CHECK(turn.ids == tokenizer.encode(before + answer + "<|im_end|>\n"));
            CHECK(turn.trained_begin == departs(turn.ids, tokenizer.encode(before)));
            const size_t same = departs(turn.ids, ended);
            CHECK(turn.trained_end == (same == ended.size() ? same : turn.ids.size()));
        }
    }
}

TEST_CASE("rows: cutting a row may leave nothing to train; weights are empty where all count") {
    TrainingRow row{.ids = {5, 6, 7, 8, 9}, .trained_begin = 3, .trained_end = 5};
    CHECK(row.weights() == std::vector<float>{0, 0, 0, 1, 1});
    CHECK(row.num_trained() == 2);
    row.truncate(4);
    CHECK(row.weights() == std::vector<float>{0, 0, 0, 1});
    row.truncate(3);
    CHECK(row.num_trained() == 0);
    const TrainingRow whole = text_row(bytes_tokenizer(), "ab");
    CHECK(whole.weights().empty());
    CHECK(whole.num_trained() == 2);  // the first token of a row is never a target
    CHECK(TrainingRow{.ids = {5}, .trained_end = 1}.num_trained() == 0);
}

TEST_CASE("rows: the format is told by a row's keys") {
    const auto format = [](const std::string& json, RowFormat asked = RowFormat::automatic) {
        return std::string(name_of(format_of_row(nlohmann::json::parse(json), asked, "x row 1")));
    };
    CHECK(format(R"({"text": "a"})") == "text");
    CHECK(format(R"({"instruction": "a", "output": "b"})") == "alpaca");
    CHECK(format(R"({"instruction": "a", "input": "", "output": "b", "text": "ab"})") == "alpaca");
    CHECK(format(R"({"instruction": "a", "output": "b", "text": "ab"})", RowFormat::text) ==
          "text");
    CHECK(format(R"({"instruction": "a", "text": "ab"})") == "text");
    CHECK(input_error([&] { format(R"({"texts": "a"})"); }) ==
          "x row 1: has no key \"text\", nor \"instruction\" and \"output\"");
    CHECK(input_error([&] { format("[1]"); }) == "x row 1: found [1], expected an object");
    CHECK(row_format_from("alpaca", "--format") == RowFormat::alpaca);
    CHECK(input_error([] { row_format_from("chat", "--format"); }) ==
          "--format: found 'chat', expected auto, text or alpaca");
}

TEST_CASE("rows: complaints name the row, the key and what was found") {
    const auto says = [](const std::string& json) { return input_error([&] { row_of(json); }); };
    CHECK(says(R"({"output": "b"})") == "x row 1: has no key \"instruction\"");
    CHECK(says(R"({"instruction": "a"})") == "x row 1: has no key \"output\"");
    CHECK(says(R"({"instruction": 5, "output": "b"})") ==
          "x row 1: \"instruction\" is 5, expected a string");
    CHECK(says(R"({"instruction": "a", "output": null})") ==
          "x row 1: \"output\" is null, expected a string");
    CHECK(says(R"({"instruction": "a", "input": ["x"], "output": "b"})") ==
          "x row 1: \"input\" is [\"x\"], expected a string");
    CHECK(says(R"({"instruction": "a", "output": "b", "history": [["q", "r"]]})") ==
          "x row 1: \"history\" is [[\"q\",\"r\"]], expected it empty or absent: it would not be "
          "trained on");
    CHECK(says("[]") == "x row 1: found [], expected an object");
}
