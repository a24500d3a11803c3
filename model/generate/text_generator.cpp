#include "model/generate/text_generator.h"

#include <algorithm>
#include <chrono>
#include <nlohmann/json.hpp>
#include <utility>

#include "kernels/core/check.h"
#include "model/generate/generator.h"
#include "model/generate/text_stream.h"

struct TextGenerator::Engine {
    virtual ~Engine() = default;
    virtual std::vector<Continuation> generate(std::span<const int32_t> prompt, int rows,
                                               const GenerateOptions& options,
                                               const OnToken& on_token) = 0;
};

template <typename T>
struct TextGenerator::EngineOf final : TextGenerator::Engine {
    EngineOf(const ModelFolder& folder, Device device)
        : config(folder.config), table(parameter_table<T>(folder, device)), store(table, device) {
        store.allocate(Role::weight);
        store.write_on_host([&](ParameterStore<T>& on_host) { load_weights(folder, on_host); });
    }
    // A generator has a fixed number of rows; the last one is kept, with its cache.
    std::vector<Continuation> generate(std::span<const int32_t> prompt, int rows,
                                       const GenerateOptions& options,
                                       const OnToken& on_token) override {
        if (!generator || rows != generator_rows) {
            generator.reset();
            generator = std::make_unique<Generator<T>>(config, store, config.max_positions, rows);
            generator_rows = rows;
        }
        return generator->generate(prompt, options, on_token);
    }

    const ModelConfig& config;
    const ParameterTable table;
    ParameterStore<T> store;
    std::unique_ptr<Generator<T>> generator;
    int generator_rows = 0;
};

namespace {

const char* finish_reason_of(Continuation::End end) {
    switch (end) {
        case Continuation::End::end_token:
        case Continuation::End::on_token:  // a stop text
            return "stop";
        case Continuation::End::cancelled:
            return "cancelled";
        case Continuation::End::length:
            break;
    }
    return "length";
}

// The rows' texts as their tokens come.
class TextRows {
public:
    TextRows(const Tokenizer& tokenizer, std::span<const int32_t> prompt,
             const TextOptions& options, const OnText& on_text)
        : tokenizer_(tokenizer),
          rows_(static_cast<size_t>(options.rows)),
          has_begun_(rows_.size(), std::any_of(prompt.begin(), prompt.end(), [&](int32_t token) {
                         return !tokenizer.is_special(token);
                     })) {
        for (size_t r = 0; r < rows_.size(); ++r)
            streams_.emplace_back(options.stop, [this, &on_text, r](std::string_view piece) {
                rows_[r].text += piece;
                if (r == 0 && on_text && !piece.empty()) on_text(piece);
            });
    }

    // True ends the row: a stop text has appeared.
    bool push(int row, int32_t token) {
        // A model's vocabulary may be padded with ids that no token has.
        if (!tokenizer_.has_token(token)) return false;
        const auto r = static_cast<size_t>(row);
        const bool is_first = !std::exchange(has_begun_[r], true);
        return streams_[r].push(is_first ? tokenizer_.first_token_bytes(token)
                                         : tokenizer_.token_bytes(token));
    }
    std::vector<GeneratedText> finish(const std::vector<Continuation>& rows) {
        for (size_t r = 0; r < rows_.size(); ++r) {
            streams_[r].finish();
            rows_[r].tokens = static_cast<int64_t>(rows[r].tokens.size());
            rows_[r].finish_reason = finish_reason_of(rows[r].end);
        }
        return std::move(rows_);
    }

private:
    const Tokenizer& tokenizer_;
    std::vector<GeneratedText> rows_;
    std::vector<char> has_begun_;  // [R]  a text that does not continue another has a first token
    std::vector<TextStream> streams_;
};

}  // namespace

std::string to_json(const GeneratedText& row, const std::string& prompt) {
    const nlohmann::ordered_json line = {{"prompt", prompt},
                                         {"text", row.text},
                                         {"tokens", row.tokens},
                                         {"finish_reason", row.finish_reason},
                                         {"prompt_tokens", row.prompt_tokens},
                                         {"first_token_seconds", row.first_token_seconds},
                                         {"seconds", row.seconds}};
    return line.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

TextGenerator::TextGenerator(const std::string& model, const std::string& precision, Device device)
    : folder_(std::make_unique<ModelFolder>(open_model_folder(resolve_model(model, "--model")))),
      tokenizer_(std::make_unique<Tokenizer>(Tokenizer::from_folder(folder_->path))) {
    if (precision == "bf16")
        engine_ = std::make_unique<EngineOf<bf16>>(*folder_, device);
    else
        engine_ = std::make_unique<EngineOf<float>>(*folder_, device);
}

TextGenerator::~TextGenerator() = default;
TextGenerator::TextGenerator(TextGenerator&&) noexcept = default;
TextGenerator& TextGenerator::operator=(TextGenerator&&) noexcept = default;

const ModelConfig& TextGenerator::config() const { return folder_->config; }
const Tokenizer& TextGenerator::tokenizer() const { return *tokenizer_; }
const std::filesystem::path& TextGenerator::folder() const { return folder_->path; }

std::vector<int32_t> TextGenerator::prompt_ids(std::string_view text) const {
    std::vector<int32_t> ids = tokenizer_->prefix_ids();
    tokenizer_->encode(text, ids);
    if (ids.empty()) {
        // GPT-2's folders name <|endoftext|> as both: a text begins where another ended.
        const auto start = tokenizer_->bos_id() ? tokenizer_->bos_id() : config().bos_id;
        ENSURE_INPUT(start, "--prompt", "is empty, and the model has no token to begin with");
        ids.push_back(*start);
    }
    return ids;
}

std::vector<int32_t> TextGenerator::end_tokens(const TextOptions& options) const {
    std::vector<int32_t> ends(config().eos_ids.begin(), config().eos_ids.end());
    if (tokenizer_->eos_id()) ends.push_back(*tokenizer_->eos_id());
    ends.insert(ends.end(), options.end_tokens.begin(), options.end_tokens.end());
    return ends;
}

std::vector<GeneratedText> TextGenerator::generate(std::span<const int32_t> prompt,
                                                   const TextOptions& options,
                                                   const OnText& on_text) {
    for (const int32_t token : prompt)
        ENSURE_INPUT(token < config().vocab_size, "--model",
                     "its tokenizer gives token {}, but its vocabulary has {}", token,
                     config().vocab_size);
    ENSURE_INPUT(static_cast<int64_t>(prompt.size()) <= config().max_positions, "--prompt",
                 "{} tokens, expected at most the model's {} positions", prompt.size(),
                 config().max_positions);
    using Clock = std::chrono::steady_clock;
    const auto since = [start = Clock::now()] {
        return std::chrono::duration<double>(Clock::now() - start).count();
    };
    TextRows texts(*tokenizer_, prompt, options, on_text);
    double first_token_seconds = 0;
    const auto continuations =
        engine_->generate(prompt, options.rows,
                          {.max_new_tokens = options.max_new_tokens,
                           .temperature = static_cast<float>(options.temperature),
                           .top_k = options.top_k,
                           .top_p = static_cast<float>(options.top_p),
                           .repetition_penalty = static_cast<float>(options.repetition_penalty),
                           .seed = options.seed,
                           .end_tokens = end_tokens(options),
                           .cancelled = options.cancelled},
                          [&](int row, int32_t token) {
                              if (first_token_seconds == 0) first_token_seconds = since();
                              return texts.push(row, token);
                          });
    std::vector<GeneratedText> rows = texts.finish(continuations);
    for (GeneratedText& row : rows) {
        row.prompt_tokens = static_cast<int64_t>(prompt.size());
        row.first_token_seconds = first_token_seconds;
        row.seconds = since();
    }
    return rows;
}
