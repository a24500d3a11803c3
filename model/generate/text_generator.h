// A model folder, loaded once, that continues text as often as it is asked.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "model/io/hugging_face.h"
#include "model/text/tokenizer.h"

struct TextOptions {
    int64_t max_new_tokens = 128;
    double temperature = 1.0;
    int top_k = 0;
    double top_p = 1.0;
    double repetition_penalty = 1.0;
    std::vector<std::string> stop = {};
    std::vector<int32_t> end_tokens = {};  // besides the model's own
    int rows = 1;                          // continuations of the prompt
    uint64_t seed = 42;
    std::function<bool()> cancelled = {};  // asked before each forward pass; true ends the text
};

struct GeneratedText {
    std::string text;
    int64_t tokens = 0;
    std::string finish_reason;  // "stop": an end token or a stop text; "length"; "cancelled"
    int64_t prompt_tokens = 0;
    double first_token_seconds = 0;  // from the call to the first token of any row
    double seconds = 0;              // of the whole call
};

// One line: {"prompt", "text", "tokens", "finish_reason", "prompt_tokens", "first_token_seconds",
// "seconds"}. Bytes that are no UTF-8 become U+FFFD: JSON has no other way to say them.
std::string to_json(const GeneratedText& row, const std::string& prompt);

// Receives the first row's text as it grows.
using OnText = std::function<void(std::string_view)>;

class TextGenerator {
public:
    // `model`: a folder, or org/name in the local Hugging Face cache. `precision`: fp32 or bf16.
    TextGenerator(const std::string& model, const std::string& precision,
                  Device device = Device::cpu);
    ~TextGenerator();
    TextGenerator(TextGenerator&&) noexcept;
    TextGenerator& operator=(TextGenerator&&) noexcept;

    const ModelConfig& config() const;
    const Tokenizer& tokenizer() const;
    const std::filesystem::path& folder() const;

    // The ids of a text to continue, BOS in front if the tokenizer puts one there or the text is
    // empty.
    std::vector<int32_t> prompt_ids(std::string_view text) const;

    // What the ids share with those of the call before is not computed again: the prompt of a
    // conversation's next turn costs only what is new in it. More ids than the model has positions
    // are an InputError.
    std::vector<GeneratedText> generate(std::span<const int32_t> prompt, const TextOptions& options,
                                        const OnText& on_text = {});
    std::vector<GeneratedText> generate(std::string_view prompt, const TextOptions& options,
                                        const OnText& on_text = {}) {
        return generate(prompt_ids(prompt), options, on_text);
    }

private:
    struct Engine;  // weights and generator of one precision
    template <typename T>
    struct EngineOf;

    std::vector<int32_t> end_tokens(const TextOptions& options) const;

    std::unique_ptr<ModelFolder> folder_;  // stays where it is: the engine borrows its config
    std::unique_ptr<Tokenizer> tokenizer_;
    std::unique_ptr<Engine> engine_;
};
