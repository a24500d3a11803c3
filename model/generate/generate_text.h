// From a model folder and a prompt's text to the text of its continuations.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

struct GenerateTextOptions {
    std::string model;  // folder, or org/name in the local Hugging Face cache
    std::string precision = "fp32";
    int64_t max_new_tokens = 128;
    double temperature = 1.0;
    int top_k = 0;
    double top_p = 1.0;
    double repetition_penalty = 1.0;
    std::vector<std::string> stop = {};
    int rows = 1;
    uint64_t seed = 42;
};

struct GeneratedText {
    std::string text;
    int64_t tokens = 0;
    std::string finish_reason;  // "stop": an end token or a stop text; else "length"
};

// `on_text` receives the first row's text as it grows. BOS goes in front if the tokenizer puts one
// there or the prompt is empty.
std::vector<GeneratedText> generate_text(const GenerateTextOptions& options,
                                         const std::string& prompt,
                                         const std::function<void(std::string_view)>& on_text = {});
