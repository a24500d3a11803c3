// tokenizer_from_gguf: the keys under tokenizer.

#include "kernels/core/check.h"
#include "model/io/import_gguf.h"

namespace {

using Role = ForeignTokenizer::Role;

constexpr int64_t kMaxMerges = int64_t{1} << 22;

std::vector<Role> roles_of(const GgufFile& file, int64_t limit) {
    const char* key = "tokenizer.ggml.token_type";
    std::vector<Role> roles;
    for (const int64_t role : file.integers(key, limit)) {
        ENSURE_INPUT(role >= 0 && role <= static_cast<int64_t>(Role::byte), file.path().string(),
                     "{}: found {} for token {}, expected 0 to {}", key, role, roles.size(),
                     static_cast<int64_t>(Role::byte));
        roles.push_back(role == 0 ? Role::normal : static_cast<Role>(role));  // 0: undefined
    }
    return roles;
}

std::optional<int32_t> token_id(const GgufFile& file, const char* key, size_t num_tokens) {
    const int64_t id = file.integer_or(key, -1);
    if (id == -1 || id == UINT32_MAX) return std::nullopt;  // two spellings of "none"
    if (id < 0 || id >= static_cast<int64_t>(num_tokens))
        file.refuse(key, fmt::format("a token id below {}", num_tokens));
    return static_cast<int32_t>(id);
}

// Where the file does not say, llama.cpp's own defaults.
void read_habits(const GgufFile& file, ForeignTokenizer& tokenizer) {
    const bool sentence_piece = tokenizer.kind == ForeignTokenizer::Kind::sentence_piece;
    const std::string& cut = tokenizer.pre_tokenizer;
    const bool llama3 = cut == "llama-bpe" || cut == "llama3" || cut == "llama-v3";
    tokenizer.adds_bos = file.boolean_or("tokenizer.ggml.add_bos_token", sentence_piece || llama3);
    tokenizer.adds_eos = file.boolean_or("tokenizer.ggml.add_eos_token", false);
    tokenizer.adds_space_prefix =
        file.boolean_or("tokenizer.ggml.add_space_prefix", sentence_piece);
}

}  // namespace

ForeignTokenizer tokenizer_from_gguf(const GgufFile& file, const ModelConfig& config) {
    ForeignTokenizer tokenizer;
    tokenizer.source = file.path().string();
    const std::string model = file.string("tokenizer.ggml.model");
    if (model != "gpt2" && model != "llama")
        file.refuse("tokenizer.ggml.model", "gpt2 (byte-level BPE) or llama (SentencePiece BPE)");
    tokenizer.kind = model == "gpt2" ? ForeignTokenizer::Kind::byte_level
                                     : ForeignTokenizer::Kind::sentence_piece;
    // Files of GPT-2 itself may be older than the key.
    tokenizer.pre_tokenizer =
        file.string_or("tokenizer.ggml.pre", config.model_type == "gpt2" ? "gpt-2" : "");

    const char* tokens = "tokenizer.ggml.tokens";
    tokenizer.tokens = file.strings(tokens, config.vocab_size);  // no more than embeddings
    const size_t count = tokenizer.tokens.size();
    if (count == 0) file.refuse(tokens, "the tokens' texts");
    tokenizer.roles = roles_of(file, config.vocab_size);
    if (!tokenizer.roles.empty() && tokenizer.roles.size() != count)
        file.refuse("tokenizer.ggml.token_type", fmt::format("one for each of {} tokens", count));
    tokenizer.scores = file.floats("tokenizer.ggml.scores", config.vocab_size);
    const bool needs_scores = tokenizer.kind == ForeignTokenizer::Kind::sentence_piece;
    if (tokenizer.scores.size() != count && (needs_scores || !tokenizer.scores.empty()))
        file.refuse("tokenizer.ggml.scores", fmt::format("one for each of {} tokens", count));
    tokenizer.merges = file.strings("tokenizer.ggml.merges", kMaxMerges);

    tokenizer.bos = token_id(file, "tokenizer.ggml.bos_token_id", count);
    tokenizer.eos = token_id(file, "tokenizer.ggml.eos_token_id", count);
    tokenizer.pad = token_id(file, "tokenizer.ggml.padding_token_id", count);
    tokenizer.unknown = token_id(file, "tokenizer.ggml.unknown_token_id", count);
    read_habits(file, tokenizer);
    tokenizer.chat_template = file.string_or("tokenizer.chat_template", "");
    return tokenizer;
}
