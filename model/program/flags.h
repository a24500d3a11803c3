// A program's flags: the command line, a YAML file (--config) beneath it, and --help.
//
//   double rate = 5e-5;
//   Flags flags("bin/train", "fine-tune a model");
//   flags.group("Optimiser");
//   flags.add("learning_rate", rate, "Peak learning rate.").at_least(0);
//   flags.parse(argc, argv);  // rate now holds what the user asked for
//
// A flag is declared once: its name, the variable that holds its default and takes its value, and
// its help. `-` and `_` are the same; booleans are `--x`, `--x false`, `--no_x`; lists take commas
// and repetition, or repetition alone (one_each). The command line wins over the file. Whatever is
// unknown, misspelt or out of range is an InputError that names the flag, or the file and line, and
// says what was expected.
//
// Written here rather than taken from a library because the ones at hand neither treat `-` as `_`
// nor read `--x false` nor suggest the nearest name, and because YAML must pass the same checks.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

// Thrown by parse() after --help or --version has been printed: the program is done, exit code 0.
struct Finished {};

// The variable behind a flag. Borrowed: it outlives the Flags.
using FlagTarget =
    std::variant<bool*, int*, int64_t*, double*, std::string*, std::vector<std::string>*,
                 std::optional<bool>*, std::optional<int64_t>*, std::optional<double>*,
                 std::optional<std::string>*>;

class Flag {
public:
    Flag(std::string name, FlagTarget target, std::string help, std::string group);

    // Bounds of a number: lo <= x, lo <= x <= hi, x < hi.
    Flag& at_least(double lo);
    Flag& range(double lo, double hi);
    Flag& below(double hi);
    // The only values allowed (of each element, for a list).
    Flag& choices(std::vector<std::string> allowed);
    // Of a list: a value is one element with all its commas; several need the flag several times.
    Flag& one_each(std::string value_name);
    // Another spelling of the same flag, hidden from --help.
    Flag& alias(std::string name);
    // What --help shows: "tokens"; "PATH[:repeat]"; a default that the code works out later.
    Flag& unit(std::string unit);
    Flag& value_name(std::string name);
    Flag& default_text(std::string text);

    const std::string& name() const { return name_; }
    const FlagTarget& target() const { return target_; }
    bool is_boolean() const;
    bool is_list() const;
    bool takes_one_each() const { return one_each_; }
    // Name or alias; `normal_name` has underscores.
    bool answers_to(std::string_view normal_name) const;
    // The variable's value as a user would type it; empty for an absent optional.
    std::string value_text() const;

    // Checks and stores. A list is replaced, or extended with `append`; everything else takes the
    // single value. `source` starts the message of an error.
    void take(const std::vector<std::string>& values, const std::string& source, bool append);

private:
    friend class Flags;

    template <typename Number>
    Number number_from(const std::string& text, const std::string& source) const;
    std::string checked(const std::string& text, const std::string& source) const;
    std::string bounds_text() const;

    std::string name_;
    FlagTarget target_;
    std::string help_, group_, unit_, value_name_;
    std::string default_text_;  // as the variable stood when the flag was added
    std::vector<std::string> choices_, aliases_;
    std::optional<double> lo_, hi_;
    bool hi_excluded_ = false;
    bool one_each_ = false;
    bool given_ = false;
};

class Flags {
public:
    static constexpr const char* kCommonGroup = "Every program";  // shown last by --help

    // `program` as the user types it ("bin/train", "bin/export merge").
    Flags(std::string program, std::string description);
    Flags(const Flags&) = delete;  // its flags are referred to from outside
    Flags& operator=(const Flags&) = delete;

    // The heading under which --help lists the flags added from here on.
    void group(std::string heading);
    // The reference stays valid while the Flags lives.
    Flag& add(std::string name, FlagTarget target, std::string help);
    template <typename T>
    Flag& add(std::string name, T& variable, std::string help) {
        return add(std::move(name), FlagTarget(&variable), std::move(help));
    }
    // Arguments without dashes. Without this call any such argument is an error.
    void positional(std::string name, std::vector<std::string>& values, std::string help);
    // A boolean of another tool that stands for values of one of ours: --bf16 is --precision bf16.
    void boolean_spelling(std::string name, std::string flag, std::string if_true,
                          std::string if_false);
    // A flag of another tool that has no equal here: giving it is an error that explains.
    void refuse(std::string name, std::string explanation);

    // argv[0] is skipped. Throws InputError, or Finished after --help or --version was printed.
    void parse(int argc, const char* const* argv);
    // Sets one flag; a list is replaced. `source` starts the message of an error.
    void set(std::string_view name, const std::vector<std::string>& values,
             const std::string& source);

    // On the command line or in the file.
    bool given(std::string_view name) const;
    const std::deque<Flag>& all() const { return flags_; }
    std::string help() const;

private:
    struct Spelling {
        std::string name, flag, if_true, if_false;
    };
    struct Refusal {
        std::string name, explanation;
    };
    struct Assignment {  // one occurrence of a flag; several values only if it is a list
        Flag* flag = nullptr;
        std::vector<std::string> values;
        std::string source;
    };

    Flag* find(std::string_view name);
    const Spelling* find_spelling(std::string_view name) const;
    std::string nearest(const std::string& normal_name) const;
    [[noreturn]] void throw_unknown(std::string_view name, const std::string& source) const;
    Assignment assignment(std::string_view name, std::vector<std::string> values,
                          const std::string& source, bool verbatim);

    std::vector<Assignment> read_command_line(const std::vector<std::string>& arguments);
    Assignment read_flag(const std::vector<std::string>& arguments, size_t& at);
    std::vector<Assignment> read_config_file();
    void apply(const std::vector<Assignment>& assignments);
    std::string help_of(const Flag& flag) const;

    std::string program_, description_;
    std::string group_ = "Options";
    std::deque<Flag> flags_;
    std::vector<Spelling> spellings_;
    std::vector<Refusal> refusals_;
    std::string positional_name_, positional_help_;
    std::vector<std::string>* positional_ = nullptr;
    std::string config_;
};
