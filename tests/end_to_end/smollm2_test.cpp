// A real model, imported: SmolLM2-135M-Instruct continues five prompts as transformers does, which
// read the same GGUF file in fp32 (scripts/make_golden_smollm2.py). Skipped where the file is not.

#include <cmath>
#include <cstring>
#include <nlohmann/json.hpp>

#include "model/generate/generator.h"
#include "model/io/hugging_face.h"
#include "model/io/import_gguf.h"
#include "model/io/json.h"
#include "model/io/safetensors.h"
#include "model/text/tokenizer.h"
#include "tests/support/doctest.h"
#include "tests/support/shared_data.h"
#include "tests/support/temporary_folder.h"

namespace {

constexpr int kPrompts = 5;
constexpr size_t kNewTokens = 48;
// fp32 of two programs with sums in another order: logits up to 42 whose float spacing is 4e-6.
constexpr float kTolerance = 2e-3f;

struct Golden {
    SafetensorsFile file{"tests/golden/smollm2/golden.safetensors"};

    template <typename T>
    std::vector<T> values(const std::string& name) const {
        const StoredTensor* tensor = file.find(name);
        REQUIRE(tensor != nullptr);
        std::vector<T> out(static_cast<size_t>(tensor->count));
        REQUIRE(tensor->bytes.size() == out.size() * sizeof(T));
        std::memcpy(out.data(), tensor->bytes.data(), tensor->bytes.size());
        return out;
    }
};

struct RealModel {
    explicit RealModel(const std::filesystem::path& gguf) {
        import_gguf({.model = gguf, .output_dir = folder / "m"});
        model = open_model_folder(folder / "m");
        table = std::make_unique<ParameterTable>(model.config);
        store = std::make_unique<ParameterStore<float>>(*table);
        store->allocate(Role::weight);
        load_weights(model, *store);
    }
    TemporaryFolder folder;
    ModelFolder model;
    std::unique_ptr<ParameterTable> table;
    std::unique_ptr<ParameterStore<float>> store;
};

void check_greedy(RealModel& real, const Golden& golden) {
    const auto tokens = golden.values<int32_t>("tokens");
    const auto starts = golden.values<int32_t>("row_starts");
    const auto prompt_tokens = golden.values<int32_t>("prompt_tokens");
    const auto gaps = golden.values<float>("gaps");
    const auto prompts = read_json_file("tests/golden/smollm2/prompts.json");
    const Tokenizer tokenizer = Tokenizer::from_folder(real.model.path);
    Generator<float> generator(real.model.config, *real.store, 256, /*rows=*/1);
    REQUIRE(prompts.size() == kPrompts);
    for (size_t p = 0; p < kPrompts; ++p) {
        const std::vector<int32_t> row(tokens.begin() + starts[p], tokens.begin() + starts[p + 1]);
        const std::vector<int32_t> prompt(row.begin(), row.begin() + prompt_tokens[p]);
        REQUIRE(tokenizer.encode(prompts[p]["prompt"].get<std::string>()) == prompt);
        const auto found =
            generator.generate(prompt, {.max_new_tokens = kNewTokens, .temperature = 0.0f})[0]
                .tokens;
        REQUIRE(found.size() == kNewTokens);
        for (size_t i = 0; i < kNewTokens; ++i) {
            if (found[i] == row[prompt.size() + i]) continue;
            FAIL_CHECK("prompt " << p << ", new token " << i << ": found " << found[i]
                                 << ", expected " << row[prompt.size() + i]
                                 << ", which was ahead by " << gaps[p * kNewTokens + i]);
            break;  // what follows another token is another text
        }
        CHECK(tokenizer.decode(found) == prompts[p]["continuation"].get<std::string>());
    }
}

void check_logits(RealModel& real, const Golden& golden) {
    const auto tokens = golden.values<int32_t>("tokens");
    const auto starts = golden.values<int32_t>("row_starts");
    const auto places = golden.values<int32_t>("places");
    const auto ids = golden.values<int32_t>("ids");
    const auto expected = golden.values<float>("logits");
    const auto logsumexp = golden.values<float>("logsumexp");
    REQUIRE(places.size() == 64);
    Batch batch;
    for (int32_t p = 0; p < kPrompts; ++p)
        batch.append_row(std::span(tokens).subspan(static_cast<size_t>(starts[p]),
                                                   static_cast<size_t>(starts[p + 1] - starts[p])),
                         {}, p);
    Transformer<float> transformer(
        real.model.config, *real.store,
        {.tokens = batch.num_tokens(), .longest_row = batch.longest_row()});
    transformer.forward(batch);
    const size_t per_place = ids.size() / places.size();
    std::vector<float> logits(static_cast<size_t>(real.model.config.vocab_size));
    float worst = 0;
    double worst_sum = 0;
    for (size_t i = 0; i < places.size(); ++i) {
        transformer.logits(places[i], 1, logits.data());
        double sum = 0;
        for (const float logit : logits) sum += std::exp(double{logit} - logsumexp[i]);
        worst_sum = std::max(worst_sum, std::abs(std::log(sum)));
        for (size_t k = i * per_place; k < (i + 1) * per_place; ++k)
            worst = std::max(worst, std::abs(logits.at(static_cast<size_t>(ids[k])) - expected[k]));
    }
    MESSAGE("largest difference of " << ids.size() << " logits: " << worst
                                     << ", of a log of their exponentials' sum: " << worst_sum);
    CHECK(worst <= kTolerance);
    CHECK(worst_sum <= double{kTolerance});
}

}  // namespace

TEST_CASE("smollm2: five prompts go on with transformers' 48 tokens, from transformers' logits") {
    const auto gguf = smollm2_gguf();
    if (!gguf) return;
    const Golden golden;
    RealModel real(*gguf);
    check_greedy(real, golden);
    check_logits(real, golden);
}
