// A tokenizer as GGUF files and llama2.c's tokenizer.bin hold it, and its way into Hugging Face's
// files. docs/format_tokenizer.md says what is read and what is written.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

struct ForeignTokenizer {
    enum class Kind { byte_level, sentence_piece };
    enum class Role : int32_t { normal = 1, unknown, control, user_defined, unused, byte };

    Kind kind = Kind::byte_level;
    std::string source;  // the file, for messages
    // The token's text: in the byte alphabet if byte_level, with U+2581 for spaces and <0x0A> for
    // bytes if sentence_piece; all different.
    std::vector<std::string> tokens;  // [V]
    std::vector<Role> roles;          // [V], or empty: all normal
    std::vector<float> scores;        // [V]  of sentence_piece: the highest is merged first
    std::vector<std::string> merges;  // of byte_level: "left right", lowest rank first
    std::string pre_tokenizer;        // of byte_level, GGUF's name: gpt-2, smollm, qwen2 ...
    // `pad` and `unknown` count only if the token's role is not normal: GGUF files without them
    // name token 0, whatever it is.
    std::optional<int32_t> bos, eos, pad, unknown;
    bool adds_bos = false;
    bool adds_eos = false;
    bool adds_space_prefix = true;  // of sentence_piece: "▁" before the text
    std::string chat_template;      // empty: none
};

// Writes tokenizer.json, tokenizer_config.json and, if there is a chat template,
// chat_template.jinja into the folder, so that Tokenizer::from_folder and Hugging Face's
// AutoTokenizer read the same tokenizer from them. An InputError names the source and the token.
// Tokens with the roles unknown, control and user_defined, BOS and EOS are recognised in texts.
void write_tokenizer(const ForeignTokenizer& tokenizer, const std::filesystem::path& folder);
