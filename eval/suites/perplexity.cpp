#include "eval/suites/perplexity.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "kernels/core/check.h"
#include "model/text/encode_file.h"

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
                                    int32_t start, int64_t max_length,
                                    const std::function<void(int64_t)>& progress) {
    ENSURE_INPUT(max_length >= 2, "--max_length", "is {}, expected 2 or more", max_length);
    PerplexityText out;
    TextFile text(file);
    std::vector<int32_t> window = {start};
    encode_file(text, tokenizer, [&](std::string_view part, std::span<const int32_t> ids) {
        out.bytes += static_cast<int64_t>(part.size());
        out.words += count_words(part);
        for (const int32_t id : ids) {
            window.push_back(id);
            if (static_cast<int64_t>(window.size()) < max_length) continue;
            out.windows.append(window);
            window = {id};
        }
        if (progress) progress(out.bytes);
    });
    if (window.size() > 1) out.windows.append(window);
    ENSURE_INPUT(out.windows.num_rows() > 0, file.string(), "is empty, expected text");
    out.sha256 = text.sha256();
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
