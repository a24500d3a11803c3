#include "eval/suites/perplexity.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "kernels/core/check.h"
#include "model/io/json.h"
#include "model/io/sha256.h"

namespace {

int64_t count_words(std::string_view text) {
    int64_t words = 0;
    bool inside = false;
    for (const char c : text) {
        const bool space = c == ' ' || (c >= '\t' && c <= '\r');
        words += !space && !inside;
        inside = !space;
    }
    return words;
}

}  // namespace

PerplexityText read_perplexity_text(const std::filesystem::path& file, const Tokenizer& tokenizer,
                                    int32_t start, int64_t max_length) {
    ENSURE_INPUT(max_length >= 2, "--max_length", "is {}, expected 2 or more", max_length);
    const std::string text = read_text_file(file, int64_t{8} << 30);
    const std::vector<int32_t> ids = tokenizer.encode(text);
    ENSURE_INPUT(!ids.empty(), file.string(), "is empty, expected text");
    PerplexityText out;
    out.bytes = static_cast<int64_t>(text.size());
    out.words = count_words(text);
    out.sha256 = sha256_of(text);
    int32_t before = start;
    for (size_t first = 0; first < ids.size(); first += static_cast<size_t>(max_length) - 1) {
        const size_t count = std::min(ids.size() - first, static_cast<size_t>(max_length) - 1);
        out.windows.tokens.push_back(before);
        out.windows.tokens.insert(out.windows.tokens.end(),
                                  ids.begin() + static_cast<int64_t>(first),
                                  ids.begin() + static_cast<int64_t>(first + count));
        out.windows.starts.push_back(static_cast<int64_t>(out.windows.tokens.size()));
        before = ids[first + count - 1];
    }
    return out;
}

double Perplexity::token_perplexity() const { return std::exp(sum.mean()); }

double Perplexity::word_perplexity() const {
    return std::exp(sum.loss / static_cast<double>(words));
}

double Perplexity::bits_per_byte() const {
    return sum.loss / std::numbers::ln2 / static_cast<double>(bytes);
}

template <typename T>
Perplexity perplexity(Transformer<T>& model, const PerplexityText& text,
                      const std::function<void(int64_t)>& progress) {
    return {score(model, text.windows, progress), text.bytes, text.words};
}

template Perplexity perplexity(Transformer<float>&, const PerplexityText&,
                               const std::function<void(int64_t)>&);
template Perplexity perplexity(Transformer<bf16>&, const PerplexityText&,
                               const std::function<void(int64_t)>&);
