#include "eval/evaluate.h"

#include <algorithm>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "eval/suites/perplexity.h"
#include "kernels/core/check.h"
#include "model/io/hugging_face.h"
#include "model/program/progress.h"
#include "model/program/say.h"
#include "model/text/data_files.h"
#include "model/text/unicode.h"

namespace {

using Json = nlohmann::ordered_json;

struct Suite {
    std::string name;
    std::filesystem::path data;
};

Suite parse_suite(const std::string& argument) {
    const size_t equals = argument.find('=');
    ENSURE_INPUT(equals != std::string::npos, "--suite",
                 "{}, expected NAME=PATH, for instance perplexity=text.txt", argument);
    const Suite suite{argument.substr(0, equals), argument.substr(equals + 1)};
    ENSURE_INPUT(suite.name == "perplexity", "--suite", "{}, expected perplexity", suite.name);
    ENSURE_INPUT(std::filesystem::is_regular_file(suite.data), "--suite", "{} is no file",
                 suite.data.string());
    ENSURE_INPUT(is_valid_utf8(suite.data.string()), "--suite",
                 "the name {} is not UTF-8, expected one that JSON can hold", suite.data.string());
    return suite;
}

int32_t first_token(const Tokenizer& tokenizer, const ModelConfig& config,
                    const std::filesystem::path& folder) {
    if (!tokenizer.prefix_ids().empty()) return tokenizer.prefix_ids().front();
    if (tokenizer.bos_id()) return *tokenizer.bos_id();
    if (config.bos_id) return *config.bos_id;
    if (tokenizer.eos_id()) return *tokenizer.eos_id();
    throw InputError(folder.string() + ": has neither BOS nor EOS to begin a text with");
}

Json perplexity_json(const Perplexity& result, const PerplexityText& text) {
    return {{"nats_per_token", result.nats_per_token()},
            {"standard_error", result.sum.standard_error()},
            {"token_perplexity", result.token_perplexity()},
            {"word_perplexity", result.word_perplexity()},
            {"bits_per_byte", result.bits_per_byte()},
            {"tokens", result.sum.tokens},
            {"words", result.words},
            {"bytes", result.bytes},
            {"sha256", text.sha256}};
}

template <typename T>
Json run(const EvaluateOptions& options) {
    std::vector<Suite> suites;
    for (const std::string& argument : options.suites) suites.push_back(parse_suite(argument));
    const ModelFolder folder = open_model_folder(resolve_model(options.model, "--model"));
    const ModelConfig& config = folder.config;
    ENSURE_INPUT(options.max_length <= config.max_positions, "--max_length",
                 "is {}, expected at most the model's {} positions", options.max_length,
                 config.max_positions);
    const int64_t max_length =
        options.max_length > 0 ? options.max_length : std::min(1024, config.max_positions);
    const Tokenizer tokenizer = Tokenizer::from_folder(folder.path);
    ENSURE_INPUT(tokenizer.vocab_size() <= config.vocab_size, folder.path.string(),
                 "its tokenizer has {} tokens, its model a vocabulary of {}",
                 tokenizer.vocab_size(), config.vocab_size);
    const ParameterTable table = parameter_table<T>(folder, options.device);
    const Stream stream(options.device);
    ParameterStore<T> store(table, options.device);
    store.allocate(Role::weight);
    store.write_on_host([&](ParameterStore<T>& on_host) { load_weights(folder, on_host); });
    Transformer<T> model(
        config, store,
        {.tokens = std::max(options.batch_tokens, max_length), .longest_row = max_length},
        stream.view());
    Json results = Json::object();
    for (const Suite& suite : suites) {
        ReadingProgress reading(suite.data.string(), bytes_of({suite.data}));
        const PerplexityText text =
            read_perplexity_text(suite.data, tokenizer, first_token(tokenizer, config, folder.path),
                                 max_length, [&](int64_t bytes) { reading.update(bytes); });
        Progress progress("eval " + suite.data.stem().string(), text.windows.num_rows());
        const Perplexity result =
            perplexity(model, text, [&](int64_t done) { progress.update(done); });
        results[suite.name][suite.data.string()] = perplexity_json(result, text);
    }
    say_note(tokenizer.dropped_text());
    return {{"model", folder.path.string()},
            {"precision", options.precision},
            {"max_length", max_length},
            {"results", results}};
}

}  // namespace

std::string evaluate(const EvaluateOptions& options) {
    return (options.precision == "bf16" ? run<bf16>(options) : run<float>(options)).dump(2) + "\n";
}
