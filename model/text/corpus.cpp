#include "model/text/corpus.h"

#include <glob.h>

#include <algorithm>
#include <charconv>
#include <nlohmann/json.hpp>

#include "kernels/core/check.h"
#include "model/io/json.h"

namespace fs = std::filesystem;

namespace {

// More than this in one file is refused rather than swapped: tokens take as much again.
constexpr int64_t kMaxFileBytes = int64_t{8} << 30;

bool is_json_rows(const fs::path& file) {
    return file.extension() == ".jsonl" || file.extension() == ".json";
}

bool is_data_file(const fs::path& file) { return file.extension() == ".txt" || is_json_rows(file); }

// "path:3" is path three times; a colon that no number follows belongs to the name.
std::pair<std::string, int> split_repeat(const std::string& argument, const std::string& flag) {
    const size_t colon = argument.rfind(':');
    if (colon == std::string::npos || fs::exists(argument)) return {argument, 1};
    int repeat = 0;
    const char* end = argument.data() + argument.size();
    const auto [rest, error] = std::from_chars(argument.data() + colon + 1, end, repeat);
    if (error != std::errc{} || rest != end) return {argument, 1};
    ENSURE_INPUT(repeat >= 1 && repeat <= 1'000'000, flag,
                 "{} repeats {} times, expected 1 to 1000000", argument, repeat);
    return {argument.substr(0, colon), repeat};
}

std::vector<fs::path> matches_of(const std::string& pattern) {
    glob_t found{};
    std::vector<fs::path> files;
    if (glob(pattern.c_str(), 0, nullptr, &found) == 0)
        for (size_t i = 0; i < found.gl_pathc; ++i) files.emplace_back(found.gl_pathv[i]);
    globfree(&found);
    return files;  // glob sorts
}

class Reader {
public:
    Reader(const Tokenizer& tokenizer, const CorpusOptions& options)
        : tokenizer_(tokenizer), options_(options) {}

    void read(const fs::path& file) {
        const std::string text = read_text_file(file, kMaxFileBytes);
        ENSURE_INPUT(!text.empty(), file.string(), "is empty, expected text");
        ENSURE_INPUT(text.find('\0') == std::string::npos, file.string(),
                     "holds a zero byte at {}, expected text", text.find('\0'));
        if (is_json_rows(file)) {
            read_json_rows(file, text);
            return;
        }
        ENSURE_INPUT(options_.format != RowFormat::alpaca, file.string(),
                     "is text, expected .jsonl or .json for --format alpaca");
        corpus_.files.push_back({file.string(), RowFormat::text});
        if (options_.text_rows == TextRows::file)
            add_windows(text_row(tokenizer_, text));
        else
            read_text_rows(file, text);
    }

    Corpus take() { return std::move(corpus_); }

private:
    void add_row(const TrainingRow& row) {
        ++corpus_.rows_read;
        if (row.num_trained() == 0)
            ++corpus_.dropped_empty;
        else
            corpus_.append(row.ids, row.weights());
    }

    void add_windows(const TrainingRow& document) {
        const std::span<const int32_t> ids(document.ids);
        const auto window = static_cast<size_t>(options_.max_length);
        for (size_t first = 0; first < ids.size(); first += window) {
            const auto piece = ids.subspan(first, std::min(window, ids.size() - first));
            add_row({.ids = {piece.begin(), piece.end()}, .trained_end = piece.size()});
        }
        corpus_.bytes += document.bytes;
    }

    // A row that must stay whole, cut or go as --truncation says.
    void add_whole(TrainingRow row, const std::string& source) {
        const auto length = static_cast<int64_t>(row.ids.size());
        if (length > options_.max_length) {
            ENSURE_INPUT(
                options_.truncation != Truncation::error, source,
                "{} tokens, expected at most {} (--max_length; or --truncation drop or truncate)",
                length, options_.max_length);
            if (options_.truncation == Truncation::drop) {
                ++corpus_.rows_read;
                ++corpus_.dropped_long;
                return;
            }
            ++corpus_.truncated_rows;
            corpus_.truncated_tokens += length - options_.max_length;
            row.truncate(static_cast<size_t>(options_.max_length));
        }
        add_row(row);
        corpus_.bytes += row.bytes;
    }

    // A row is a line or, for paragraphs, the lines up to a blank one; its end of line is no part
    // of it, "\n" or "\r\n".
    void read_text_rows(const fs::path& file, std::string_view text) {
        size_t begin = 0, end = 0;  // of the row so far; empty between rows
        int64_t line = 0, first_line = 0;
        const auto finish_row = [&] {
            if (begin < end)
                add_whole(text_row(tokenizer_, text.substr(begin, end - begin)),
                          fmt::format("{} line {}", file.string(), first_line));
            begin = end = 0;
        };
        for (size_t at = 0; at < text.size();) {
            const size_t newline = std::min(text.find('\n', at), text.size());
            std::string_view content = text.substr(at, newline - at);
            if (content.ends_with('\r')) content.remove_suffix(1);
            ++line;
            const bool blank = content.find_first_not_of(" \t") == std::string_view::npos;
            if (!blank && begin == end) {
                begin = at;
                first_line = line;
            }
            if (!blank) end = at + content.size();
            if (blank || options_.text_rows == TextRows::line) finish_row();
            at = newline + 1;
        }
        finish_row();
    }

    // The first row decides what all rows of the file are.
    void add_object(const nlohmann::json& object, const fs::path& file, const char* kind,
                    int64_t number) {
        const std::string source = fmt::format("{} {} {}", file.string(), kind, number);
        if (first_of_file_)
            corpus_.files.push_back(
                {file.string(), format_of_row(object, options_.format, source)});
        first_of_file_ = false;
        add_whole(training_row(object, corpus_.files.back().format, tokenizer_,
                               options_.chat ? &*options_.chat : nullptr, source),
                  source);
    }

    void read_json_rows(const fs::path& file, std::string_view text) {
        first_of_file_ = true;
        if (file.extension() == ".json") {
            const auto rows = parse_json(text, file.string());
            ENSURE_INPUT(rows.is_array(), file.string(), "found {}, expected a list of rows",
                         excerpt(rows));
            for (size_t i = 0; i < rows.size(); ++i)
                add_object(rows[i], file, "row", static_cast<int64_t>(i) + 1);
            return;
        }
        for (int64_t line = 1; !text.empty(); ++line) {
            const size_t end = std::min(text.find('\n'), text.size());
            const std::string_view row = text.substr(0, end);
            text.remove_prefix(std::min(end + 1, text.size()));
            if (row.find_first_not_of(" \t\r") == std::string_view::npos) continue;
            add_object(parse_json(row, fmt::format("{} line {}", file.string(), line)), file,
                       "line", line);
        }
    }

    const Tokenizer& tokenizer_;
    const CorpusOptions options_;
    bool first_of_file_ = true;  // no row of the file was read yet
    Corpus corpus_;
};

}  // namespace

int64_t Corpus::longest_row() const {
    int64_t longest = 0;
    for (int64_t r = 0; r < num_rows(); ++r) longest = std::max(longest, starts[r + 1] - starts[r]);
    return longest;
}

void Corpus::append(std::span<const int32_t> ids, std::span<const float> row_weights) {
    ENSURE(row_weights.empty() || row_weights.size() == ids.size(),
           "corpus: a row of {} tokens with {} weights", ids.size(), row_weights.size());
    if (weights.empty() && !row_weights.empty()) weights.assign(tokens.size(), 1.0f);
    tokens.insert(tokens.end(), ids.begin(), ids.end());
    starts.push_back(static_cast<int64_t>(tokens.size()));
    weights.insert(weights.end(), row_weights.begin(), row_weights.end());
    if (!weights.empty()) weights.resize(tokens.size(), 1.0f);
}

int64_t Corpus::target_tokens() const {
    if (weights.empty()) return static_cast<int64_t>(tokens.size()) - num_rows();
    int64_t targets = 0;
    for (int64_t r = 0; r < num_rows(); ++r)
        for (const float weight : row_weights(r).subspan(std::min<size_t>(1, row(r).size())))
            targets += weight > 0.0f;
    return targets;
}

std::vector<fs::path> files_of(const std::string& argument, const std::string& flag) {
    const auto [path, repeat] = split_repeat(argument, flag);
    std::vector<fs::path> files;
    if (fs::is_directory(path)) {
        for (const auto& entry : fs::directory_iterator(path))
            if (entry.is_regular_file() && is_data_file(entry.path()))
                files.push_back(entry.path());
        std::sort(files.begin(), files.end());
        ENSURE_INPUT(!files.empty(), flag, "{} holds no .txt, .jsonl or .json file", path);
    } else {
        files = fs::exists(path) ? std::vector<fs::path>{path} : matches_of(path);
        ENSURE_INPUT(!files.empty(), flag, "{} does not exist", path);
        for (const fs::path& file : files)
            ENSURE_INPUT(is_data_file(file), flag, "{} is no .txt, .jsonl or .json file",
                         file.string());
    }
    const std::vector<fs::path> once = files;
    for (int i = 1; i < repeat; ++i) files.insert(files.end(), once.begin(), once.end());
    return files;
}

Corpus read_corpus(const std::vector<std::string>& paths, const std::string& flag,
                   const Tokenizer& tokenizer, const CorpusOptions& options) {
    ENSURE(options.max_length >= 2, "corpus: rows of {} tokens, expected 2 or more",
           options.max_length);
    Reader reader(tokenizer, options);
    for (const std::string& path : paths)
        for (const fs::path& file : files_of(path, flag)) reader.read(file);
    return reader.take();
}
