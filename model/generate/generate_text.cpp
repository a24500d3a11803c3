#include "model/generate/generate_text.h"

#include <algorithm>

#include "kernels/core/check.h"
#include "model/generate/generator.h"
#include "model/generate/text_stream.h"
#include "model/io/hugging_face.h"
#include "model/text/tokenizer.h"

namespace {

std::vector<int32_t> prompt_tokens(const Tokenizer& tokenizer, const ModelConfig& config,
                                   const std::string& prompt) {
    std::vector<int32_t> tokens = tokenizer.prefix_ids();
    const auto encoded = tokenizer.encode(prompt);
    tokens.insert(tokens.end(), encoded.begin(), encoded.end());
    if (tokens.empty()) {
        // GPT-2's folders name <|endoftext|> as both: a text begins where another ended.
        const auto start = tokenizer.bos_id() ? tokenizer.bos_id() : config.bos_id;
        ENSURE_INPUT(start, "--prompt", "is empty, and the model has no token to begin with");
        tokens.push_back(*start);
    }
    for (const int32_t token : tokens)
        ENSURE_INPUT(token < config.vocab_size, "--model",
                     "its tokenizer gives token {}, but its vocabulary has {}", token,
                     config.vocab_size);
    ENSURE_INPUT(static_cast<int64_t>(tokens.size()) <= config.max_positions, "--prompt",
                 "{} tokens, expected at most the model's {} positions", tokens.size(),
                 config.max_positions);
    return tokens;
}

template <typename T>
std::vector<GeneratedText> generate(const GenerateTextOptions& options, const std::string& prompt,
                                    const std::function<void(std::string_view)>& on_text) {
    const ModelFolder folder = open_model_folder(resolve_model(options.model, "--model"));
    const Tokenizer tokenizer = Tokenizer::from_folder(folder.path);
    const auto tokens = prompt_tokens(tokenizer, folder.config, prompt);
    const ParameterTable table(folder.config);
    ParameterStore<T> store(table);
    store.allocate(Role::weight);
    load_weights(folder, store);

    std::vector<GeneratedText> rows(static_cast<size_t>(options.rows));
    std::vector<TextStream> streams;
    for (size_t r = 0; r < rows.size(); ++r) {
        rows[r].finish_reason = "length";
        streams.emplace_back(options.stop, [&rows, &on_text, r](std::string_view piece) {
            rows[r].text += piece;
            if (r == 0 && on_text) on_text(piece);
        });
    }
    std::vector<int32_t> ends(folder.config.eos_ids.begin(), folder.config.eos_ids.end());
    if (tokenizer.eos_id()) ends.push_back(*tokenizer.eos_id());
    Generator<T> generator(folder.config, store,
                           static_cast<int64_t>(tokens.size()) + options.max_new_tokens,
                           options.rows);
    const int64_t length = options.max_new_tokens;
    const auto fresh = generator.generate(
        tokens,
        {.max_new_tokens = length,
         .temperature = static_cast<float>(options.temperature),
         .top_k = options.top_k,
         .top_p = static_cast<float>(options.top_p),
         .repetition_penalty = static_cast<float>(options.repetition_penalty),
         .rows = options.rows,
         .seed = options.seed,
         .end_tokens = ends},
        [&](int row, int32_t token) {
            // A model's vocabulary may be padded with ids that no token has.
            const bool stopped =
                tokenizer.has_token(token) &&
                streams[static_cast<size_t>(row)].push(tokenizer.token_bytes(token));
            if (stopped) rows[static_cast<size_t>(row)].finish_reason = "stop";
            return stopped;
        });
    for (size_t r = 0; r < rows.size(); ++r) {
        rows[r].tokens = static_cast<int64_t>(fresh[r].size());
        const auto last = static_cast<int64_t>(tokens.size() + fresh[r].size());
        if (rows[r].finish_reason == "length" && rows[r].tokens < length &&
            last <= folder.config.max_positions)
            rows[r].finish_reason = "stop";
        streams[r].finish();
    }
    return rows;
}

}  // namespace

std::vector<GeneratedText> generate_text(const GenerateTextOptions& options,
                                         const std::string& prompt,
                                         const std::function<void(std::string_view)>& on_text) {
    return options.precision == "bf16" ? generate<bf16>(options, prompt, on_text)
                                       : generate<float>(options, prompt, on_text);
}
