// Importing llama2.c's files: weights come back bit for bit, stories260K computes what it should,
// and no spoilt file is believed.

#include "model/io/import_llama2c.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "kernels/core/check.h"
#include "model/generate/text_generator.h"
#include "model/io/hugging_face.h"
#include "model/io/safetensors.h"
#include "model/transformer.h"
#include "tests/support/devices.h"
#include "tests/support/doctest.h"
#include "tests/support/gguf_model.h"
#include "tests/support/golden.h"
#include "tests/support/shared_data.h"
#include "tests/support/temporary_folder.h"

namespace {

std::span<const std::byte> bytes_of(const std::string& text) {
    return std::as_bytes(std::span(text));
}

std::string header(std::vector<int32_t> fields) {
    std::string out;
    for (const int32_t field : fields) out += raw(field);
    return out;
}

// smollm (tied) or mistral (a head of its own) of tests/golden as llama2.c's export writes it.
std::string golden_file(const std::string& name) {
    const ModelFolder folder = open_model_folder(golden_folder(name));
    const SafetensorsFile weights(folder.weight_files[0]);
    const ModelConfig& config = folder.config;
    std::string out =
        header({config.hidden, config.intermediate, config.num_layers, config.num_heads,
                config.num_kv_heads, config.tied_head ? config.vocab_size : -config.vocab_size,
                config.max_positions});
    const auto add = [&](const std::string& tensor) {
        const StoredTensor* stored = weights.find(tensor);
        ENSURE(stored != nullptr, "no tensor {}", tensor);
        std::vector<float> values(static_cast<size_t>(stored->count));
        read_elements(stored->bytes.data(), stored->type, std::span(values));
        if (contains(tensor, "q_proj") || contains(tensor, "k_proj"))
            values = interleaved(values, config.head_dim, config.hidden);
        for (const float value : values) out += raw(value);
    };
    add("model.embed_tokens.weight");
    for (const char* tensor : {"input_layernorm", "self_attn.q_proj", "self_attn.k_proj",
                               "self_attn.v_proj", "self_attn.o_proj", "post_attention_layernorm",
                               "mlp.gate_proj", "mlp.down_proj", "mlp.up_proj"})
        for (int layer = 0; layer < config.num_layers; ++layer)
            add(fmt::format("model.layers.{}.{}.weight", layer, tensor));
    add("model.norm.weight");
    out += std::string(static_cast<size_t>(config.max_positions * config.head_dim * 4), 'f');
    if (!config.tied_head) add("lm_head.weight");
    return out;
}

// tokenizer.bin of three special tokens, 256 bytes and " a".
std::string token_file() {
    std::string out = raw<int32_t>(7);
    const auto add = [&](const std::string& text, float score) {
        out += raw(score) + raw(static_cast<int32_t>(text.size())) + text;
    };
    add("<unk>", 0);
    add("\n<s>\n", 0);
    add("\n</s>\n", 0);
    for (int byte = 0; byte < 256; ++byte) add(fmt::format("<0x{:02X}>", byte), 0);
    add(" a", -1.5f);
    return out;
}

std::string token_complaint(const std::string& file, int vocab_size = 260) {
    return input_error([&] { tokenizer_from_llama2c(bytes_of(file), vocab_size, "tok.bin"); });
}

std::string complaint(const std::string& file) {
    return input_error([&] {
        const ModelConfig config = config_from_llama2c(bytes_of(file), "m.bin");
        tensors_from_llama2c(bytes_of(file), config, "m.bin");
    });
}

// stories260K as a folder; nothing if it is not at hand.
struct Stories {
    explicit Stories(const std::filesystem::path& from) {
        imported = import_llama2c({.model = from / "stories260K.bin",
                                   .tokenizer = from / "tok512.bin",
                                   .output_dir = folder / "m"});
    }
    TemporaryFolder folder;
    Imported imported;
};

template <typename T>
std::vector<T> elements_of(const std::filesystem::path& path) {
    const std::string bytes = get(path);
    std::vector<T> out(bytes.size() / sizeof(T));
    std::memcpy(out.data(), bytes.data(), out.size() * sizeof(T));
    return out;
}

}  // namespace

TEST_CASE("import_llama2c: configuration and weights survive, with a tied head and with its own") {
    for (const std::string name : {"smollm", "mistral"}) {
        CAPTURE(name);
        const TemporaryFolder folder;
        const std::string file = golden_file(name);
        ImportedModel model{.source = "m.bin",
                            .config = config_from_llama2c(bytes_of(file), "m.bin"),
                            .tensors = {},
                            .tokenizer = {}};
        model.tensors = tensors_from_llama2c(bytes_of(file), model.config, "m.bin");
        ModelConfig expected = open_model_folder(golden_folder(name)).config;
        expected.raw_json.clear();
        expected.model_type = "llama";
        expected.bos_id = 1;
        expected.eos_ids = {2};
        expected.initializer_range = model.config.initializer_range;
        CHECK(model.config == expected);
        write_imported_weights(model, {TensorType::f32}, folder / "model.safetensors");
        const bool same =
            get(folder / "model.safetensors") == get(golden_folder(name) / "model.safetensors");
        CHECK(same);
    }
}

TEST_CASE("config_from_llama2c: fields out of range and later versions are refused by name") {
    const auto with = [](size_t index, int32_t value) {
        std::vector<int32_t> fields = {36, 47, 2, 9, 3, 113, 64};
        fields[index] = value;
        return complaint(header(fields) + std::string(1000, '\0'));
    };
    CHECK(contains(with(0, 0), "m.bin: dim: found 0, expected 1 to 1048576"));
    CHECK(contains(with(1, -1), "hidden_dim: found -1"));
    CHECK(contains(with(2, 1'000'000'000), "n_layers: found 1000000000, expected 1 to 4096"));
    CHECK(contains(with(3, 8), "n_heads: found 8, expected heads of an even size from dim 36"));
    CHECK(contains(with(4, 2), "n_kv_heads: found 2, expected a divisor of the 9 heads"));
    CHECK(contains(with(5, 0), "vocab_size: found 0"));
    CHECK(contains(with(5, INT32_MIN), "vocab_size: found -2147483648"));
    CHECK(contains(with(6, INT32_MAX), "seq_len: found 2147483647"));
    CHECK(contains(with(2, 4096), "expected 4096 layers of dim 36"));
    CHECK(contains(complaint("short"), "m.bin: found 5 bytes, expected a header of 28"));
    CHECK(contains(complaint("24ka" + raw<int32_t>(2) + std::string(300, '\0')),
                   "found a file of version 2, expected the first form"));
}

TEST_CASE(
    "tensors_from_llama2c: a file that is not exactly as long as its header says is refused") {
    const std::string whole = golden_file("mistral");
    CHECK(complaint(whole) == "");
    CHECK(contains(complaint(whole + "x"), "m.bin: found"));
    int accepted = 0;
    for (size_t length = 0; length < whole.size(); length += 97)
        accepted += complaint(whole.substr(0, length)) == "";
    CHECK(accepted == 0);
}

TEST_CASE("tokenizer_from_llama2c: pieces with U+2581 for spaces, bytes, scores and BOS") {
    const ForeignTokenizer tokenizer = tokenizer_from_llama2c(bytes_of(token_file()), 260, "tok");
    using Role = ForeignTokenizer::Role;
    CHECK(tokenizer.kind == ForeignTokenizer::Kind::sentence_piece);
    REQUIRE(tokenizer.tokens.size() == 260);
    CHECK(tokenizer.tokens[0] == "<unk>");
    CHECK(tokenizer.tokens[1] == "<s>");
    CHECK(tokenizer.tokens[2] == "</s>");
    CHECK(tokenizer.tokens[13] == "<0x0A>");
    CHECK(tokenizer.tokens[259] ==
          "\u2581"
          "a");
    CHECK(tokenizer.scores[259] == -1.5f);
    CHECK(tokenizer.roles[0] == Role::unknown);
    CHECK(tokenizer.roles[2] == Role::control);
    CHECK(tokenizer.roles[3] == Role::byte);
    CHECK(tokenizer.roles[258] == Role::byte);
    CHECK(tokenizer.roles[259] == Role::normal);
    CHECK(tokenizer.adds_bos);
    CHECK(tokenizer.adds_space_prefix);
    CHECK_FALSE(tokenizer.adds_eos);
}

TEST_CASE("tokenizer_from_llama2c: a file cut off, too long or with wrong lengths is refused") {
    const std::string whole = token_file();
    CHECK(token_complaint(whole) == "");
    int accepted = 0;
    for (size_t length = 0; length < whole.size(); ++length)
        accepted += token_complaint(whole.substr(0, length)) == "";
    CHECK(accepted == 0);
    CHECK(contains(token_complaint(whole + "x"),
                   fmt::format("tok.bin: found {} bytes, expected {}: 260 tokens end there",
                               whole.size() + 1, whole.size())));
    CHECK(contains(token_complaint(whole, 259), "259 tokens end there"));
    CHECK(contains(token_complaint(whole, 261), "ends at token 260, expected the model's 261"));
    CHECK(contains(token_complaint(whole, 100), "found a model of 100 tokens, expected at least"));
    for (const int32_t length : {-1, 8, INT32_MAX}) {
        std::string spoilt = whole;
        std::memcpy(spoilt.data() + 8, &length, 4);  // that of token 0
        CHECK(contains(token_complaint(spoilt),
                       fmt::format("token 0: found a length of {}", length)));
    }
    std::string spoilt = whole;
    const float nan = std::nanf("");
    std::memcpy(spoilt.data() + 4, &nan, 4);
    CHECK(contains(token_complaint(spoilt), "token 0: found score nan"));
}

TEST_CASE("import_llama2c: stories260K gives the golden logits") {
    const auto from = shared_data("stories260k");
    if (!from) return;
    const Stories stories(*from);
    CHECK(stories.imported.num_parameters == 260032);
    const ModelFolder model = open_model_folder(stories.folder / "m");
    const ParameterTable table(model.config);
    ParameterStore<float> store(table, tested_device());
    store.allocate(Role::weight);
    store.write_on_host([&](ParameterStore<float>& on_host) { load_weights(model, on_host); });

    const auto tokens = elements_of<int32_t>(*from / "golden_tokens.i32");
    const auto golden = elements_of<float>(*from / "golden_logits.f32");
    REQUIRE(tokens.size() == 257);
    Batch batch;
    batch.append_row(tokens, {}, 0);
    Transformer<float> transformer(model.config, store, {.tokens = 257, .longest_row = 257},
                                   test_stream());
    transformer.forward(batch);
    const Buffer<float> there(tested_device(), 257 * 512);
    transformer.logits(0, 257, there.data());
    const std::vector<float> logits = there.to_host();
    REQUIRE(logits.size() == golden.size());
    float worst = 0;
    for (size_t i = 0; i < logits.size(); ++i)
        worst = std::max(worst, std::abs(logits[i] - golden[i]));
    MESSAGE("largest difference of 257 x 512 logits: " << worst);
    CHECK(worst <= 1e-4f);
}

TEST_CASE("import_llama2c: stories260K tells the golden story") {
    const auto from = shared_data("stories260k");
    if (!from) return;
    const Stories stories(*from);
    TextGenerator generator((stories.folder / "m").string(), "fp32", tested_device());
    const auto texts = generator.generate("", {.max_new_tokens = 200, .temperature = 0.0});
    REQUIRE(texts.size() == 1);
    std::string golden = get(*from / "golden_greedy_200steps.txt");
    while (golden.ends_with('\n')) golden.pop_back();
    CHECK(texts[0].text == golden);
}
