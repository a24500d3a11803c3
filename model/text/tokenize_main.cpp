// bin/tokenize: text to token ids and back, and training of vocabularies.

#include <charconv>
#include <fstream>
#include <iostream>

#include "kernels/core/check.h"
#include "model/program/common_flags.h"
#include "model/program/flags.h"
#include "model/program/main.h"
#include "model/program/say.h"
#include "model/text/bpe_trainer.h"
#include "model/text/tokenizer.h"

namespace {

struct Options {
    std::string tokenizer, output_dir;
    bool decode = false, raw = false, count = false;
    std::vector<std::string> files, train_bpe;
    int64_t vocab_size = 0;
    CommonOptions common;
};

Options parse(int argc, char** argv) {
    Options options;
    Flags flags("bin/tokenize", "text to token ids and back; vocabularies from text");
    flags.group("Tokenize (standard input without FILE)");
    flags.add("tokenizer", options.tokenizer, "Folder with its files.");
    flags.add("decode", options.decode, "Ids to text.");
    flags.add("raw", options.raw, "The input as a whole, byte for byte, not line by line.");
    flags.add("count", options.count, "Print only the number of ids.");
    flags.group("Train");
    flags.add("train_bpe", options.train_bpe, "Learn a byte-level vocabulary from these files.")
        .value_name("FILE...");
    flags.add("vocab_size", options.vocab_size, "Size of the new vocabulary.").unit("tokens");
    flags.add("output_dir", options.output_dir, "Where the new tokenizer goes.");
    flags.positional("FILE", options.files, "What to read.");
    add_common_flags(flags, options.common);
    flags.parse(argc, argv);
    apply_common_options(options.common);
    return options;
}

int train(const Options& options) {
    ENSURE_INPUT(!options.output_dir.empty(), "--output_dir", "missing, --train_bpe needs it");
    std::vector<std::filesystem::path> files(options.train_bpe.begin(), options.train_bpe.end());
    files.insert(files.end(), options.files.begin(), options.files.end());
    const int64_t size = train_bpe(files, options.vocab_size, options.output_dir);
    const char* shortage = size < options.vocab_size ? "; the text has no more pairs" : "";
    say("{}: {} tokens{}\n", options.output_dir, size, shortage);
    return 0;
}

std::vector<int32_t> parse_ids(std::string_view text, const std::string& source) {
    constexpr std::string_view kSpaces = " \t\r\n";
    std::vector<int32_t> ids;
    while ((text = text.substr(std::min(text.find_first_not_of(kSpaces), text.size()))) != "") {
        const std::string_view word = text.substr(0, text.find_first_of(kSpaces));
        int32_t id = 0;
        const auto [end, error] = std::from_chars(word.begin(), word.end(), id);
        ENSURE_INPUT(error == std::errc() && end == word.end(), source,
                     "found \"{}\", expected a token id", word.substr(0, 40));
        ids.push_back(id);
        text.remove_prefix(word.size());
    }
    return ids;
}

std::string join(const std::vector<int32_t>& ids) {
    std::string text;
    for (const int32_t id : ids) {
        if (!text.empty()) text += ' ';
        text += std::to_string(id);
    }
    return text;
}

// Reads a line, or with --raw everything; false at the end.
bool read_next(std::istream& input, bool raw, std::string& text) {
    if (!raw) return static_cast<bool>(std::getline(input, text));
    text.assign(std::istreambuf_iterator<char>(input), {});
    return true;
}

int convert(const Options& options, std::istream& input, const std::string& source) {
    const Tokenizer tokenizer = Tokenizer::from_folder(options.tokenizer);
    int64_t num_ids = 0, line = 0;
    for (std::string text; read_next(input, options.raw, text);) {
        const std::string place = fmt::format("{}: line {}", source, ++line);
        const auto ids = options.decode ? parse_ids(text, place) : tokenizer.encode(text);
        num_ids += static_cast<int64_t>(ids.size());
        std::string out = options.decode ? tokenizer.decode(ids) : join(ids);
        if (!options.decode || !options.raw) out += '\n';
        if (!options.count) std::fwrite(out.data(), 1, out.size(), stdout);
        if (options.raw) break;
    }
    ENSURE_INPUT(!input.bad(), source, "cannot be read");
    if (options.count) fmt::print("{}\n", num_ids);
    say_note(tokenizer.dropped_text());
    return 0;
}

int body(int argc, char** argv) {
    const Options options = parse(argc, argv);
    if (!options.train_bpe.empty()) return train(options);
    ENSURE_INPUT(!options.tokenizer.empty(), "--tokenizer", "missing, expected a folder");
    ENSURE_INPUT(options.files.size() <= 1, "FILE", "found {} files, expected one at most",
                 options.files.size());
    if (options.files.empty()) return convert(options, std::cin, "standard input");
    std::ifstream file(options.files[0], std::ios::binary);
    ENSURE_INPUT(file.is_open() && !std::filesystem::is_directory(options.files[0]),
                 options.files[0], "cannot be opened");
    return convert(options, file, options.files[0]);
}

}  // namespace

int main(int argc, char** argv) { return run_main(body, argc, argv); }
