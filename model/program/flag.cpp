// One flag: its value from text, its checks, its value as text. `flags.cpp` finds the flag.

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>

#include "kernels/core/check.h"
#include "model/program/flags.h"

namespace {

template <typename... Ts>
struct Overloaded : Ts... {
    using Ts::operator()...;
};
template <typename... Ts>
Overloaded(Ts...) -> Overloaded<Ts...>;

std::string lower(std::string text) {
    std::transform(text.begin(), text.end(), text.begin(),
                   [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    return text;
}

bool boolean_from(const std::string& text, const std::string& source) {
    const std::string word = lower(text);
    if (word == "true" || word == "yes" || word == "on" || word == "1") return true;
    ENSURE_INPUT(word == "false" || word == "no" || word == "off" || word == "0", source,
                 "expected true or false, found '{}'", text);
    return false;
}

std::string text_of(bool value) { return value ? "true" : "false"; }
std::string text_of(const std::string& value) { return value; }
template <typename Number>
std::string text_of(Number value) {
    return fmt::format("{}", value);
}

}  // namespace

Flag::Flag(std::string name, FlagTarget target, std::string help, std::string group)
    : name_(std::move(name)), target_(target), help_(std::move(help)), group_(std::move(group)) {
    default_text_ = value_text();
}

Flag& Flag::at_least(double lo) {
    lo_ = lo;
    return *this;
}

Flag& Flag::range(double lo, double hi) {
    lo_ = lo;
    hi_ = hi;
    return *this;
}

Flag& Flag::below(double hi) {
    hi_ = hi;
    hi_excluded_ = true;
    return *this;
}

Flag& Flag::choices(std::vector<std::string> allowed) {
    choices_ = std::move(allowed);
    return *this;
}

Flag& Flag::one_each(std::string value_name) {
    one_each_ = true;
    return this->value_name(std::move(value_name));
}

Flag& Flag::alias(std::string name) {
    aliases_.push_back(std::move(name));
    return *this;
}

Flag& Flag::unit(std::string unit) {
    unit_ = std::move(unit);
    return *this;
}

Flag& Flag::value_name(std::string name) {
    value_name_ = std::move(name);
    return *this;
}

Flag& Flag::default_text(std::string text) {
    default_text_ = std::move(text);
    return *this;
}

bool Flag::is_boolean() const {
    return std::holds_alternative<bool*>(target_) ||
           std::holds_alternative<std::optional<bool>*>(target_);
}

bool Flag::is_list() const { return std::holds_alternative<std::vector<std::string>*>(target_); }

bool Flag::answers_to(std::string_view normal_name) const {
    return name_ == normal_name ||
           std::find(aliases_.begin(), aliases_.end(), normal_name) != aliases_.end();
}

std::string Flag::value_text() const {
    return std::visit(
        Overloaded{
            [](std::vector<std::string>* list) { return fmt::format("{}", fmt::join(*list, ",")); },
            []<typename T>(std::optional<T>* value) {
                return value->has_value() ? text_of(**value) : std::string();
            },
            [](auto* value) { return text_of(*value); },
        },
        target_);
}

std::string Flag::bounds_text() const {
    if (lo_ && hi_ && !hi_excluded_) return fmt::format(" from {} to {}", *lo_, *hi_);
    if (lo_ && hi_) return fmt::format(" of at least {} and below {}", *lo_, *hi_);
    if (lo_) return fmt::format(" of at least {}", *lo_);
    return hi_ ? fmt::format(" {} {}", hi_excluded_ ? "below" : "up to", *hi_) : std::string();
}

template <typename Number>
Number Flag::number_from(const std::string& text, const std::string& source) const {
    constexpr bool kWhole = std::is_integral_v<Number>;
    Number value{};
    const char* const end = text.data() + text.size();
    const auto [stop, code] = std::from_chars(text.data(), end, value);
    const double wide = static_cast<double>(value);
    const bool in_bounds =
        (!lo_ || wide >= *lo_) && (!hi_ || (hi_excluded_ ? wide < *hi_ : wide <= *hi_));
    ENSURE_INPUT(code == std::errc() && stop == end && std::isfinite(wide) && in_bounds, source,
                 "expected a {}number{}, found '{}'", kWhole ? "whole " : "", bounds_text(), text);
    return value;
}

std::string Flag::checked(const std::string& text, const std::string& source) const {
    const bool allowed =
        choices_.empty() || std::find(choices_.begin(), choices_.end(), text) != choices_.end();
    ENSURE_INPUT(allowed, source, "expected {}, found '{}'", fmt::join(choices_, " or "), text);
    return text;
}

void Flag::take(const std::vector<std::string>& values, const std::string& source, bool append) {
    if (auto* const* list = std::get_if<std::vector<std::string>*>(&target_)) {
        if (!append) (*list)->clear();
        for (const std::string& value : values) (*list)->push_back(checked(value, source));
        return;
    }
    ENSURE_INPUT(values.size() == 1, source, "found a list of {}, expected a single value",
                 values.size());
    const std::string& text = values.front();
    const auto convert = Overloaded{
        [&](bool& value) { value = boolean_from(text, source); },
        [&](std::string& value) { value = checked(text, source); },
        [&]<typename Number>(Number& value) { value = number_from<Number>(text, source); },
    };
    std::visit(Overloaded{
                   [](std::vector<std::string>*) {},  // done above
                   [&]<typename T>(std::optional<T>* value) {
                       T converted{};
                       convert(converted);
                       *value = std::move(converted);
                   },
                   [&](auto* value) { convert(*value); },
               },
               target_);
}
