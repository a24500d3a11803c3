#include "model/text/pre_tokenizer_json.h"

#include <nlohmann/json.hpp>

#include "kernels/core/check.h"
#include "model/io/json.h"

namespace {

constexpr const char* kGpt2 =
    R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)";
constexpr const char* kLlama3 =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";
constexpr const char* kQwen2 =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";

// Steps must come in this order: each cuts what the one before it left.
enum class Step { none, digits, split, byte_level };

class Reader {
public:
    Reader(const nlohmann::json& description, const std::string& source)
        : description_(description), source_(source) {}

    PreTokenizer read() {
        result_.pattern = PreTokenizer::Pattern::none;
        const JsonObject top(description_, source_);
        if (top.string("type") != "Sequence") {
            read_step(description_);
        } else {
            const auto steps = description_.find("pretokenizers");
            require(steps != description_.end() && steps->is_array());
            for (const auto& step : *steps) read_step(step);
        }
        require(last_ == Step::byte_level);
        return result_;
    }

private:
    void require(bool understood) const {
        ENSURE_INPUT(understood, source_,
                     "found {}, expected ByteLevel as GPT-2, Llama 3, Qwen2 or SmolLM have it",
                     description_.dump(-1, ' ', true).substr(0, 300));
    }

    void advance(Step step) {
        require(step > last_);
        last_ = step;
    }

    void read_step(const nlohmann::json& description) {
        const JsonObject step(description, source_);
        const std::string type = step.string("type");
        if (type == "Digits") {
            advance(Step::digits);
            result_.digits = step.boolean_or("individual_digits", false)
                                 ? PreTokenizer::Digits::individual
                                 : PreTokenizer::Digits::grouped;
        } else if (type == "Split") {
            advance(Step::split);
            read_split(step);
        } else {
            require(type == "ByteLevel");
            advance(Step::byte_level);
            require(!step.boolean_or("add_prefix_space", true));
            if (!step.boolean_or("use_regex", true)) return;
            require(result_.pattern ==
                    PreTokenizer::Pattern::none);  // two patterns, one in another
            result_.pattern = PreTokenizer::Pattern::gpt2;
        }
    }

    void read_split(const JsonObject& step) {
        const std::string regex = step.object("pattern").string("Regex");
        const std::string behavior = step.string("behavior");
        const bool invert = step.boolean_or("invert", false);
        // The patterns cover every text, so these two ways of asking for all matches are one.
        require((behavior == "Isolated" && !invert) || (behavior == "Removed" && invert));
        require(regex == kGpt2 || regex == kLlama3 || regex == kQwen2);
        result_.pattern =
            regex == kGpt2 ? PreTokenizer::Pattern::gpt2 : PreTokenizer::Pattern::llama3;
        result_.max_number_chars = regex == kQwen2 ? 1 : 3;
    }

    const nlohmann::json& description_;
    const std::string& source_;
    PreTokenizer result_;
    Step last_ = Step::none;
};

}  // namespace

PreTokenizer read_pre_tokenizer(const nlohmann::json& description, const std::string& source) {
    return Reader(description, source).read();
}

nlohmann::ordered_json byte_level_json(bool use_regex) {
    return {{"type", "ByteLevel"},
            {"add_prefix_space", false},
            {"trim_offsets", true},
            {"use_regex", use_regex}};
}

nlohmann::ordered_json pre_tokenizer_json(const PreTokenizer& cut) {
    auto steps = nlohmann::ordered_json::array();
    if (cut.digits != PreTokenizer::Digits::in_pattern)
        steps.push_back({{"type", "Digits"},
                         {"individual_digits", cut.digits == PreTokenizer::Digits::individual}});
    if (cut.pattern == PreTokenizer::Pattern::llama3) {
        ENSURE(cut.max_number_chars == 1 || cut.max_number_chars == 3,
               "no published pattern takes {} digits at a time", cut.max_number_chars);
        steps.push_back({{"type", "Split"},
                         {"pattern", {{"Regex", cut.max_number_chars == 1 ? kQwen2 : kLlama3}}},
                         {"behavior", "Isolated"},
                         {"invert", false}});
    }
    steps.push_back(byte_level_json(cut.pattern == PreTokenizer::Pattern::gpt2));
    if (steps.size() == 1) return steps[0];
    return {{"type", "Sequence"}, {"pretokenizers", std::move(steps)}};
}
