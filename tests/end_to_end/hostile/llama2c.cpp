// llama2.c's model.bin and tokenizer.bin, spoilt one thing at a time. Each case is a folder of the
// two; the texts name the one that is at fault.

#include <cmath>
#include <limits>

#include "kernels/core/check.h"
#include "model/parameters.h"
#include "tests/end_to_end/hostile/hostile.h"

namespace {

constexpr int32_t kVocabulary = 261, kHidden = 8, kPositions = 16, kHeadDim = 4;
constexpr const char* kFields[] = {"dim",        "hidden_dim", "n_layers", "n_heads",
                                   "n_kv_heads", "vocab_size", "seq_len"};

std::string right_model() {
    ModelConfig config;
    config.model_type = "llama";
    config.vocab_size = kVocabulary;
    config.num_layers = 1;
    config.hidden = kHidden;
    config.intermediate = 16;
    config.num_heads = config.num_kv_heads = kHidden / kHeadDim;
    config.head_dim = kHeadDim;
    config.max_positions = kPositions;
    config.norm = Norm::rms;
    config.activation = Activation::swiglu;
    config.positions = Positions::rope;
    config.tied_head = true;
    std::string out;
    for (const int32_t field : {kHidden, 16, 1, 2, 2, kVocabulary, kPositions}) out += raw(field);
    const int64_t weights = ParameterTable(config).num_parameters() + kPositions * kHeadDim;
    for (int64_t i = 0; i < weights; ++i) out += raw(0.5f);
    return out;
}

// Three special tokens, 256 bytes, " " and " a".
std::string right_tokens() {
    std::string out = raw<int32_t>(7);
    const auto add = [&](const std::string& text, float score) {
        out += raw(score) + raw(static_cast<int32_t>(text.size())) + text;
    };
    add("<unk>", 0);
    add("\n<s>\n", 0);
    add("\n</s>\n", 0);
    for (int byte = 0; byte < 256; ++byte) add(fmt::format("<0x{:02X}>", byte), 0);
    add(" ", -1.0f);
    add(" a", -1.5f);
    return out;
}

class Cases {
public:
    explicit Cases(Hostile& out) : out_(out) {}

    void write() {
        add("right_llama2c", "nothing is wrong", "", model_, tokens_);
        model_headers();
        model_bytes();
        token_files();
    }

private:
    void add(const std::string& kind, const std::string& name, const std::string& texts,
             const std::string& model, const std::string& tokens) {
        const auto folder = out_.next(kind, name, texts);
        std::filesystem::create_directories(folder);
        put(folder / "model.bin", model);
        put(folder / "tokenizer.bin", tokens);
    }
    static void put(const std::filesystem::path& path, const std::string& bytes) {
        std::ofstream file(path, std::ios::binary);
        file.exceptions(std::ios::failbit | std::ios::badbit);
        file << bytes;
        file.close();
    }
    void model(const std::string& name, const std::string& texts, const std::string& bytes) {
        add("llama2c", name, "/model.bin|" + texts, bytes, tokens_);
    }
    void tokens(const std::string& name, const std::string& texts, const std::string& bytes) {
        add("llama2c", name, "/tokenizer.bin|" + texts, model_, bytes);
    }
    void field(size_t index, int32_t value, const std::string& texts) {
        model(fmt::format("{} of {}", kFields[index], value), texts,
              patched(model_, index * sizeof(int32_t), raw(value)));
    }

    void model_headers();
    void model_bytes();
    void token_files();

    Hostile& out_;
    const std::string model_ = right_model(), tokens_ = right_tokens();
};

void Cases::model_headers() {
    for (size_t index = 0; index < std::size(kFields); ++index) {
        const std::string name = kFields[index];
        field(index, 0, name + "|0|expected");
        field(index, INT32_MAX, name + "|2147483647|expected");
        if (name != "vocab_size") field(index, -1, name + "|-1|expected");
        field(index, INT32_MIN, name + "|expected");
    }
    field(0, 9, "n_heads|dim 9");
    field(1, 1 << 24, "expected");
    field(2, 4096, "expected");
    field(3, 3, "n_heads|3");
    field(4, 3, "n_kv_heads|3|divisor");
    field(5, -kVocabulary, "bytes|expected");
    field(5, 1 << 24, "bytes|expected");
    field(6, 1 << 28, "bytes|expected");
    model("a later version", "version|--version 0",
          patched(model_, 0, raw<uint32_t>(0x616b3432) + raw<int32_t>(1)));
}

void Cases::model_bytes() {
    for (size_t part = 0; part < 10; ++part)
        model(fmt::format("cut after {} of 10 parts", part), "",
              model_.substr(0, model_.size() * part / 10));
    model("cut after 27 bytes", "27|28", model_.substr(0, 27));
    model("cut by a byte", "bytes|expected", model_.substr(0, model_.size() - 1));
    model("a byte too many", "bytes|expected", model_ + "x");
    const size_t first = std::size(kFields) * sizeof(int32_t);
    model("a weight that is no number", "embed_tokens|nan|finite",
          patched(model_, first, raw(std::nanf(""))));
    model("an infinite weight", "embed_tokens|inf|finite",
          patched(model_, first + 4, raw(std::numeric_limits<float>::infinity())));
}

void Cases::token_files() {
    for (size_t part = 0; part < 10; ++part)
        tokens(fmt::format("tokens cut after {} of 10 parts", part), "",
               tokens_.substr(0, tokens_.size() * part / 10));
    tokens("bytes behind the tokens", "expected|261", tokens_ + "more");
    tokens("a longest token of -1", "token 0|-1", patched(tokens_, 0, raw(-1)));
    tokens("a longest token of 1", "token 0|1", patched(tokens_, 0, raw(1)));
    for (const int32_t length : {-1, INT32_MIN, INT32_MAX, 1 << 20}) {
        const std::string longest = raw(length < 0 ? 7 : INT32_MAX);
        tokens(fmt::format("a token of {} bytes", length), fmt::format("token 0|{}", length),
               patched(patched(tokens_, 0, longest), 8, raw(length)));
    }
    tokens("a score that is no number", "token 0|nan", patched(tokens_, 4, raw(std::nanf(""))));
    tokens("a token twice", "tokens|<0x01>", patched(tokens_, tokens_.find("<0x00>"), "<0x01>"));
    tokens("a missing byte", "0x00", patched(tokens_, tokens_.find("<0x00>"), "<zz00>"));
    tokens("a token that is no UTF-8", "UTF-8", patched(tokens_, tokens_.size() - 2, "\xff\xfe"));
    tokens("zeros in place of tokens", "bytes|expected", std::string(tokens_.size(), '\0'));
    const std::string empty = tokens_.substr(0, tokens_.size() - 6) + raw(0);
    tokens("an empty token", "token 260|empty", empty);
}

}  // namespace

void write_hostile_llama2c(Hostile& out) { Cases(out).write(); }
