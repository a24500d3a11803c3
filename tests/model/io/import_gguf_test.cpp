// Importing GGUF: models written as llama.cpp's converter writes them come back bit for bit, and
// what Fettle does not compute is refused by name.

#include "model/io/import_gguf.h"

#include <algorithm>
#include <cmath>
#include <functional>

#include "kernels/core/check.h"
#include "model/io/hugging_face.h"
#include "model/io/safetensors.h"
#include "model/rope_table.h"
#include "tests/support/doctest.h"
#include "tests/support/gguf_model.h"
#include "tests/support/golden.h"
#include "tests/support/temporary_folder.h"

namespace {

GgufWriter golden_gguf(const std::string& model) {
    const ModelFolder folder = open_model_folder(golden_folder(model));
    GgufWriter writer = gguf_model(folder.config, SafetensorsFile(folder.weight_files[0]));
    writer.add("tokenizer.ggml.model", "gpt2");
    writer.add("tokenizer.ggml.tokens", std::vector<std::string>{"a", "b", "c"});
    return writer;
}

struct Written {
    explicit Written(const GgufWriter& writer) { put(folder / "m.gguf", writer.bytes()); }
    TemporaryFolder folder;
    GgufFile file() const { return GgufFile(folder / "m.gguf"); }
};

// The complaint about smollm's file after a change.
std::string complaint(const std::function<void(GgufWriter&)>& change,
                      const std::string& model = "smollm") {
    GgufWriter writer = golden_gguf(model);
    change(writer);
    const Written written(writer);
    return input_error([&] {
        const GgufFile file = written.file();
        const ModelConfig config = config_from_gguf(file);
        tensors_from_gguf(file, config);
        tokenizer_from_gguf(file, config);
    });
}

template <typename Value>
std::string with(const std::string& key, Value value, const std::string& model = "smollm") {
    return complaint([&](GgufWriter& writer) { writer.add(key, value); }, model);
}

std::string without(const std::string& key, const std::string& model = "smollm") {
    return complaint([&](GgufWriter& writer) { writer.remove(key); }, model);
}

void check_weights_survive(const std::string& name) {
    const Written written(golden_gguf(name));
    const GgufFile file = written.file();
    ImportedModel model{
        .source = "m.gguf", .config = config_from_gguf(file), .tensors = {}, .tokenizer = {}};
    model.tensors = tensors_from_gguf(file, model.config);

    ModelConfig expected = open_model_folder(golden_folder(name)).config;
    expected.raw_json.clear();
    expected.initializer_range = model.config.initializer_range;  // GGUF does not say
    if (name == "mistral") expected.model_type = "llama";         // one architecture in GGUF
    CHECK(model.config == expected);
    write_imported_weights(model, {TensorType::f32}, written.folder / "model.safetensors");
    const std::string found = get(written.folder / "model.safetensors");
    const bool same = found == get(golden_folder(name) / "model.safetensors");
    CHECK(same);
}

// Divisors of RoPE's frequencies as the converter computes them for Llama 3.
std::vector<float> llama3_divisors(ModelConfig config, double factor) {
    const auto plain = rope_inverse_frequencies(config);
    config.rope_scaling = {RopeScaling::Kind::llama3, factor, 1.0, 4.0, 8192};
    const auto scaled = rope_inverse_frequencies(config);
    std::vector<float> divisors;
    for (size_t d = 0; d < plain.size(); ++d)
        divisors.push_back(static_cast<float>(plain[d] / scaled[d]));
    return divisors;
}

}  // namespace

TEST_CASE("config_from_gguf, tensors_from_gguf: every family's configuration and weights survive") {
    for (const std::string name : {"smollm", "mistral", "qwen2", "qwen3", "gpt2"}) {
        CAPTURE(name);
        check_weights_survive(name);
    }
}

TEST_CASE("config_from_gguf: a head stored as the embedding's copy is tied, another one is not") {
    const ModelFolder folder = open_model_folder(golden_folder("gpt2"));
    const SafetensorsFile weights(folder.weight_files[0]);
    const StoredTensor* embedding = weights.find("transformer.wte.weight");
    std::string head(reinterpret_cast<const char*>(embedding->bytes.data()),
                     embedding->bytes.size());
    for (const bool changed : {false, true}) {
        if (changed) head[5] = static_cast<char>(head[5] ^ 1);
        GgufWriter writer = golden_gguf("gpt2");
        writer.add_tensor("output.weight", {30, 97}, 0, head);
        const Written written(writer);
        const GgufFile file = written.file();
        const ModelConfig config = config_from_gguf(file);
        CHECK(config.tied_head == !changed);
        CHECK_NOTHROW(tensors_from_gguf(file, config));
    }
}

TEST_CASE("config_from_gguf: Llama 3's divisors become its scaling, any others are refused") {
    ModelConfig config = open_model_folder(golden_folder("smollm")).config;
    config.rope_theta = 1e8;  // the slower of its two frequencies is beyond 8192 positions
    const auto half = static_cast<uint64_t>(config.head_dim / 2);
    for (const double factor : {1.0, 8.0, 32.0}) {
        GgufWriter writer = golden_gguf("smollm");
        writer.add("llama.rope.freq_base", 1e8f);
        writer.add_tensor("rope_freqs.weight", {half}, llama3_divisors(config, factor));
        const Written written(writer);
        const GgufFile file = written.file();
        const RopeScaling scaling = config_from_gguf(file).rope_scaling;
        CHECK_NOTHROW(tensors_from_gguf(file, config_from_gguf(file)));
        if (factor == 1.0)
            CHECK(scaling == RopeScaling{});
        else
            CHECK(scaling == RopeScaling{RopeScaling::Kind::llama3, factor, 1.0, 4.0, 8192});
    }
    const auto complaint_about = [&](const std::vector<float>& divisors) {
        return complaint([&](GgufWriter& writer) {
            writer.add("llama.rope.freq_base", 1e8f);
            writer.add_tensor("rope_freqs.weight", {divisors.size()}, divisors);
        });
    };
    auto divisors = llama3_divisors(config, 8.0);
    divisors[0] = 2.0f;
    CHECK(
        contains(complaint_about(divisors), "rope_freqs.weight: found 2 as divisor 0, expected 1"));
    divisors[0] = std::nanf("");
    CHECK(contains(complaint_about(divisors), "rope_freqs.weight: found"));
    CHECK(contains(complaint_about({0.5f, 0.5f}), "found a largest divisor of 0.5"));
    CHECK(contains(complaint_about({8, 8, 8}), "found 3 values of F32, expected 2"));
}

TEST_CASE("config_from_gguf: linear scaling in both spellings, and none") {
    const auto scaling_of = [](const std::function<void(GgufWriter&)>& change) {
        GgufWriter writer = golden_gguf("smollm");
        change(writer);
        return config_from_gguf(Written(writer).file()).rope_scaling;
    };
    const RopeScaling twice{.kind = RopeScaling::Kind::linear, .factor = 2.0};
    CHECK(scaling_of([](GgufWriter& w) {
              w.add("llama.rope.scaling.type", "linear");
              w.add("llama.rope.scaling.factor", 2.0f);
          }) == twice);
    CHECK(scaling_of([](GgufWriter& w) { w.add("llama.rope.scale_linear", 2.0f); }) == twice);
    CHECK(scaling_of([](GgufWriter& w) { w.add("llama.rope.scaling.type", "none"); }) ==
          RopeScaling{});
    CHECK(contains(with("llama.rope.scaling.type", "yarn"),
                   "llama.rope.scaling.type: found \"yarn\", expected none or linear"));
    CHECK(contains(with("llama.rope.scale_linear", 0.5f), "found 0.5, expected 1 or more"));
}

TEST_CASE("config_from_gguf: an architecture or form that Fettle lacks is refused by name") {
    CHECK(complaint([](GgufWriter&) {}) == "");
    CHECK(contains(with("general.architecture", "mamba"),
                   "m.gguf: general.architecture: found \"mamba\", expected llama, qwen2, qwen3"));
    CHECK(contains(without("general.architecture"), "general.architecture: found nothing"));
    CHECK(contains(with("general.type", "adapter"), "general.type: found \"adapter\""));
    CHECK(contains(with("split.count", uint32_t{3}), "split.count: found 3, expected 1"));
    CHECK(contains(with("llama.expert_count", uint32_t{8}), "found 8, expected 0 (no experts)"));
    CHECK(contains(with("llama.attention.sliding_window", uint32_t{16}),
                   "llama.attention.sliding_window: found 16, expected none"));
    CHECK(with("llama.attention.sliding_window", uint32_t{64}) == "");  // no row outgrows it
    CHECK(contains(with("llama.attention.causal", false), "expected true"));
    CHECK(contains(with("llama.use_parallel_residual", true), "expected false"));
    CHECK(contains(with("llama.attention.clamp_kqv", 8.0f),
                   "llama.attention.clamp_kqv: found 8, expected no such key"));
    CHECK(contains(with("llama.rope.dimension_count", uint32_t{2}),
                   "rope.dimension_count: found 2, expected 4, all of a head"));
    CHECK(contains(with("llama.attention.value_length", uint32_t{8}),
                   "value_length: found 8, expected 4, the length of a key"));
    CHECK(contains(with("llama.attention.head_count", std::vector<int32_t>{9, 9}),
                   "attention.head_count: found an array of 2 numbers, expected an integer"));
}

TEST_CASE("config_from_gguf: sizes that are missing, absurd or at odds are refused") {
    CHECK(contains(without("llama.block_count"), "llama.block_count: found nothing"));
    CHECK(
        contains(with("llama.block_count", 0u), "llama.block_count: found 0, expected 1 to 4096"));
    CHECK(contains(with("llama.block_count", 1'000'000'000u), "found 1000000000, expected 1 to"));
    CHECK(contains(with("llama.block_count", 4000u), "expected several for each of 4000 layers"));
    CHECK(contains(complaint([](GgufWriter& w) {
                       w.remove("llama.attention.key_length");
                       w.add("llama.embedding_length", 37u);
                   }),
                   "head_count: found 9, expected a divisor of embedding_length = 37"));
    CHECK(contains(with("llama.embedding_length", 72u),
                   "tensor token_embd.weight: found shape [113, 36], expected [113, 72]"));
    CHECK(contains(with("llama.feed_forward_length", 1u << 24), "expected [16777216, 36]"));
    CHECK(contains(with("llama.attention.head_count", "many"),
                   "attention.head_count: found \"many\", expected an integer"));
    CHECK(contains(with("llama.attention.head_count_kv", 2u), "expected a divisor of the 9 heads"));
    CHECK(contains(complaint([](GgufWriter& w) {
                       w.add("llama.embedding_length", 1u << 20);
                       w.add("llama.feed_forward_length", 1u << 24);
                   }),
                   "m.gguf: as the config.json to be written: its sizes make more than"));
    CHECK(contains(with("llama.attention.key_length", 3u), "value_length: found 4, expected 3"));
    CHECK(contains(with("llama.attention.layer_norm_rms_epsilon", 0.0f), "a positive number"));
    CHECK(contains(with("llama.rope.freq_base", -1.0f), "rope.freq_base: found -1"));
    CHECK(contains(with("gpt2.attention.head_count_kv", 1u, "gpt2"), "as many heads of keys"));
}

TEST_CASE("tensors_from_gguf: missing, unexpected and misshapen tensors are refused by name") {
    CHECK(contains(with("llama.block_count", 3u), "tensor blk.2.attn_norm.weight: is missing"));
    CHECK(contains(with("llama.block_count", 1u),
                   "is not part of the llama model that the metadata describes"));
    CHECK(contains(complaint([](GgufWriter& w) { w.add_tensor("extra\n", {1}, {1.0f}); }),
                   "m.gguf: tensor extra? is not part of"));
    CHECK(contains(with("llama.feed_forward_length", 48u),
                   "tensor blk.0.ffn_gate.weight: found shape [47, 36], expected [48, 36]"));
    CHECK(contains(complaint([](GgufWriter& w) {
                       w.add_tensor("blk.0.attn_q.bias", {36}, std::vector<float>(36));
                   }),
                   "found a bias on q, k and v and none on the attention's output"));
    CHECK(contains(complaint([](GgufWriter& w) {
                       w.add_tensor("blk.0.attn_q_norm.weight", {4}, std::vector<float>(4));
                   }),
                   "found a tensor blk.0.attn_q_norm.weight, expected none in a llama model"));
}

TEST_CASE("tokenizer_from_gguf: byte-level BPE with its merges, ids, habits and template") {
    GgufWriter writer = golden_gguf("smollm");
    writer.add("tokenizer.ggml.pre", "smollm");
    writer.add("tokenizer.ggml.tokens", std::vector<std::string>{"<s>", "a", "b", "ab"});
    writer.add("tokenizer.ggml.token_type", std::vector<int32_t>{3, 1, 0, 1});
    writer.add("tokenizer.ggml.merges", std::vector<std::string>{"a b"});
    writer.add("tokenizer.ggml.eos_token_id", 3u);
    writer.add("tokenizer.ggml.eot_token_id", 2u);
    writer.add("tokenizer.ggml.padding_token_id", UINT32_MAX);
    writer.add("tokenizer.ggml.add_bos_token", true);
    writer.add("tokenizer.chat_template", "{{ messages }}");
    const Written written(writer);
    const GgufFile file = written.file();
    const ModelConfig config = config_from_gguf(file);
    CHECK(config.eos_ids == std::vector<int>{3, 2});  // of the text, of a turn
    const ForeignTokenizer tokenizer = tokenizer_from_gguf(file, config);
    using Role = ForeignTokenizer::Role;
    CHECK(tokenizer.kind == ForeignTokenizer::Kind::byte_level);
    CHECK(tokenizer.pre_tokenizer == "smollm");
    CHECK(tokenizer.tokens == std::vector<std::string>{"<s>", "a", "b", "ab"});
    CHECK(tokenizer.roles ==
          std::vector<Role>{Role::control, Role::normal, Role::normal, Role::normal});
    CHECK(tokenizer.merges == std::vector<std::string>{"a b"});
    CHECK(tokenizer.scores.empty());
    CHECK(tokenizer.bos == 0);
    CHECK(tokenizer.eos == 3);
    CHECK_FALSE(tokenizer.pad.has_value());
    CHECK_FALSE(tokenizer.unknown.has_value());
    CHECK(tokenizer.adds_bos);
    CHECK_FALSE(tokenizer.adds_eos);
    CHECK_FALSE(tokenizer.adds_space_prefix);
    CHECK(tokenizer.chat_template == "{{ messages }}");
}

TEST_CASE("tokenizer_from_gguf: what a file leaves unsaid is as llama.cpp takes it") {
    const auto tokenizer_of = [](const char* model, const char* pre,
                                 const std::string& golden = "smollm") {
        GgufWriter writer = golden_gguf(golden);
        writer.add("tokenizer.ggml.model", model);
        if (*pre != '\0') writer.add("tokenizer.ggml.pre", pre);
        writer.add("tokenizer.ggml.tokens", std::vector<std::string>{"a", "b", "c"});
        writer.add("tokenizer.ggml.scores", std::vector<float>{0, -1, -2});
        const Written written(writer);
        const GgufFile file = written.file();
        return tokenizer_from_gguf(file, config_from_gguf(file));
    };
    const ForeignTokenizer piece = tokenizer_of("llama", "default");
    CHECK(piece.kind == ForeignTokenizer::Kind::sentence_piece);
    CHECK(piece.scores == std::vector<float>{0, -1, -2});
    CHECK(piece.adds_bos);
    CHECK(piece.adds_space_prefix);
    CHECK_FALSE(tokenizer_of("gpt2", "").adds_bos);
    CHECK(tokenizer_of("gpt2", "").pre_tokenizer == "");
    CHECK(tokenizer_of("gpt2", "", "gpt2").pre_tokenizer == "gpt-2");
    CHECK(tokenizer_of("gpt2", "llama-bpe").adds_bos);
    CHECK_FALSE(tokenizer_of("gpt2", "llama-bpe").adds_space_prefix);
}

TEST_CASE("tokenizer_from_gguf: what does not add up is refused with its key") {
    const auto spoilt = [](const std::function<void(GgufWriter&)>& change) {
        return complaint([&](GgufWriter& writer) {
            writer.add("tokenizer.ggml.model", "llama");
            writer.add("tokenizer.ggml.tokens", std::vector<std::string>{"a", "b", "c"});
            writer.add("tokenizer.ggml.scores", std::vector<float>{0, -1, -2});
            change(writer);
        });
    };
    const auto replaced = [&](const std::string& key, auto value) {
        return spoilt([&](GgufWriter& writer) { writer.add(key, value); });
    };
    CHECK(spoilt([](GgufWriter&) {}) == "");
    CHECK(contains(replaced("tokenizer.ggml.model", "bert"),
                   "tokenizer.ggml.model: found \"bert\", expected gpt2"));
    CHECK(contains(replaced("tokenizer.ggml.tokens", std::vector<std::string>(114, "x")),
                   "tokens: found an array of 114 strings, expected at most 113 elements"));
    CHECK(contains(replaced("tokenizer.ggml.tokens", std::vector<std::string>{}),
                   "tokens: found an array of 0 strings, expected the tokens' texts"));
    CHECK(contains(replaced("tokenizer.ggml.scores", std::vector<float>{1}),
                   "scores: found an array of 1 numbers, expected one for each of 3 tokens"));
    CHECK(contains(replaced("tokenizer.ggml.token_type", std::vector<int32_t>{1, 1}),
                   "token_type: found an array of 2 numbers, expected one for each of 3 tokens"));
    CHECK(contains(replaced("tokenizer.ggml.token_type", std::vector<int32_t>{1, 9, 1}),
                   "token_type: found 9 for token 1, expected 0 to 6"));
    CHECK(contains(replaced("tokenizer.ggml.bos_token_id", 3u),
                   "bos_token_id: found 3, expected a token id below 3"));
    CHECK(contains(replaced("tokenizer.ggml.bos_token_id", 200u),
                   "bos_token_id: found 200, expected a token id below 113"));
}

TEST_CASE(
    "import_gguf: a byte changed in the tables is a complaint or another model, nothing else") {
    GgufWriter writer = golden_gguf("qwen3");
    writer.add("tokenizer.ggml.token_type", std::vector<int32_t>{3, 1, 1});
    writer.add("qwen3.rope.scaling.type", "linear");
    writer.add("qwen3.rope.scaling.factor", 2.0f);
    std::string bytes = writer.bytes();
    const TemporaryFolder folder;
    int complaints = 0, models = 0;
    for (size_t place = 0; place < 2500; ++place) {  // metadata and most of the tensors' table
        const char changed = static_cast<char>(1 << place % 8);
        bytes[place] = static_cast<char>(bytes[place] ^ changed);
        put(folder / "m.gguf", bytes);
        bytes[place] = static_cast<char>(bytes[place] ^ changed);
        const std::string message = input_error([&] {
            const GgufFile file(folder / "m.gguf");
            const ModelConfig config = config_from_gguf(file);
            tensors_from_gguf(file, config);
            tokenizer_from_gguf(file, config);
        });
        CHECK(message.find('\n') == std::string::npos);
        ++(message.empty() ? models : complaints);
    }
    CHECK(complaints > 1000);  // names, types and sizes
    CHECK(models > 10);        // the model's own name, its tokens' texts
}
