#include "model/text/bpe_trainer.h"

#include <algorithm>
#include <queue>

#include "kernels/core/check.h"
#include "model/io/atomic_file.h"
#include "model/io/json.h"
#include "model/text/added_tokens.h"
#include "model/text/byte_alphabet.h"
#include "model/text/tokenizer_writer.h"
#include "model/text/vocabulary.h"

namespace {

using Pair = std::pair<int32_t, int32_t>;  // left token, right token

struct PairHash {
    size_t operator()(const Pair& pair) const {
        const auto packed =
            uint64_t{static_cast<uint32_t>(pair.first)} << 32 | static_cast<uint32_t>(pair.second);
        return static_cast<size_t>((packed ^ packed >> 31) * 0x9E3779B97F4A7C15u);
    }
};

struct Piece {
    std::vector<int32_t> tokens;
    int64_t count = 0;
};

// Keeps the count of every pair while tokens merge: a merge touches only the pieces that hold it.
class PairCounts {
public:
    PairCounts(std::vector<Piece> pieces, const std::vector<std::string>& token_bytes)
        : pieces_(std::move(pieces)), best_(LessFrequent{token_bytes}) {
        for (uint32_t i = 0; i < pieces_.size(); ++i) add_pairs(i, +1, /*remember=*/true);
        push_changed();
    }

    // The most frequent pair; {-1, -1} if there is none.
    Pair most_frequent() {
        while (!best_.empty()) {
            const Candidate top = best_.top();
            const auto found = pairs_.find(top.pair);
            if (found != pairs_.end() && found->second.count == top.count) return top.pair;
            best_.pop();  // an old count; the present one was pushed when it changed
        }
        return {-1, -1};
    }

    void merge(const Pair& pair, int32_t merged) {
        const std::vector<uint32_t> holders = std::move(pairs_.at(pair).pieces);
        for (const uint32_t holder : holders) {
            std::vector<int32_t>& tokens = pieces_[holder].tokens;
            if (!holds(tokens, pair)) continue;  // it did once
            add_pairs(holder, -1, /*remember=*/false);
            replace(tokens, pair, merged);
            add_pairs(holder, +1, /*remember=*/true, merged);
        }
        pairs_.erase(pair);
        changed_.erase(pair);
        push_changed();
    }

private:
    struct Candidate {
        int64_t count = 0;
        Pair pair;
    };
    struct LessFrequent {
        const std::vector<std::string>& token_bytes;
        bool operator()(const Candidate& a, const Candidate& b) const {
            if (a.count != b.count) return a.count < b.count;
            const int left = token_bytes[a.pair.first].compare(token_bytes[b.pair.first]);
            if (left != 0) return left < 0;
            return token_bytes[a.pair.second] < token_bytes[b.pair.second];
        }
    };
    struct Occurrences {
        int64_t count = 0;
        std::vector<uint32_t> pieces;  // every piece that holds the pair, and some that did
    };
    static constexpr int32_t kAnyToken = -1;

    static bool holds(const std::vector<int32_t>& tokens, const Pair& pair) {
        for (size_t i = 0; i + 1 < tokens.size(); ++i)
            if (tokens[i] == pair.first && tokens[i + 1] == pair.second) return true;
        return false;
    }

    static void replace(std::vector<int32_t>& tokens, const Pair& pair, int32_t merged) {
        size_t kept = 0;
        for (size_t i = 0; i < tokens.size(); ++i) {
            const bool found =
                i + 1 < tokens.size() && tokens[i] == pair.first && tokens[i + 1] == pair.second;
            tokens[kept++] = found ? merged : tokens[i];
            i += found;
        }
        tokens.resize(kept);
    }

    // Adds a piece's pairs to the counts, or takes them away; only pairs with the token `involving`
    // can be new to the piece.
    void add_pairs(uint32_t piece, int64_t sign, bool remember, int32_t involving = kAnyToken) {
        const auto& [tokens, count] = pieces_[piece];
        for (size_t i = 0; i + 1 < tokens.size(); ++i) {
            const Pair pair{tokens[i], tokens[i + 1]};
            Occurrences& occurrences = pairs_[pair];
            changed_.try_emplace(pair, occurrences.count);
            occurrences.count += sign * count;
            const bool is_new =
                involving == kAnyToken || pair.first == involving || pair.second == involving;
            std::vector<uint32_t>& holders = occurrences.pieces;
            if (remember && is_new && (holders.empty() || holders.back() != piece))
                holders.push_back(piece);
        }
    }

    void push_changed() {
        for (const auto& [pair, count_before] : changed_) {
            const auto found = pairs_.find(pair);
            if (found->second.count == 0) {
                pairs_.erase(found);
            } else if (found->second.count != count_before) {
                best_.push({found->second.count, pair});
            }
        }
        changed_.clear();
    }

    std::vector<Piece> pieces_;
    std::unordered_map<Pair, Occurrences, PairHash> pairs_;
    std::unordered_map<Pair, int64_t, PairHash> changed_;  // since the last push: count before
    std::priority_queue<Candidate, std::vector<Candidate>, LessFrequent> best_;
};

}  // namespace

BpeTrainer::BpeTrainer(std::vector<std::string> special_tokens)
    : special_tokens_(std::move(special_tokens)) {}

void BpeTrainer::add_text(std::string_view text) {
    std::vector<AddedToken> special;
    for (const std::string& content : special_tokens_) special.push_back({.content = content});
    for (const auto& segment : AddedTokenMatcher(special).split(text)) {
        if (segment.id != AddedTokenMatcher::kText) continue;
        pre_tokenizer_.for_each_piece(segment.text, [&](std::string_view piece) {
            const auto found = piece_counts_.find(piece);
            if (found != piece_counts_.end()) {
                ++found->second;
            } else {
                piece_counts_.emplace(piece, 1);
            }
        });
    }
}

TrainedVocabulary BpeTrainer::train(int64_t vocab_size) const {
    const auto smallest = static_cast<int64_t>(special_tokens_.size()) + 256;
    ENSURE_INPUT(vocab_size >= smallest && vocab_size <= kMaxTokenId, "--vocab_size",
                 "found {}, expected {} ({} special and 256 bytes) to {}", vocab_size, smallest,
                 special_tokens_.size(), kMaxTokenId);
    TrainedVocabulary result;
    result.special_tokens = special_tokens_;
    result.pre_tokenizer = pre_tokenizer_;
    std::vector<std::string>& token_bytes = result.token_bytes;
    token_bytes = special_tokens_;
    std::array<int32_t, 256> byte_id{};
    for (const uint8_t byte : bytes_in_alphabet_order()) {
        byte_id[byte] = static_cast<int32_t>(token_bytes.size());
        token_bytes.emplace_back(1, static_cast<char>(byte));
    }

    std::vector<Piece> pieces;
    for (const auto& [text, count] : piece_counts_) {
        Piece piece;
        piece.count = count;
        for (const char c : text) piece.tokens.push_back(byte_id[static_cast<uint8_t>(c)]);
        pieces.push_back(std::move(piece));
    }
    PairCounts counts(std::move(pieces), token_bytes);
    while (static_cast<int64_t>(token_bytes.size()) < vocab_size) {
        const Pair pair = counts.most_frequent();
        if (pair.first < 0) break;
        const auto merged = static_cast<int32_t>(token_bytes.size());
        token_bytes.push_back(token_bytes[pair.first] + token_bytes[pair.second]);
        result.merges.push_back({pair.first, pair.second, merged});
        counts.merge(pair, merged);
    }
    return result;
}

int64_t train_bpe(const std::vector<std::filesystem::path>& files, int64_t vocab_size,
                  const std::filesystem::path& output_folder) {
    ENSURE_INPUT(!files.empty(), "--train_bpe", "found no files, expected one or more");
    ENSURE_INPUT(!std::filesystem::exists(output_folder / "tokenizer.json"), "--output_dir",
                 "{} holds a tokenizer.json, expected another folder", output_folder.string());
    constexpr int64_t kMaxFileBytes = int64_t{1} << 36;
    BpeTrainer trainer;
    for (const auto& file : files) {
        const std::string text = read_text_file(file, kMaxFileBytes);
        ENSURE_INPUT(!text.empty(), file.string(), "is empty, expected text");
        trainer.add_text(text);
    }
    const TrainedVocabulary vocabulary = trainer.train(vocab_size);
    if (std::filesystem::exists(output_folder) && !std::filesystem::is_empty(output_folder)) {
        write_tokenizer(vocabulary, output_folder);
    } else {
        AtomicFolder whole(output_folder);
        write_tokenizer(vocabulary, whole.path());
        whole.commit();
    }
    return static_cast<int64_t>(vocabulary.token_bytes.size());
}
