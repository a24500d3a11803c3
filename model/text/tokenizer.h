// Byte-pair tokenizer: text to token ids and back, as Hugging Face's `tokenizers` does it for
// GPT-2, Llama 3, Qwen2, Qwen3 and SmolLM (bytes), and for Llama 2, TinyLlama and Mistral
// (SentencePiece: characters, bytes where the vocabulary lacks one).
//
//   text ─▶ added tokens cut out ─▶ NFC (Qwen) ─▶ pieces (PreTokenizer) ─▶ bytes ──┐
//                                └▶ a space in front ─▶ words ─▶ characters ──────┴▶ merges ─▶ ids
//
// Any bytes can be encoded, valid UTF-8 or not; unless the tokenizer normalises, strips white space
// around an added token, or sees U+2581 as a space (SentencePiece), decoding gives the same bytes
// back. A byte without a token (SmolLM2 has none for 21 of them) is dropped, as by `tokenizers`:
// what stood on its two sides may merge. dropped_text() tells of it.
//
// Thread-safe: all methods are const, and what they remember of past pieces is kept per thread.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "model/text/added_tokens.h"
#include "model/text/bpe.h"
#include "model/text/cut_places.h"
#include "model/text/pre_tokenizer.h"
#include "model/text/tokenizer_files.h"

class Tokenizer {
public:
    // Reads the files of the folder (docs/format_tokenizer.md); an InputError names the bad one.
    static Tokenizer from_folder(const std::filesystem::path& folder);
    explicit Tokenizer(const TokenizerFiles& files);

    // Adds no special tokens; recognises those written in the text.
    std::vector<int32_t> encode(std::string_view text) const;
    void encode(std::string_view text, std::vector<int32_t>& out) const;  // appends

    // Where a text may be cut: the first place at `from` or behind it, or the text's size. The ids
    // of the text are those of its front, then those of the rest. A rest may be cut again.
    size_t next_cut(std::string_view text, size_t from) const { return cuts_.next(text, from); }
    void encode_rest(std::string_view text, std::vector<int32_t>& out) const;  // appends

    // "PATH: no token for 0x04, 0x13: such bytes were dropped from the text", of what encode() has
    // met so far. Empty if none.
    std::string dropped_text() const;

    // An InputError for an id without a token. SentencePiece puts a space in front of a text; this
    // leaves it out again.
    std::string decode(std::span<const int32_t> ids, bool skip_special = false) const;
    // What a token adds to a text that has begun: decode(ids) is the bytes of all of them, the
    // first without such a space.
    const std::string& token_bytes(int32_t id) const;
    // The same where the text begins with it.
    std::string_view first_token_bytes(int32_t id) const;

    bool has_token(int32_t id) const {
        return id >= 0 && id < vocab_size() && !token_bytes_[static_cast<size_t>(id)].empty();
    }
    bool is_special(int32_t id) const { return has_token(id) && special_[static_cast<size_t>(id)]; }
    // One more than the largest id; a model's may be larger, padded to a round number.
    int32_t vocab_size() const { return static_cast<int32_t>(token_bytes_.size()); }

    std::optional<int32_t> bos_id() const { return bos_; }
    std::optional<int32_t> eos_id() const { return eos_; }
    std::optional<int32_t> pad_id() const { return pad_; }
    // What the tokenizer itself puts in front of a text (Llama 3: its BOS) and behind it.
    const std::vector<int32_t>& prefix_ids() const { return prefix_; }
    const std::vector<int32_t>& suffix_ids() const { return suffix_; }

private:
    struct Hash {
        using is_transparent = void;
        size_t operator()(std::string_view text) const {
            return std::hash<std::string_view>{}(text);
        }
    };

    enum class Before { nothing, token, text };  // what a stretch of text follows

    void set_tokens(const TokenizerFiles& files);
    void encode_after(Before before, std::string_view text, std::vector<int32_t>& out) const;
    void encode_plain(std::string_view text, std::vector<int32_t>& out) const;
    void encode_spaced(Before before, std::string_view text, std::vector<int32_t>& out) const;
    void encode_piece(std::string_view piece, std::vector<int32_t>& out) const;
    void merge_piece(std::string_view piece, std::vector<int32_t>& out) const;

    std::string source_;
    std::vector<std::string> token_bytes_;  // [id], empty where there is no token
    std::vector<bool> special_;             // [id]
    std::array<int32_t, 256> byte_id_{};    // [byte], -1 where the vocabulary lacks it
    MergeTable merges_;
    std::unordered_map<std::string, int32_t, Hash, std::equal_to<>> whole_pieces_;
    AddedTokenMatcher added_, added_normalized_;
    PreTokenizer pre_tokenizer_;
    std::optional<SentencePiece> sentence_piece_;
    CharacterIds characters_;     // of sentence_piece_
    bool words_are_safe_ = true;  // no merge joins a space to what is before it
    CutPlaces cuts_;
    bool normalize_nfc_ = false;
    std::optional<int32_t> bos_, eos_, pad_;
    std::vector<int32_t> prefix_, suffix_;
    // [byte]  Behind a pointer because it outlives a move; encode() is const and may have company.
    std::shared_ptr<std::array<std::atomic<bool>, 256>> dropped_;
    uint32_t identity_ = 0;  // tells this tokenizer's pieces from another's in the thread's memory
};
