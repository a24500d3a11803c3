#include "model/program/flags.h"

#include <algorithm>
#include <cstdio>
#include <set>

#include "kernels/core/check.h"
#include "model/program/version.h"
#include "model/program/yaml_file.h"

namespace {

std::string normal(std::string_view name) {
    std::string text(name);
    std::replace(text.begin(), text.end(), '-', '_');
    return text;
}

bool starts_with_dashes(const std::string& argument) {
    return argument.size() > 2 && argument.compare(0, 2, "--") == 0;
}

// "a,b" as "a", "b".
std::vector<std::string> split_at_commas(const std::string& text, const std::string& source) {
    std::vector<std::string> parts;
    for (size_t begin = 0; begin <= text.size();) {
        const size_t end = std::min(text.find(',', begin), text.size());
        parts.push_back(text.substr(begin, end - begin));
        ENSURE_INPUT(!parts.back().empty(), source, "found an empty element in '{}'", text);
        begin = end + 1;
    }
    return parts;
}

// Levenshtein: insertions, deletions and substitutions that turn a into b.
size_t edit_distance(const std::string& a, const std::string& b) {
    std::vector<size_t> row(b.size() + 1);
    for (size_t j = 0; j <= b.size(); ++j) row[j] = j;
    for (size_t i = 1; i <= a.size(); ++i) {
        size_t diagonal = row[0];
        row[0] = i;
        for (size_t j = 1; j <= b.size(); ++j) {
            const size_t substituted = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
            diagonal = row[j];
            row[j] = std::min({row[j] + 1, row[j - 1] + 1, substituted});
        }
    }
    return row[b.size()];
}

// `--x true` takes the word, `--x FILE` does not. Digits are left out: a file may be called 1.
bool is_boolean_word(const std::string& argument) {
    static const std::set<std::string> words = {"true", "false", "True", "False", "yes", "no"};
    return words.count(argument) > 0;
}

}  // namespace

Flags::Flags(std::string program, std::string description)
    : program_(std::move(program)), description_(std::move(description)) {
    group(kCommonGroup);
    add("config", config_, "Read flags from this file first; the command line overrides it.")
        .value_name("FILE.yaml");
    group("Options");
}

void Flags::group(std::string heading) { group_ = std::move(heading); }

Flag& Flags::add(std::string name, FlagTarget target, std::string help) {
    ENSURE(find(name) == nullptr, "flag {} is declared twice", name);
    return flags_.emplace_back(std::move(name), target, std::move(help), group_);
}

void Flags::positional(std::string name, std::vector<std::string>& values, std::string help) {
    positional_name_ = std::move(name);
    positional_help_ = std::move(help);
    positional_ = &values;
}

void Flags::boolean_spelling(std::string name, std::string flag, std::string if_true,
                             std::string if_false) {
    ENSURE(find(flag) != nullptr, "--{} stands for the undeclared --{}", name, flag);
    spellings_.push_back(
        {std::move(name), std::move(flag), std::move(if_true), std::move(if_false)});
}

void Flags::refuse(std::string name, std::string explanation) {
    refusals_.push_back({std::move(name), std::move(explanation)});
}

Flag* Flags::find(std::string_view name) {
    const std::string wanted = normal(name);
    for (Flag& flag : flags_)
        if (flag.answers_to(wanted)) return &flag;
    return nullptr;
}

const Flags::Spelling* Flags::find_spelling(std::string_view name) const {
    const std::string wanted = normal(name);
    for (const Spelling& spelling : spellings_)
        if (spelling.name == wanted) return &spelling;
    return nullptr;
}

bool Flags::given(std::string_view name) const {
    const Flag* const flag = const_cast<Flags*>(this)->find(name);
    ENSURE(flag != nullptr, "no flag is called {}", name);
    return flag->given_;
}

// Empty if nothing is near enough to be what was meant.
std::string Flags::nearest(const std::string& name) const {
    std::string best;
    size_t best_distance = std::max<size_t>(2, name.size() / 3) + 1;
    const auto consider = [&](const std::string& candidate) {
        const size_t distance = edit_distance(name, candidate);
        if (distance >= best_distance) return;
        best_distance = distance;
        best = candidate;
    };
    for (const Flag& flag : flags_) {
        consider(flag.name_);
        if (flag.is_boolean()) consider("no_" + flag.name_);
        for (const std::string& alias : flag.aliases_) consider(alias);
    }
    for (const Spelling& spelling : spellings_) consider(spelling.name);
    consider("help");
    consider("version");
    return best;
}

void Flags::throw_unknown(std::string_view name, const std::string& source) const {
    const std::string wanted = normal(name);
    for (const Refusal& refusal : refusals_)
        ENSURE_INPUT(refusal.name != wanted, source, "not a flag here: {}", refusal.explanation);
    const std::string near = nearest(wanted);
    throw InputError(near.empty()
                         ? fmt::format("{}: unknown flag; {} --help lists them", source, program_)
                         : fmt::format("{}: unknown flag, did you mean --{}?", source, near));
}

// `verbatim`: the values are elements already; otherwise a list flag's value is cut at commas.
Flags::Assignment Flags::assignment(std::string_view name, std::vector<std::string> values,
                                    const std::string& source, bool verbatim) {
    if (const Spelling* spelling = find_spelling(name)) {
        bool on = false;
        Flag("", &on, "", "").take(values, source, false);
        return {find(spelling->flag), {on ? spelling->if_true : spelling->if_false}, source};
    }
    Flag* const flag = find(name);
    if (flag == nullptr) throw_unknown(name, source);
    if (flag->is_list() && !verbatim && !flag->takes_one_each())
        values = split_at_commas(values.front(), source);
    for (const std::string& value : values)
        ENSURE_INPUT(!flag->takes_one_each() || !value.empty(), source,
                     "found an empty text, expected at least one character");
    return {flag, std::move(values), source};
}

// Reads the flag at arguments[at], and the value that belongs to it; `at` ends on the last one.
Flags::Assignment Flags::read_flag(const std::vector<std::string>& arguments, size_t& at) {
    const std::string& argument = arguments[at];
    const size_t equals = std::min(argument.find('='), argument.size());
    const std::string name = argument.substr(2, equals - 2);
    const std::string source = argument.substr(0, equals);
    if (equals < argument.size())
        return assignment(name, {argument.substr(equals + 1)}, source, false);

    const Flag* const flag = find(name);
    const bool has_next = at + 1 < arguments.size();
    if (find_spelling(name) || (flag && flag->is_boolean())) {
        const bool next_is_value = has_next && is_boolean_word(arguments[at + 1]);
        return assignment(name, {next_is_value ? arguments[++at] : "true"}, source, false);
    }
    if (flag == nullptr && normal(name).compare(0, 3, "no_") == 0) {
        Flag* const negated = find(name.substr(3));
        if (negated && negated->is_boolean()) return {negated, {"false"}, source};
    }
    if (flag == nullptr) throw_unknown(name, source);
    ENSURE_INPUT(has_next && !starts_with_dashes(arguments[at + 1]), source,
                 "found no value, expected one (written {}=VALUE if it starts with --)", source);
    return assignment(name, {arguments[++at]}, source, false);
}

std::vector<Flags::Assignment> Flags::read_command_line(const std::vector<std::string>& arguments) {
    std::vector<Assignment> assignments;
    std::vector<std::string> positional;
    bool flags_ended = false;
    for (size_t at = 0; at < arguments.size(); ++at) {
        const std::string& argument = arguments[at];
        if (!flags_ended && argument == "--") {
            flags_ended = true;
        } else if (!flags_ended && (argument == "--help" || argument == "-h")) {
            fmt::print("{}", help());
            throw Finished{};
        } else if (!flags_ended && argument == "--version") {
            fmt::print("fettle {}\n", kVersion);
            throw Finished{};
        } else if (!flags_ended && starts_with_dashes(argument)) {
            assignments.push_back(read_flag(arguments, at));
        } else {
            ENSURE_INPUT(flags_ended || argument.size() < 2 || argument[0] != '-', argument,
                         "unknown flag; flags start with two dashes");
            ENSURE_INPUT(positional_ != nullptr, argument, "expected a flag, which starts with --");
            positional.push_back(argument);
        }
    }
    if (positional_) *positional_ = std::move(positional);
    return assignments;
}

// The first occurrence replaces a list, later ones extend it.
void Flags::apply(const std::vector<Assignment>& assignments) {
    std::set<const Flag*> seen;
    for (const Assignment& assignment : assignments) {
        const bool is_first = seen.insert(assignment.flag).second;
        assignment.flag->take(assignment.values, assignment.source, !is_first);
        assignment.flag->given_ = true;
    }
}

std::vector<Flags::Assignment> Flags::read_config_file() {
    std::vector<Assignment> assignments;
    std::set<const Flag*> seen;
    for (const YamlEntry& entry : read_yaml_file(config_)) {
        const std::string source = fmt::format("{}:{}: {}", config_, entry.line, entry.key);
        assignments.push_back(assignment(entry.key, entry.values, source, entry.is_list));
        const Flag* const flag = assignments.back().flag;
        ENSURE_INPUT(flag->name_ != "config", source, "a file of flags cannot name another one");
        ENSURE_INPUT(seen.insert(flag).second, source, "{} is already set above", flag->name_);
    }
    return assignments;
}

void Flags::parse(int argc, const char* const* argv) {
    const std::vector<std::string> arguments(argv + std::min(argc, 1), argv + argc);
    const std::vector<Assignment> from_command_line = read_command_line(arguments);
    for (const Assignment& assignment : from_command_line)
        if (assignment.flag->target_ == FlagTarget(&config_)) apply({assignment});
    if (!config_.empty()) apply(read_config_file());
    apply(from_command_line);
}

void Flags::set(std::string_view name, const std::vector<std::string>& values,
                const std::string& source) {
    apply({assignment(name, values, source, /*verbatim=*/true)});
}
