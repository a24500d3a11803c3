#include "model/text/tokenizer.h"

#include <algorithm>
#include <atomic>

#include "kernels/core/check.h"
#include "model/text/byte_alphabet.h"
#include "model/text/piece_cache.h"
#include "model/text/unicode.h"
#include "model/text/vocabulary.h"

namespace {

uint32_t next_identity() {
    static std::atomic<uint32_t> last{0};
    return ++last;
}

// What is looked for in a text: of a `normalized` token, what the normalizer makes of it.
std::string normalized_content(const AddedToken& token, const TokenizerFiles& files) {
    if (!token.normalized) return token.content;
    if (files.normalize_nfc) return normalize_nfc(token.content);
    const bool marks = files.sentence_piece && files.sentence_piece->in_normalizer;
    return marks ? files.sentence_piece->mark(token.content, /*is_first=*/true) : token.content;
}

// "a b" joined to one token: merges that reach across the front of a space.
bool has_space_inside(std::string_view text) {
    for (size_t i = 1; i < text.size(); ++i)
        if (text[i] == ' ' && text[i - 1] != ' ') return true;
    return false;
}

// Visits the words of a text, each with the spaces before it.
template <class Visit>
void for_each_word(std::string_view text, bool one_space_each, Visit&& visit) {
    for (size_t begin = 0; begin < text.size();) {
        size_t end = begin + 1;
        while (end < text.size() && !(text[end] == ' ' && (one_space_each || text[end - 1] != ' ')))
            ++end;
        visit(text.substr(begin, end - begin));
        begin = end;
    }
}

// The added tokens as they are looked for.
std::vector<AddedToken> added_tokens(const TokenizerFiles& files) {
    std::vector<AddedToken> tokens = files.added;
    for (AddedToken& token : tokens) token.content = normalized_content(token, files);
    return tokens;
}

AddedTokenMatcher matcher_of(const TokenizerFiles& files, bool normalized) {
    std::vector<AddedToken> tokens = added_tokens(files);
    std::erase_if(tokens, [&](const AddedToken& token) { return token.normalized != normalized; });
    return AddedTokenMatcher(std::move(tokens));
}

}  // namespace

Tokenizer Tokenizer::from_folder(const std::filesystem::path& folder) {
    return Tokenizer(read_tokenizer_files(folder));
}

Tokenizer::Tokenizer(const TokenizerFiles& files)
    : source_(files.source),
      merges_(files.merges),
      added_(matcher_of(files, false)),
      added_normalized_(matcher_of(files, true)),
      pre_tokenizer_(files.pre_tokenizer),
      sentence_piece_(files.sentence_piece),
      normalize_nfc_(files.normalize_nfc),
      bos_(files.bos),
      eos_(files.eos),
      pad_(files.pad),
      prefix_(files.prefix),
      suffix_(files.suffix),
      dropped_(std::make_shared<std::array<std::atomic<bool>, 256>>()),
      identity_(next_identity()) {
    set_tokens(files);
    for (const Merge& merge : files.merges)
        if (has_space_inside(token_bytes_[merge.merged])) words_are_safe_ = false;
    cuts_ = CutPlaces(files, words_are_safe_, added_tokens(files));
    for (const auto* ids : {&prefix_, &suffix_})
        for (const int32_t id : *ids)
            ENSURE_INPUT(has_token(id), source_, "post_processor: id {} has no token", id);
}

void Tokenizer::set_tokens(const TokenizerFiles& files) {
    int32_t largest = -1;
    for (const auto& [token, id] : files.ids) largest = std::max(largest, id);
    for (const AddedToken& token : files.added) largest = std::max(largest, token.id);
    token_bytes_.resize(static_cast<size_t>(largest + 1));
    special_.resize(token_bytes_.size());
    byte_id_.fill(-1);
    if (sentence_piece_) characters_ = CharacterIds(files.ids, source_);
    for (const auto& [token, id] : files.ids) {
        if (sentence_piece_) {
            token_bytes_[id] = token_to_bytes(token);
            continue;
        }
        const auto bytes = alphabet_to_bytes(token);
        token_bytes_[id] = bytes.value_or(token);
        if (!bytes) continue;  // no text leads here: only an added token can hold such characters
        if (bytes->size() == 1) byte_id_[static_cast<uint8_t>((*bytes)[0])] = id;
        if (files.ignore_merges) whole_pieces_.emplace(*bytes, id);
    }
    for (const AddedToken& token : files.added) {
        const auto written = files.ids.find(token.content);
        const bool is_own = written != files.ids.end() && written->second == token.id;
        ENSURE_INPUT(is_own || token_bytes_[token.id].empty(), source_,
                     "added token \"{}\" has id {}, which belongs to \"{}\"", token.content,
                     token.id, bytes_to_alphabet(token_bytes_[token.id]));
        token_bytes_[token.id] =
            sentence_piece_ ? token_to_bytes(normalized_content(token, files)) : token.content;
        special_[token.id] = token.special;
    }
}

std::vector<int32_t> Tokenizer::encode(std::string_view text) const {
    std::vector<int32_t> ids;
    encode(text, ids);
    return ids;
}

void Tokenizer::encode(std::string_view text, std::vector<int32_t>& out) const {
    encode_after(Before::nothing, text, out);
}

void Tokenizer::encode_rest(std::string_view text, std::vector<int32_t>& out) const {
    encode_after(Before::text, text, out);
}

void Tokenizer::encode_after(Before before, std::string_view text,
                             std::vector<int32_t>& out) const {
    for (const auto& segment : added_.split(text)) {
        if (segment.id != AddedTokenMatcher::kText) {
            out.push_back(segment.id);
        } else if (sentence_piece_) {
            const bool is_first = segment.text.data() == text.data();
            encode_spaced(is_first ? before : Before::token, segment.text, out);
        } else {
            encode_plain(segment.text, out);
        }
    }
}

void Tokenizer::encode_spaced(Before before, std::string_view text,
                              std::vector<int32_t>& out) const {
    const SentencePiece& rule = *sentence_piece_;
    const auto mark = [&rule](Before what, std::string_view stretch) {
        return what == Before::text ? marks_to_spaces(stretch)
                                    : rule.mark(stretch, what == Before::nothing);
    };
    std::string marked;
    if (rule.in_normalizer) text = marked = mark(before, text);
    for (const auto& segment : added_normalized_.split(text)) {
        if (segment.id != AddedTokenMatcher::kText) {
            out.push_back(segment.id);
            continue;
        }
        const bool is_first = segment.text.data() == text.data();
        std::string_view stretch = segment.text;
        if (!rule.in_normalizer)
            stretch = marked = mark(is_first ? before : Before::token, segment.text);
        if (!rule.splits_words && !words_are_safe_) {
            encode_piece(stretch, out);
        } else {
            for_each_word(stretch, rule.splits_words,
                          [&](std::string_view word) { encode_piece(word, out); });
        }
    }
}

void Tokenizer::encode_plain(std::string_view text, std::vector<int32_t>& out) const {
    std::string normalized;
    if (normalize_nfc_) text = normalized = normalize_nfc(text);
    for (const auto& segment : added_normalized_.split(text)) {
        if (segment.id != AddedTokenMatcher::kText) {
            out.push_back(segment.id);
            continue;
        }
        pre_tokenizer_.for_each_piece(segment.text,
                                      [&](std::string_view piece) { encode_piece(piece, out); });
    }
}

void Tokenizer::encode_piece(std::string_view piece, std::vector<int32_t>& out) const {
    if (piece.size() > PieceCache::kMaxBytes) return merge_piece(piece, out);
    const PieceCache::Key key = PieceCache::key_of(piece);
    PieceCache::Entry& entry = PieceCache::of_this_thread().place_of(key);
    if (entry.key == key && entry.owner == identity_) {
        if (entry.num_ids == 1) {
            out.push_back(entry.ids[0]);
        } else {
            out.insert(out.end(), entry.ids.begin(), entry.ids.begin() + entry.num_ids);
        }
        return;
    }
    const size_t before = out.size();
    merge_piece(piece, out);
    const size_t num_ids = out.size() - before;
    if (num_ids > PieceCache::kMaxIds) return;
    entry = {.key = key, .owner = identity_, .num_ids = static_cast<int32_t>(num_ids)};
    std::copy(out.begin() + static_cast<ptrdiff_t>(before), out.end(), entry.ids.begin());
}

void Tokenizer::merge_piece(std::string_view piece, std::vector<int32_t>& out) const {
    if (!whole_pieces_.empty()) {
        const auto found = whole_pieces_.find(piece);
        if (found != whole_pieces_.end()) {
            out.push_back(found->second);
            return;
        }
    }
    std::vector<int32_t> ids;
    ids.reserve(piece.size());
    if (sentence_piece_) {
        characters_.append(piece, ids);
    } else {
        for (const char c : piece) {
            const auto byte = static_cast<uint8_t>(c);
            if (byte_id_[byte] >= 0)
                ids.push_back(byte_id_[byte]);
            else
                (*dropped_)[byte].store(true, std::memory_order_relaxed);
        }
    }
    merges_.merge(ids);
    out.insert(out.end(), ids.begin(), ids.end());
}

std::string Tokenizer::dropped_text() const {
    std::string bytes;
    for (size_t byte = 0; byte < dropped_->size(); ++byte)
        if ((*dropped_)[byte]) bytes += fmt::format("{}0x{:02X}", bytes.empty() ? "" : ", ", byte);
    if (bytes.empty()) return "";
    return fmt::format("{}: no token for {}: such bytes were dropped from the text", source_,
                       bytes);
}

const std::string& Tokenizer::token_bytes(int32_t id) const {
    ENSURE_INPUT(has_token(id), source_, "found token id {}, expected one of {}", id, vocab_size());
    return token_bytes_[static_cast<size_t>(id)];
}

std::string_view Tokenizer::first_token_bytes(int32_t id) const {
    const std::string_view bytes = token_bytes(id);
    const bool strips = sentence_piece_ && sentence_piece_->strips_space;
    return strips && bytes.starts_with(' ') ? bytes.substr(1) : bytes;
}

std::string Tokenizer::decode(std::span<const int32_t> ids, bool skip_special) const {
    std::string text;
    for (const int32_t id : ids) {
        const std::string& bytes = token_bytes(id);
        if (!skip_special || !special_[static_cast<size_t>(id)]) text += bytes;
    }
    if (sentence_piece_ && sentence_piece_->strips_space && text.starts_with(' ')) text.erase(0, 1);
    return text;
}
