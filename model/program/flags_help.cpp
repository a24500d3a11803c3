// The text of --help: flags under their headings, defaults and units in brackets, 96 columns.

#include <fmt/format.h>

#include <algorithm>

#include "kernels/core/check.h"
#include "model/program/flags.h"

namespace {

constexpr size_t kColumns = 96;
constexpr size_t kHelpColumn = 34;

// Words of `text` in lines of at most `width`.
std::vector<std::string> wrap(const std::string& text, size_t width) {
    std::vector<std::string> lines = {""};
    for (size_t begin = 0; begin < text.size();) {
        const size_t end = std::min(text.find(' ', begin), text.size());
        const std::string word = text.substr(begin, end - begin);
        std::string& line = lines.back();
        if (line.empty())
            line = word;
        else if (line.size() + 1 + word.size() <= width)
            line += " " + word;
        else
            lines.push_back(word);
        begin = end + 1;
    }
    return lines;
}

// "  left    help in the right column", the help below where `left` is too long.
std::string entry(const std::string& left, const std::string& right) {
    std::string text = "  " + left;
    bool on_same_line = text.size() + 2 <= kHelpColumn;
    for (const std::string& line : wrap(right, kColumns - kHelpColumn)) {
        if (!on_same_line) text += "\n";
        const size_t taken = on_same_line ? text.size() : 0;
        text += std::string(kHelpColumn - taken, ' ') + line;
        on_same_line = false;
    }
    return text + "\n";
}

}  // namespace

std::string Flags::help_of(const Flag& flag) const {
    std::string value = flag.value_name_;
    const bool is_number = !flag.is_boolean() && !flag.is_list() && flag.choices_.empty() &&
                           !std::holds_alternative<std::string*>(flag.target_) &&
                           !std::holds_alternative<std::optional<std::string>*>(flag.target_);
    if (value.empty() && !flag.choices_.empty())
        value = fmt::format("{}", fmt::join(flag.choices_, "|"));
    if (value.empty() && !flag.is_boolean()) value = is_number ? "N" : "TEXT";
    if (flag.is_list() && !flag.one_each_) value += ",...";

    std::string notes = flag.unit_;
    if (!flag.default_text_.empty())
        notes += fmt::format("{}default {}", notes.empty() ? "" : "; ", flag.default_text_);
    return entry(fmt::format("--{}{}{}", flag.name_, value.empty() ? "" : " ", value),
                 notes.empty() ? flag.help_ : fmt::format("{} [{}]", flag.help_, notes));
}

std::string Flags::help() const {
    std::string text =
        fmt::format("{}: {}\n\nUsage: {} [--flag VALUE]...{}\n", program_, description_, program_,
                    positional_ ? fmt::format(" {}...", positional_name_) : "");
    if (positional_) text += entry(positional_name_, positional_help_);

    std::vector<std::string> groups;
    for (const Flag& flag : flags_)
        if (flag.group_ != kCommonGroup &&
            std::find(groups.begin(), groups.end(), flag.group_) == groups.end())
            groups.push_back(flag.group_);
    groups.push_back(kCommonGroup);

    for (const std::string& group : groups) {
        text += fmt::format("\n{}\n", group);
        for (const Flag& flag : flags_)
            if (flag.group_ == group) text += help_of(flag);
    }
    text += entry("--help", "Print this and stop.");
    text += entry("--version", "Print the version and stop.");
    text +=
        "\nBooleans: --x, --x false, --no_x. Lists: commas, or the flag again. - and _ are the "
        "same.\n";
    return text;
}
