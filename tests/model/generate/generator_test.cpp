#include "model/generate/generator.h"

#include "model/initialize.h"
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
        CHECK(rows[0].tokens == expected);
        CHECK(rows[1].tokens == expected);
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
    CHECK(static_cast<int64_t>(rows[0].tokens.size()) == until(expected[5]));
    CHECK(rows[0].end == Continuation::End::end_token);
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
    CHECK(prompt.size() + rows[0].tokens.size() == 9);  // the last one is drawn, not read
}

TEST_CASE("generator: sampling repeats with its seed and differs with another") {
    GoldenModel<float> golden("llama");
    const auto prompt = golden.integers("generate.prompt");
    Generator<float> generator(golden.folder.config, golden.store, 64, 2);
    const auto draw = [&](uint64_t seed) {
        const auto rows = generator.generate(prompt, {.max_new_tokens = 20, .seed = seed});
        return std::vector{rows[0].tokens, rows[1].tokens};
    };
    const auto first = draw(1);
    CHECK(first == draw(1));
    CHECK(first != draw(2));
    CHECK(first[0] != first[1]);
}

TEST_CASE(
    "generator: of the next prompt only what is new in it is read, and the text is the same") {
    for (const std::string& name : kGoldenModels) {
        CAPTURE(name);
        GoldenModel<float> golden(name);
        const auto prompt = golden.integers("generate.prompt");
        const auto expected = golden.integers("generate.tokens");
        const auto half = expected.begin() + 8;
        Generator<float> generator(golden.folder.config, golden.store, 64, /*rows=*/1);
        const auto go_on = [&](const std::vector<int32_t>& from, int64_t length) {
            return generator.generate(from, {.max_new_tokens = length, .temperature = 0.0f})[0]
                .tokens;
        };
        CHECK(go_on(prompt, 8) == std::vector<int32_t>(expected.begin(), half));
        // The eighth token was drawn and not read; it and three others are new.
        std::vector<int32_t> longer = prompt;
        longer.insert(longer.end(), expected.begin(), half + 3);
        const int64_t before = generator.tokens_read();
        CHECK(go_on(longer, 13) == std::vector<int32_t>(half + 3, expected.end()));
        CHECK(generator.tokens_read() - before == 4 + 12);
        // A prompt that departs early, then the first one again.
        std::vector<int32_t> other = prompt;
        other.back() = (other.back() + 1) % golden.folder.config.vocab_size;
        const int64_t until_other = generator.tokens_read();
        go_on(other, 2);
        CHECK(generator.tokens_read() - until_other == 1 + 1);
        CHECK(go_on(prompt, 24) == expected);
        // The very same prompt: its last token is read again, for its logits.
        const int64_t until_same = generator.tokens_read();
        CHECK(go_on(prompt, 1) == std::vector<int32_t>{expected[0]});
        CHECK(generator.tokens_read() - until_same == 1);
    }
}

TEST_CASE(
    "generator: the cache grows, and long prompts go through in pieces, without a difference") {
    // 1,300 tokens: three pieces of 512, and a cache that grew from 256.
    ModelConfig config = *preset_config("gpt2");
    config.num_layers = 2;
    config.hidden = 16;
    config.num_heads = config.num_kv_heads = 2;
    config.head_dim = 8;
    config.intermediate = 32;
    config.vocab_size = 61;
    config.max_positions = 2048;
    const ParameterTable table(config);
    ParameterStore<float> store(table);
    store.allocate(Role::weight);
    initialize(store, 3);
    for (float& weight : store.weights()) weight *= 10.0f;  // apart from one another
    std::vector<int32_t> prompt;
    for (int i = 0; i < 1300; ++i) prompt.push_back(i * i % 61);
    const GenerateOptions greedy{.max_new_tokens = 6, .temperature = 0.0f};
    Generator<float> whole(config, store, 2048, 1);
    const auto expected = whole.generate(prompt, greedy)[0].tokens;
    CHECK(whole.tokens_read() == 1300 + 5);
    Generator<float> piecewise(config, store, 2048, 1);
    for (const size_t length : {100, 256, 257, 700, 1299})
        piecewise.generate(std::span(prompt).first(length), {.max_new_tokens = 1});
    CHECK(piecewise.generate(prompt, greedy)[0].tokens == expected);
    // Rows share the bound: pieces of 512 / 3 tokens of each.
    Generator<float> rows(config, store, 2048, 3);
    for (const Continuation& row : rows.generate(prompt, greedy)) CHECK(row.tokens == expected);
}

TEST_CASE("generator: cancelled between two forward passes it keeps what it has, and can go on") {
    GoldenModel<float> golden("llama");
    const auto prompt = golden.integers("generate.prompt");
    const auto expected = golden.integers("generate.tokens");
    Generator<float> generator(golden.folder.config, golden.store, 64, 1);
    int asked = 0;
    GenerateOptions options{.max_new_tokens = 24, .temperature = 0.0f};
    options.cancelled = [&] { return ++asked > 3; };
    const auto rows = generator.generate(prompt, options);
    CHECK(rows[0].tokens == std::vector<int32_t>(expected.begin(), expected.begin() + 3));
    CHECK(rows[0].end == Continuation::End::cancelled);
    options.cancelled = [] { return true; };  // before the prompt
    CHECK(generator.generate(prompt, options)[0].tokens.empty());
    options.cancelled = {};
    CHECK(generator.generate(prompt, options)[0].tokens == expected);
}
