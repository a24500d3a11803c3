// GGUF files that lie. Every case spoils one thing of a file that imports.

#include <cmath>
#include <functional>
#include <limits>

#include "model/io/hugging_face.h"
#include "model/text/byte_alphabet.h"
#include "tests/end_to_end/hostile/hostile.h"
#include "tests/support/gguf_model.h"

namespace {

constexpr const char* kKind = "gguf";
constexpr uint64_t kHuge = uint64_t{1} << 63;
constexpr size_t kTensorCount = 8, kKeyCount = 16, kFirstKey = 24;  // offsets in the file

std::vector<std::string> tokens() {
    std::vector<std::string> tokens = {"<|endoftext|>"};
    for (const uint8_t byte : bytes_in_alphabet_order())
        tokens.push_back(bytes_to_alphabet(std::string(1, static_cast<char>(byte))));
    return tokens;
}

GgufWriter right_file(const Hostile& out) {
    const ModelFolder folder = open_model_folder(out.root() / "llama");
    GgufWriter writer = gguf_model(folder.config, SafetensorsFile(folder.weight_files[0]));
    writer.add("tokenizer.ggml.model", "gpt2");
    writer.add("tokenizer.ggml.pre", "gpt-2");
    writer.add("tokenizer.ggml.tokens", tokens());
    std::vector<int32_t> roles(257, 1);
    roles[0] = 3;
    writer.add("tokenizer.ggml.token_type", roles);
    writer.add("tokenizer.ggml.merges", std::vector<std::string>{});
    return writer;
}

// Where the tensor's line of the table has its number of dimensions.
size_t line_of(const std::string& bytes, const std::string& tensor) {
    return bytes.rfind(raw_text(tensor)) + raw_text(tensor).size();
}

class Cases {
public:
    explicit Cases(Hostile& out) : out_(out), right_(right_file(out)), bytes_(right_.bytes()) {}

    void write() {
        headers();
        truncations();
        entries();
        tables();
        sizes();
        contradictions();
        weights();
        tokenizers();
        sentence_pieces();
        out_.add("right_gguf", "nothing is wrong", "", ".gguf", bytes_);
    }

private:
    using Change = std::function<void(GgufWriter&)>;

    void bytes(const std::string& name, const std::string& texts, const std::string& bytes) {
        out_.add(kKind, name, texts, ".gguf", bytes);
    }
    void change(const std::string& name, const std::string& texts, const Change& apply) {
        GgufWriter writer = right_;
        apply(writer);
        bytes(name, texts, writer.bytes());
    }
    template <typename Value>
    void with(const std::string& name, const std::string& texts, const std::string& key,
              Value value) {
        change(name, texts, [&](GgufWriter& writer) { writer.add(key, value); });
    }
    // An entry of any type and bytes in place of the right one.
    void entry(const std::string& name, const std::string& texts, const std::string& key,
               GgufType type, const std::string& value) {
        change(name, texts, [&](GgufWriter& writer) {
            writer.remove(key);
            writer.entry(key, type, value);
        });
    }
    void line(const std::string& name, const std::string& texts, size_t at, const std::string& by) {
        bytes(name, texts, patched(bytes_, line_of(bytes_, kMatrix) + at, by));
    }

    void headers();
    void truncations();
    void entries();
    void tables();
    void sizes();
    void contradictions();
    void weights();
    void tokenizers();
    void sentence_pieces();

    static constexpr const char* kMatrix = "blk.0.ffn_up.weight";  // [16, 8]
    Hostile& out_;
    const GgufWriter right_;
    const std::string bytes_;
};

void Cases::headers() {
    bytes("another magic", "GGUF", patched(bytes_, 0, "GGML"));
    bytes("version 1", "version 1|2 or 3", patched(bytes_, 4, raw<uint32_t>(1)));
    bytes("version 4", "version 4|2 or 3", patched(bytes_, 4, raw<uint32_t>(4)));
    bytes("version 0", "expected", patched(bytes_, 4, raw<uint32_t>(0)));
    bytes("a version beyond counting", "version|2 or 3", patched(bytes_, 4, raw(UINT32_MAX)));
    bytes("another byte order", "big-endian", patched(bytes_, 4, raw<uint32_t>(3 << 24)));
    for (const uint64_t count : {kHuge, UINT64_MAX, uint64_t{1} << 32, uint64_t{65537}}) {
        bytes(fmt::format("{} tensors", count), fmt::format("number of tensors|{}|65536", count),
              patched(bytes_, kTensorCount, raw(count)));
        bytes(fmt::format("{} keys", count), fmt::format("number of keys|{}|65536", count),
              patched(bytes_, kKeyCount, raw(count)));
        bytes(fmt::format("a first key of {} bytes", count),
              fmt::format("metadata entry 0|{}|65536", count),
              patched(bytes_, kFirstKey, raw(count)));
    }
    bytes("more tensors than there are", "expected",
          patched(bytes_, kTensorCount, raw<uint64_t>(2000)));
    bytes("no tensors", "token_embd.weight|missing",
          patched(bytes_, kTensorCount, raw<uint64_t>(0)));
    bytes("more keys than there are", "expected", patched(bytes_, kKeyCount, raw<uint64_t>(40)));
    bytes("no keys", "expected", patched(bytes_, kKeyCount, raw<uint64_t>(0)));
}

void Cases::truncations() {
    for (size_t part = 0; part < 20; ++part)
        bytes(fmt::format("cut after {} of 20 parts", part), "",
              bytes_.substr(0, bytes_.size() * part / 20));
    bytes("cut by its last 33 bytes", "tensor|offset|within", bytes_.substr(0, bytes_.size() - 33));
    for (const size_t end : {4, 8, 16, 24, 30})
        bytes(fmt::format("cut after {} bytes", end), "left in the file", bytes_.substr(0, end));
}

void Cases::entries() {
    const std::string key = "general.name", u8 = raw<uint32_t>(0), text = raw<uint32_t>(8),
                      array = raw<uint32_t>(9);
    entry("an array of arrays", "general.name|array of arrays", key, GgufType::array,
          array + raw<uint64_t>(1) + u8 + raw<uint64_t>(0));
    std::string nest;
    for (int depth = 0; depth < 100'000; ++depth) nest += array + raw<uint64_t>(1);
    entry("arrays nested 100000 deep", "general.name|array of arrays", key, GgufType::array,
          nest + u8 + raw<uint64_t>(0));
    entry("a value of type 13", "general.name|type 13|0 to 12", key, static_cast<GgufType>(13), "");
    entry("an array of type 99", "general.name|type 99", key, GgufType::array,
          raw<uint32_t>(99) + raw<uint64_t>(1));
    for (const uint64_t count : {kHuge, uint64_t{1} << 60, uint64_t{1} << 48, uint64_t{1} << 40}) {
        entry(fmt::format("an array of {} bytes", count), "general.name|expected", key,
              GgufType::array, u8 + raw(count));
        entry(fmt::format("an array of {} strings", count), "general.name|expected", key,
              GgufType::array, text + raw(count));
        entry(fmt::format("a string of {} bytes", count), "general.name|length", key,
              GgufType::string, raw(count));
    }
    change("a key twice", "general.name|twice",
           [&](GgufWriter& writer) { writer.entry(key, GgufType::string, raw_text("again")); });
    change("a key of control characters", "expected",
           [](GgufWriter& writer) { writer.entry("llama.\n\x1b[2J\r\t\xff", GgufType::u8, "\1"); });
    entry("a boolean of 2", "tokenizer.ggml.add_bos_token|2|0 or 1", "tokenizer.ggml.add_bos_token",
          GgufType::boolean, "\2");
}

void Cases::tables() {
    for (const uint64_t alignment :
         {uint64_t{0}, uint64_t{3}, uint64_t{1} << 17, uint64_t{1} << 40, UINT64_MAX})
        entry(fmt::format("an alignment of {}", alignment),
              fmt::format("general.alignment|{}|expected", alignment), "general.alignment",
              GgufType::u64, raw(alignment));
    with("an alignment in words", "general.alignment|integer", "general.alignment", "32");
    with("an alignment of a text", "general.alignment|1.5|integer", "general.alignment", 1.5f);

    line("a tensor of 5 dimensions", "ffn_up|5 dimensions|1 to 4", 0, raw<uint32_t>(5));
    line("a tensor of no dimension", "ffn_up|0 dimensions|1 to 4", 0, raw<uint32_t>(0));
    line("a tensor of 2^32 - 1 dimensions", "ffn_up|dimensions|1 to 4", 0, raw(UINT32_MAX));
    line("an empty dimension", "ffn_up|0|1 or more", 4, raw<uint64_t>(0));
    line("a dimension of 2^63", "ffn_up|9223372036854775808", 4, raw(kHuge));
    line("dimensions beyond 63 bits", "ffn_up|63 bits", 4,
         raw(uint64_t{1} << 33) + raw(uint64_t{1} << 33));
    line("bytes beyond 63 bits", "ffn_up|63 bits", 4,
         raw(uint64_t{1} << 31) + raw(uint64_t{1} << 31));
    line("more than the file holds", "ffn_up|bytes|within", 4, raw(uint64_t{1} << 40));
    line("another shape", "ffn_up|[16, 7]|[16, 8]", 4, raw<uint64_t>(7));
    for (const uint32_t type : {4u, 9u, 10u, 24u, 31u, 99u, UINT32_MAX})
        line(fmt::format("weights of type {}", type), "ffn_up|type|F32, F16", 20, raw(type));
    line("rows that no block divides", "ffn_up|8|32", 20, raw<uint32_t>(2));
    line("an odd offset", "ffn_up|offset|multiple of 32", 24, raw<uint64_t>(33));
    line("an offset beyond the file", "ffn_up|offset|within", 24, raw(uint64_t{1} << 20));
    line("an offset of 2^63", "ffn_up|offset|within", 24, raw(kHuge));
    line("an offset before the start", "ffn_up|offset", 24, raw(UINT64_MAX - 31));
    line("overlapping tensors", "ffn_up|overlap", 24, raw<uint64_t>(0));
    change("a tensor twice", "output_norm.weight|twice", [](GgufWriter& writer) {
        writer.add_tensor("output_norm.weight", {8}, std::vector<float>(8, 1.0f));
    });
    change("a tensor too many", "blk.1.attn_q.weight|not part", [](GgufWriter& writer) {
        writer.add_tensor("blk.1.attn_q.weight", {8, 8}, std::vector<float>(64, 1.0f));
    });
    change("a name of control characters", "?[2J", [](GgufWriter& writer) {
        writer.add_tensor("\x1b[2J\n", {8}, std::vector<float>(8, 1.0f));
    });
    bytes("a tensor of another name", "blk.0.ffn_up.weight|missing",
          patched(bytes_, line_of(bytes_, kMatrix) - 8, "wei9ht"));
}

void Cases::sizes() {
    for (const char* name :
         {"block_count", "context_length", "embedding_length", "feed_forward_length",
          "attention.head_count", "attention.head_count_kv", "attention.key_length"}) {
        const std::string key = std::string("llama.") + name;
        with(fmt::format("{} of 0", name), key + "|0|1 to", key, 0u);
        with(fmt::format("{} of 10^9", name), key + "|1000000000|1 to", key, 1'000'000'000u);
        entry(fmt::format("{} of -1", name), key + "|-1|1 to", key, GgufType::i32, raw(-1));
        entry(fmt::format("{} of 2^63", name), key + "|9223372036854775808|integer", key,
              GgufType::u64, raw(kHuge));
        with(fmt::format("{} in words", name), key + "|two|integer", key, "two");
        with(fmt::format("{} as a list", name), key + "|array|integer", key,
             std::vector<int32_t>{1, 1});
    }
    for (const char* name :
         {"block_count", "context_length", "embedding_length", "feed_forward_length",
          "attention.head_count", "attention.layer_norm_rms_epsilon"}) {
        const std::string key = std::string("llama.") + name;
        change(fmt::format("no {}", name), key + "|nothing",
               [&](GgufWriter& writer) { writer.remove(key); });
    }
    const std::string epsilon = "llama.attention.layer_norm_rms_epsilon";
    const std::string theta = "llama.rope.freq_base";
    for (const float value : {0.0f, -1.0f, std::nanf(""), std::numeric_limits<float>::infinity()}) {
        with(fmt::format("an epsilon of {}", value), epsilon + "|expected", epsilon, value);
        with(fmt::format("a RoPE base of {}", value), theta + "|expected", theta, value);
    }
}

void Cases::contradictions() {
    with("heads that do not divide", "attention.head_count_kv|divisor|3",
         "llama.attention.head_count", 3u);
    with("key heads that do not divide", "attention.head_count_kv|3|divisor",
         "llama.attention.head_count_kv", 3u);
    with("values of another length", "attention.value_length|8|4", "llama.attention.value_length",
         8u);
    with("an odd head", "expected", "llama.attention.key_length", 3u);
    with("layers that are not there", "11 tensors|50 layers", "llama.block_count", 50u);
    with("one layer too many", "blk.1.|missing", "llama.block_count", 2u);
    with("another width", "shape|[257, 8]|[257, 16]", "llama.embedding_length", 16u);
    with("a width beyond any machine", "shape|16777216", "llama.feed_forward_length", 1u << 24);
    with("an unknown architecture", "general.architecture|mamba|llama", "general.architecture",
         "mamba");
    with("another architecture", "expected", "general.architecture", "gpt2");
    change("no architecture", "general.architecture|nothing",
           [](GgufWriter& writer) { writer.remove("general.architecture"); });
    with("an adapter", "general.type|adapter|model", "general.type", "adapter");
    with("one file of three", "split.count|3|1", "split.count", 3u);
    with("an unknown key", "llama.rope.secret|expected no such key", "llama.rope.secret", 1u);
    with("experts", "llama.expert_count|8|0", "llama.expert_count", 8u);
    with("attention to the future", "llama.attention.causal|true", "llama.attention.causal", false);
    with("a sliding window", "llama.attention.sliding_window|16", "llama.attention.sliding_window",
         16u);
    with("yarn", "llama.rope.scaling.type|yarn|none or linear", "llama.rope.scaling.type", "yarn");
    change("linear scaling without its factor", "llama.rope.scale_linear|nothing",
           [](GgufWriter& writer) { writer.add("llama.rope.scaling.type", "linear"); });
    change("linear scaling by 0", "llama.rope.scaling.factor|0", [](GgufWriter& writer) {
        writer.add("llama.rope.scaling.type", "linear");
        writer.add("llama.rope.scaling.factor", 0.0f);
    });
    with("RoPE on half a head", "llama.rope.dimension_count|2|4", "llama.rope.dimension_count", 2u);
    change("RoPE divisors of another rule", "rope_freqs.weight", [](GgufWriter& writer) {
        writer.add_tensor("rope_freqs.weight", {2}, {3.0f, 1.0f});
    });
    change("RoPE divisors that are no numbers", "rope_freqs.weight", [](GgufWriter& writer) {
        writer.add_tensor("rope_freqs.weight", {2}, {std::nanf(""), std::nanf("")});
    });
}

void Cases::weights() {
    const size_t last = bytes_.size() - 32;
    bytes("a weight that is no number", "nan|finite", patched(bytes_, last, raw(std::nanf(""))));
    bytes("an infinite weight", "inf|finite",
          patched(bytes_, last, raw(std::numeric_limits<float>::infinity())));
}

void Cases::tokenizers() {
    const std::string list = "tokenizer.ggml.tokens", roles = "tokenizer.ggml.token_type",
                      merges = "tokenizer.ggml.merges";
    change("no tokenizer", "tokenizer.ggml.model|nothing",
           [](GgufWriter& writer) { writer.remove("tokenizer.ggml.model"); });
    with("an unknown tokenizer", "tokenizer.ggml.model|bert|gpt2", "tokenizer.ggml.model", "bert");
    with("an unknown pre-tokenizer", "quux|gpt-2", "tokenizer.ggml.pre", "quux");
    change("no tokens", list, [&](GgufWriter& writer) { writer.remove(list); });
    with("tokens that are numbers", list + "|strings", list, std::vector<int32_t>{1, 2});
    with("one token in place of a list", list + "|strings", list, "a");
    auto more = tokens();
    more.push_back("zz");
    with("more tokens than the embedding has rows", list + "|258|257", list, more);
    auto twice = tokens();
    twice[7] = twice[8];
    with("a token twice", "tokens 7 and 8", list, twice);
    auto empty = tokens();
    empty[9] = "";
    with("an empty token", "token 9|empty", list, empty);
    auto invalid = tokens();
    invalid[9] = "\xff\xfe";
    with("a token that is no UTF-8", "token|UTF-8", list, invalid);
    with("fewer roles than tokens", roles + "|257", roles, std::vector<int32_t>(256, 1));
    with("a role of 9", roles + "|9|0 to 6", roles, std::vector<int32_t>(257, 9));
    with("roles in words", roles, roles, std::vector<std::string>(257, "normal"));
    with("a merge of unknown tokens", "merge 0|qqq|vocabulary", merges,
         std::vector<std::string>{"qqq zzz"});
    with("a merge that is no pair", "merge 0|qqq|two tokens", merges,
         std::vector<std::string>{"qqq"});
    with("a merge into an unknown token", "merge 0|ab|vocabulary", merges,
         std::vector<std::string>{"a b"});
    for (const char* name : {"bos", "eos", "padding", "unknown"}) {
        const std::string key = fmt::format("tokenizer.ggml.{}_token_id", name);
        with(fmt::format("{} beyond the vocabulary", name), key + "|257", key, 257u);
        entry(fmt::format("{} of -2", name), key + "|-2|257", key, GgufType::i32, raw(-2));
        with(fmt::format("{} in words", name), key + "|integer", key, "<s>");
    }
    change("a BOS before each text, and none named", "BOS", [](GgufWriter& writer) {
        writer.remove("tokenizer.ggml.bos_token_id");
        writer.add("tokenizer.ggml.add_bos_token", true);
    });
    with("a chat template of another type", "tokenizer.chat_template|string",
         "tokenizer.chat_template", 3u);
}

void Cases::sentence_pieces() {
    const std::string scores = "tokenizer.ggml.scores";
    const auto spoil = [&](const std::string& name, const std::string& texts, const Change& apply) {
        change(name, texts, [&](GgufWriter& writer) {
            writer.add("tokenizer.ggml.model", "llama");
            writer.add(scores, std::vector<float>(257, 0.0f));
            apply(writer);
        });
    };
    spoil("SentencePiece without scores", scores + "|257",
          [&](GgufWriter& writer) { writer.remove(scores); });
    spoil("fewer scores than tokens", scores + "|256|257",
          [&](GgufWriter& writer) { writer.add(scores, std::vector<float>(256, 0.0f)); });
    spoil("a score that is no number", "token 0|nan",
          [&](GgufWriter& writer) { writer.add(scores, std::vector<float>(257, std::nanf(""))); });
    spoil("a token of 100000 bytes", "token 3|100000|1024", [](GgufWriter& writer) {
        auto list = tokens();
        list[3] = std::string(100'000, 'x');
        writer.add("tokenizer.ggml.tokens", list);
    });
    spoil("a token of 2000 letters for SentencePiece", "token 3", [](GgufWriter& writer) {
        auto list = tokens();
        list[3] = std::string(2000, 'x');
        writer.add("tokenizer.ggml.tokens", list);
    });
}

}  // namespace

void write_hostile_gguf(Hostile& out) { Cases(out).write(); }
