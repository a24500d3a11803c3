#include "model/generate/generator.h"

#include "tests/support/doctest.h"
#include "tests/support/golden.h"

TEST_CASE("generator: greedy continuations are those of transformers") {
    for (const std::string& name : kGoldenModels) {
        CAPTURE(name);
        GoldenModel<float> golden(name);
        const auto prompt = golden.integers("generate.prompt");
        const auto expected = golden.integers("generate.tokens");
        Generator<float> generator(golden.folder.config, golden.store, 64, /*rows=*/2);
        const auto rows = generator.generate(
            prompt, {.max_new_tokens = static_cast<int64_t>(expected.size()), .temperature = 0.0f});
        CHECK(rows[0] == expected);
        CHECK(rows[1] == expected);
    }
}

TEST_CASE("generator: an end token ends a row and is not reported; on_token may end it too") {
    GoldenModel<float> golden("gpt2");
    const auto prompt = golden.integers("generate.prompt");
    const auto expected = golden.integers("generate.tokens");
    Generator<float> generator(golden.folder.config, golden.store, 64, 1);
    const auto until = [&](int32_t token) {
        return std::find(expected.begin(), expected.end(), token) - expected.begin();
    };
    const auto rows = generator.generate(
        prompt, {.max_new_tokens = 24, .temperature = 0.0f, .end_tokens = {expected[5]}});
    CHECK(static_cast<int64_t>(rows[0].size()) == until(expected[5]));
    int calls = 0;
    generator.generate(prompt, {.max_new_tokens = 24, .temperature = 0.0f},
                       [&](int, int32_t) { return ++calls == 3; });
    CHECK(calls == 3);
}

TEST_CASE("generator: rows end where the model has no more positions") {
    GoldenModel<float> golden("gpt2");
    const auto prompt = golden.integers("generate.prompt");
    Generator<float> generator(golden.folder.config, golden.store, 8, 1);
    const auto rows = generator.generate(prompt, {.max_new_tokens = 100, .temperature = 0.0f});
    CHECK(prompt.size() + rows[0].size() == 9);  // the last one is drawn, not read
}

TEST_CASE("generator: sampling repeats with its seed and differs with another") {
    GoldenModel<float> golden("llama");
    const auto prompt = golden.integers("generate.prompt");
    Generator<float> generator(golden.folder.config, golden.store, 64, 2);
    const auto draw = [&](uint64_t seed) {
        return generator.generate(prompt, {.max_new_tokens = 20, .rows = 2, .seed = seed});
    };
    const auto first = draw(1);
    CHECK(first == draw(1));
    CHECK(first != draw(2));
    CHECK(first[0] != first[1]);
}
