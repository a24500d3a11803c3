// Writes what fuzzing starts from, by the writers of this tree: a folder for each target.
//   fuzz_seeds FOLDER       run in the root of the repository

#include <cstdio>

#include "model/text/foreign_tokenizer.h"
#include "model/text/tokenizer_writer.h"
#include "tests/support/gguf_model.h"
#include "tests/support/temporary_folder.h"
#include "train/checkpoint.h"
#include "train/options.h"

namespace {

namespace fs = std::filesystem;

constexpr const char* kFamilies[] = {"gpt2", "llama", "smollm", "qwen2", "qwen3", "mistral"};

fs::path golden_folder(const std::string& family) {
    return fs::path("tests/golden/models") / family;
}

// A seed of a name that does not exist yet.
void add(const fs::path& root, const char* target, const std::string& bytes) {
    fs::create_directories(root / target);
    int number = 0;
    while (fs::exists(root / target / std::to_string(number))) ++number;
    put(root / target / std::to_string(number), bytes);
}

// The files of a folder as tests/fuzz/target.h cuts them.
std::string joined(const fs::path& folder) {
    std::string out;
    for (const fs::directory_entry& entry : fs::directory_iterator(folder))
        out += "=== " + entry.path().filename().string() + "\n" + get(entry.path()) + "\n";
    return out.substr(0, out.size() - 1);
}

ModelConfig small(const std::string& family, int vocabulary = 5) {
    ModelConfig config = read_config(golden_folder(family) / "config.json");
    config.vocab_size = vocabulary;
    config.num_layers = 1;
    config.hidden = config.intermediate = 4;
    config.num_heads = 2;
    config.num_kv_heads = family == "gpt2" ? 2 : 1;
    config.head_dim = 2;
    config.max_positions = 8;
    config.bos_id = config.pad_id = std::nullopt;
    config.eos_ids = {0};
    return config;
}

// Small numbers of both signs for a role of the store.
void fill(std::span<float> values) {
    for (size_t i = 0; i < values.size(); ++i) values[i] = static_cast<float>(i % 7) / 8.0f - 0.25f;
}

struct SmallModel {
    explicit SmallModel(const ModelConfig& of) : config(of), table(of), store(table) {
        for (const Role role : {Role::weight, Role::moment1, Role::moment2}) store.allocate(role);
        fill(store.weights());
        fill(store.all(Role::moment1));
    }
    ModelConfig config;
    ParameterTable table;
    ParameterStore<float> store;
};

void add_checkpoints(const fs::path& root) {
    for (const char* family : {"gpt2", "llama", "qwen2"}) {
        const SmallModel model(small(family));
        for (const TensorType type : {TensorType::f32, TensorType::bf16}) {
            const TemporaryFolder folder;
            const TrainState state{.step = 3,
                                   .tokens = 96,
                                   .loss_sum = 1.5,
                                   .loss_count = 1,
                                   .best_metric = 2.5,
                                   .best_step = 2,
                                   .settings = to_json(TrainOptions()),
                                   .input_hashes = {{"rows.jsonl", "0f"}}};
            save_checkpoint(
                model.config, model.store, state,
                {.folder = folder.path(), .type = type, .tokenizer_from = {}, .keep_step = {}});
            const fs::path checkpoint = checkpoint_path(folder.path(), 3);
            add(root, "checkpoint", joined(checkpoint));
            fs::remove(checkpoint / "model.safetensors");
            save_model(
                model.config, model.store,
                {.folder = checkpoint, .type = type, .tokenizer_from = {}, .max_shard_bytes = 200});
            add(root, "checkpoint", joined(checkpoint));
        }
    }
}

void add_configs(const fs::path& root) {
    for (const char* family : kFamilies)
        add(root, "config", get(golden_folder(family) / "config.json"));
    add(root, "config", get(golden_folder("llama") / "config_transformers_4.json"));
    for (const char* family : kFamilies) {
        ModelConfig config = small(family);
        config.raw_json.clear();
        config.eos_ids = {1, 2};
        if (config.positions == Positions::rope)
            config.rope_scaling = {RopeScaling::Kind::llama3, 8.0, 1.0, 4.0, 8};
        add(root, "config", config_to_json(config, TensorType::bf16));
    }
}

void add_safetensors(const fs::path& root) {
    const TemporaryFolder folder;
    const auto nothing = [](int64_t, std::span<std::byte> bytes) {
        for (std::byte& byte : bytes) byte = std::byte{0x3f};
    };
    std::vector<TensorToWrite> tensors;
    for (const TensorType type :
         {TensorType::f64, TensorType::f32, TensorType::f16, TensorType::bf16, TensorType::i64,
          TensorType::u8, TensorType::boolean}) {
        const std::string name = safetensors_name(type);
        tensors.push_back({.name = name, .type = type, .shape = {2, 3}, .fill = nothing});
        tensors.push_back({.name = name + ".number", .type = type, .shape = {}, .fill = nothing});
        tensors.push_back({.name = name + ".none", .type = type, .shape = {0}, .fill = nothing});
        const auto path = folder / "model.safetensors";
        write_safetensors(path, tensors, {{"format", "pt"}, {"note", name}});
        add(root, "safetensors", get(path));
    }
}

TokenizerFiles tiny_tokenizer(const PreTokenizer& cut) {
    TokenizerFiles files;
    files.source = "seed";
    files.ids = {{"a", 0}, {"b", 1}, {"\u0120", 2}, {"ab", 3}, {"\u0120ab", 4}, {"1", 5}};
    files.merges = {{0, 1, 3}, {2, 3, 4}};
    files.added = {{.id = 6, .content = "<|endoftext|>", .special = true},
                   {.id = 7, .content = "<mask>", .lstrip = true, .rstrip = true}};
    files.pre_tokenizer = cut;
    files.eos = 6;
    return files;
}

// <unk>, <s>, </s>, the 256 bytes and two letters.
ForeignTokenizer pieces() {
    using Role = ForeignTokenizer::Role;
    ForeignTokenizer out;
    out.kind = ForeignTokenizer::Kind::sentence_piece;
    out.source = "seed";
    out.tokens = {"<unk>", "<s>", "</s>"};
    out.roles = {Role::unknown, Role::control, Role::control};
    for (int byte = 0; byte < 256; ++byte) {
        out.tokens.push_back(fmt::format("<0x{:02X}>", byte));
        out.roles.push_back(Role::byte);
    }
    for (const char* token : {"\u2581", "a", "\u2581a"}) {
        out.tokens.push_back(token);
        out.roles.push_back(Role::normal);
    }
    for (size_t id = 0; id < out.tokens.size(); ++id)
        out.scores.push_back(-0.5f * static_cast<float>(id));
    out.bos = 1;
    out.eos = 2;
    out.unknown = 0;
    out.adds_bos = true;
    return out;
}

void add_tokenizers(const fs::path& root) {
    using Pattern = PreTokenizer::Pattern;
    for (const PreTokenizer& cut :
         {PreTokenizer{.pattern = Pattern::none}, PreTokenizer{.pattern = Pattern::gpt2},
          PreTokenizer{.pattern = Pattern::gpt2, .digits = PreTokenizer::Digits::individual},
          PreTokenizer{.pattern = Pattern::llama3, .max_number_chars = 1},
          PreTokenizer{.pattern = Pattern::llama3, .max_number_chars = 3}}) {
        const TemporaryFolder folder;
        TokenizerFiles files = tiny_tokenizer(cut);
        files.normalize_nfc = files.ignore_merges = cut.max_number_chars == 1;
        if (cut.pattern == Pattern::llama3) files.prefix = files.suffix = {6};
        write_tokenizer_files(files, folder.path(), "{{ messages }}");
        put(folder / "text", "abab ab  11 <|endoftext|> <mask> b");
        add(root, "tokenizer", joined(folder.path()));
    }
    const TemporaryFolder old;
    put(old / "vocab.json", R"({"a": 0, "b": 1, "ab": 2, "<|endoftext|>": 3})");
    put(old / "merges.txt", "#version: 0.2\na b\n");
    put(old / "tokenizer_config.json",
        R"({"tokenizer_class": "GPT2Tokenizer", "added_tokens_decoder": {"4": {"content": "<x>"}}})");
    put(old / "special_tokens_map.json",
        R"({"bos_token": "<|endoftext|>", "eos_token": {"content": "<|endoftext|>"}})");
    add(root, "tokenizer", joined(old.path()));
    const TemporaryFolder spaces;
    write_tokenizer(pieces(), spaces.path());
    add(root, "tokenizer", joined(spaces.path()));
    for (const char* name : {"small_gpt2", "small_llama3", "small_qwen", "small_llama"})
        add(root, "tokenizer",
            "=== tokenizer.json\n" +
                get(fs::path("tests/golden/tokenizer") / name / "tokenizer.json"));
}

void add_rows(const fs::path& root) {
    for (
        const char* row :
        {R"({"text": "The tide comes in."})", R"({"text": "one<|im_end|>", "id": 3})",
         R"({"instruction": "Add.", "input": "1 + 1", "output": "2"})",
         R"({"instruction": "Say \u00e9\n\ud83c\udf89.", "input": "", "output": "é"})",
         R"({"instruction": "<|im_start|>", "output": "<|im_end|>\n", "system": "", "history": []})",
         R"(["text"])", R"({"text": null})", R"({"text": {"a": [1, -2.5e3, true, "\\"]}})"})
        add(root, "row", row);
}

void add_yaml(const fs::path& root) {
    add(root, "yaml", get("train/demo/demo.yaml"));
    add(root, "yaml",
        "init: gpt2\ntokenizer: 'a folder'\ntrain_data: [a.txt, \"b.jsonl:3\"]\n"
        "output_dir: out\nbf16: true\nmax_steps: 10\nlearning-rate: 1e-3\n"
        "lr_scheduler_type: cosine_with_min_lr\nlr_scheduler_kwargs: '{\"min_lr\": 0.1}'\n"
        "eval_split: 0.5\npacking: no\nseed: ~\n");
    add(root, "yaml", "model: &a >\n  text\noutput_dir: *a\ntrain_data:\n- |-\n  x\n...\n");
}

void add_llama2c(const fs::path& root) {
    const ForeignTokenizer from = pieces();
    std::string tokens = raw<int32_t>(8);
    for (size_t id = 0; id < from.tokens.size(); ++id) {
        const std::string text = id == 1 ? "\n<s>\n" : id == 2 ? "\n</s>\n" : from.tokens[id];
        tokens += raw(from.scores[id]) + raw(static_cast<int32_t>(text.size())) + text;
    }
    const int vocabulary = static_cast<int>(from.tokens.size());
    for (const int size : {5, -5, vocabulary}) {
        std::string weights;
        for (const int field : {4, 4, 1, 2, 1, size, 8}) weights += raw<int32_t>(field);
        const SmallModel model(small("llama", std::abs(size)));
        const int64_t head = (size < 0 ? 1 : 0) - (model.config.tied_head ? 0 : 1);
        const int64_t count =
            model.table.num_parameters() + head * std::abs(size) * 4 + int64_t{8} * 2;
        for (int64_t i = 0; i < count; ++i) weights += raw(static_cast<float>(i % 5));
        add(root, "llama2c", "=== model.bin\n" + weights + "\n=== tokenizer.bin\n" + tokens);
    }
}

void add_tokens(GgufWriter& writer, const ForeignTokenizer& tokenizer) {
    std::vector<int32_t> roles;
    for (const auto role : tokenizer.roles) roles.push_back(static_cast<int32_t>(role));
    writer.add("tokenizer.ggml.model", "llama");
    writer.add("tokenizer.ggml.tokens", tokenizer.tokens);
    writer.add("tokenizer.ggml.scores", tokenizer.scores);
    writer.add("tokenizer.ggml.token_type", roles);
    writer.add("tokenizer.ggml.unknown_token_id", uint32_t{0});
    writer.add("tokenizer.ggml.bos_token_id", uint32_t{1});
    writer.add("tokenizer.ggml.eos_token_id", uint32_t{2});
}

void add_byte_tokens(GgufWriter& writer, const char* cut) {
    writer.add("tokenizer.ggml.model", "gpt2");
    writer.add("tokenizer.ggml.pre", cut);
    writer.add("tokenizer.ggml.tokens", std::vector<std::string>{"a", "b", "ab", "<e>", "\u0120"});
    writer.add("tokenizer.ggml.token_type", std::vector<int32_t>{1, 1, 1, 3, 1});
    writer.add("tokenizer.ggml.merges", std::vector<std::string>{"a b"});
    writer.add("tokenizer.ggml.eos_token_id", uint32_t{3});
    writer.add("tokenizer.ggml.add_bos_token", false);
    writer.add("tokenizer.chat_template", "{{ messages }}");
}

void add_gguf(const fs::path& root) {
    const TemporaryFolder folder;
    const auto written = [&](const ModelConfig& config) {
        const SmallModel model(config);
        save_model(config, model.store,
                   {.folder = folder.path(), .type = TensorType::f32, .tokenizer_from = {}});
        return gguf_model(config, SafetensorsFile(folder / "model.safetensors"));
    };
    const std::pair<const char*, const char*> kinds[] = {
        {"gpt2", "gpt-2"}, {"llama", "llama-bpe"}, {"qwen2", "qwen2"}, {"qwen3", "smollm"}};
    for (const auto& [family, cut] : kinds) {
        GgufWriter writer = written(small(family));
        add_byte_tokens(writer, cut);
        add(root, "gguf", writer.bytes());
    }
    const ForeignTokenizer tokens = pieces();
    GgufWriter llama = written(small("llama", static_cast<int>(tokens.tokens.size())));
    add_tokens(llama, tokens);
    add(root, "gguf", llama.bytes());

    GgufWriter blocks;  // every type of block, in no model
    for (const uint32_t type : {0, 1, 2, 3, 6, 7, 8, 12, 13, 14, 30}) {
        blocks.add_tensor(fmt::format("t{}", type), {256}, type, std::string(1024, '\x3c'));
        if (type >= 2 && type <= 8)
            blocks.add_tensor(fmt::format("u{}", type), {32, 2}, type, std::string(128, '\x81'));
    }
    blocks.add("general.alignment", uint32_t{32});
    blocks.entry("i64", GgufType::i64, raw<int64_t>(-1));
    blocks.entry("f64", GgufType::f64, raw(2.5));
    blocks.array("u8", GgufType::u8, 3, "abc");
    add(root, "gguf", blocks.bytes());
}

}  // namespace

int main(int argc, char** argv) {
    if (argc != 2) {
        std::fprintf(stderr, "usage: fuzz_seeds FOLDER\n");
        return 2;
    }
    const fs::path root = argv[1];
    add_checkpoints(root);
    add_configs(root);
    add_safetensors(root);
    add_tokenizers(root);
    add_rows(root);
    add_yaml(root);
    add_llama2c(root);
    add_gguf(root);
    return 0;
}
