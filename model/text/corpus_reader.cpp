#include "model/text/corpus_reader.h"

#include <algorithm>
#include <exception>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "kernels/core/check.h"
#include "kernels/core/parallel.h"
#include "model/io/json.h"
#include "model/text/data_files.h"
#include "model/text/json_row.h"
#include "model/text/row_splitter.h"

namespace fs = std::filesystem;

namespace {

constexpr size_t kMaxRowBytes = size_t{256} << 20;
constexpr int64_t kMaxListBytes = int64_t{256} << 20;  // parsed, it takes several times as much
constexpr size_t kRowsOfBatch = 4096;                  // made on all threads before they are added
constexpr int64_t kRowsOfTask = 8;

struct MadeRow {
    TrainingRow row;
    std::exception_ptr error;
};

class Reader {
public:
    Reader(const Tokenizer& tokenizer, const CorpusOptions& options)
        : tokenizer_(tokenizer), options_(options), corpus_(options.bytes_in_memory) {}

    void read(const fs::path& path) {
        const bool json = is_json_rows(path);
        ENSURE_INPUT(json || options_.format != RowFormat::alpaca, path.string(),
                     "is text, expected .jsonl or .json for --format alpaca");
        source().files.push_back({path.string(), RowFormat::text});
        is_first_row_ = true;
        if (path.extension() == ".json") return read_json_list(path);
        TextFile file(path);
        if (json || options_.text_rows != TextRows::file)
            read_rows(file, json ? RowEnd::json_line : row_end());
        else
            read_windows(file);
        source().files.back().sha256 = file.sha256();
        bytes_of_files_ += file.bytes_read();
    }

    Corpus take() { return std::move(corpus_); }

private:
    CorpusSource& source() { return corpus_.source; }

    RowEnd row_end() const {
        return options_.text_rows == TextRows::line ? RowEnd::line : RowEnd::blank_line;
    }

    void report(int64_t bytes_of_file) const {
        if (options_.progress) options_.progress(bytes_of_files_ + bytes_of_file);
    }

    void add_row(const TrainingRow& row) {
        ++source().rows_read;
        if (row.num_trained() == 0)
            ++source().dropped_empty;
        else
            corpus_.append(row.ids, row.weights());
    }

    // A row that must stay whole, cut or go as --truncation says.
    void add_whole(TrainingRow row, size_t index) {
        const auto length = static_cast<int64_t>(row.ids.size());
        if (length > options_.max_length) {
            ENSURE_INPUT(
                options_.truncation != Truncation::error, name_of_made_(index),
                "{} tokens, expected at most {} (--max_length; or --truncation drop or truncate)",
                length, options_.max_length);
            if (options_.truncation == Truncation::drop) {
                ++source().rows_read;
                ++source().dropped_long;
                return;
            }
            ++source().truncated_rows;
            source().truncated_tokens += length - options_.max_length;
            row.truncate(static_cast<size_t>(options_.max_length));
        }
        add_row(row);
        source().bytes += row.bytes;
    }

    // A text file is one document: prefix, text and EOS, in rows of max_length.
    void read_windows(TextFile& file) {
        const auto window = static_cast<size_t>(options_.max_length);
        std::vector<int32_t> ids = tokenizer_.prefix_ids();
        int64_t bytes = 0;
        const auto add_windows = [&](size_t until) {
            size_t done = 0;
            for (size_t count; done < until; done += count) {
                count = std::min(window, ids.size() - done);
                const auto first = ids.begin() + static_cast<ptrdiff_t>(done);
                add_row(
                    {.ids = {first, first + static_cast<ptrdiff_t>(count)}, .trained_end = count});
            }
            ids.erase(ids.begin(), ids.begin() + static_cast<ptrdiff_t>(done));
        };
        encode_file(
            file, tokenizer_,
            [&](std::string_view text, std::span<const int32_t> more) {
                ids.insert(ids.end(), more.begin(), more.end());
                bytes += static_cast<int64_t>(text.size());
                // The last window waits for the EOS.
                if (ids.size() > window) add_windows(ids.size() - window);
                report(bytes);
            },
            options_.window_bytes);
        end_with_eos(tokenizer_, ids);
        add_windows(ids.size());
        source().bytes += bytes;
    }

    // Makes the next rows on all threads, while one of them adds those made before.
    void make_rows(size_t count, const std::function<TrainingRow(size_t)>& make,
                   const std::function<std::string(size_t)>& name_of_row,
                   const std::function<void()>& beside) {
        std::vector<MadeRow> made(count);
        std::exception_ptr error;
        const auto guarded = [](std::exception_ptr& failure, const auto& action) {
            try {
                action();
            } catch (...) {
                failure = std::current_exception();
            }
        };
        const auto rows = static_cast<int64_t>(count);
        const int64_t tasks = (rows + kRowsOfTask - 1) / kRowsOfTask;
        parallel_tasks(tasks + 2, [&](int64_t task) {
            if (task == 0) return guarded(error, [&] { add_made(); });
            if (task == 1) return beside();
            const int64_t end = std::min(rows, (task - 1) * kRowsOfTask);
            for (int64_t i = (task - 2) * kRowsOfTask; i < end; ++i)
                guarded(made[i].error, [&] { made[i].row = make(i); });
        });
        if (error) std::rethrow_exception(error);
        made_ = std::move(made);
        name_of_made_ = name_of_row;
    }

    // In their order, so that who is first in the file complains first.
    void add_made() {
        for (size_t i = 0; i < made_.size(); ++i) {
            if (made_[i].error) std::rethrow_exception(made_[i].error);
            add_whole(std::move(made_[i].row), i);
        }
        made_.clear();
    }

    void read_rows(TextFile& file, RowEnd end) {
        int64_t line = 1;
        for (size_t window = options_.window_bytes;;) {
            const SplitRows next =
                split_rows(file.window(), end, file.at_end(), line, kRowsOfBatch);
            if (next.bytes == 0) {
                if (file.at_end() && file.window().empty()) break;
                ENSURE_INPUT(file.window().size() < kMaxRowBytes, file.name(),
                             "the row of line {} has more than {} MiB, expected shorter rows", line,
                             kMaxRowBytes >> 20);
                if (file.window().size() >= window) window *= 2;
                file.fill(window);
                continue;
            }
            window = options_.window_bytes;
            std::vector<int64_t> lines;  // outlive the window
            for (const RowText& row : next.rows) lines.push_back(row.line);
            const auto name = [&file, lines = std::move(lines)](size_t i) {
                return fmt::format("{} line {}", file.name(), lines[i]);
            };
            if (end == RowEnd::json_line && !next.rows.empty())
                see_format(parse_json_row(next.rows[0].text, name(0)), name(0));
            const auto make = [&](size_t i) {
                const std::string_view text = next.rows[i].text;
                return end == RowEnd::json_line ? row_of(parse_json_row(text, name(i)), name(i))
                                                : text_row(tokenizer_, text);
            };
            make_rows(next.rows.size(), make, name, [&] { file.hash(); });
            file.drop(next.bytes);
            line += next.lines;
            report(file.bytes_read() - static_cast<int64_t>(file.window().size()));
        }
        add_made();
    }

    void read_json_list(const fs::path& path) {
        refuse_special_file(path);
        std::error_code unknown;
        const auto bytes = fs::file_size(path, unknown);
        ENSURE_INPUT(unknown || bytes <= static_cast<uint64_t>(kMaxListBytes), path.string(),
                     "found {} MiB in one list, expected at most {}; as .jsonl, a row a line, a "
                     "file may have any size",
                     bytes >> 20, kMaxListBytes >> 20);
        const std::string text = read_text_file(path, kMaxListBytes);
        ENSURE_INPUT(!text.empty(), path.string(), "is empty, expected text");
        ENSURE_INPUT(text.find('\0') == std::string::npos, path.string(),
                     "holds a zero byte at {}, expected text", text.find('\0'));
        const auto rows = parse_json(text, path.string());
        ENSURE_INPUT(rows.is_array(), path.string(), "found {}, expected a list of rows",
                     excerpt(rows));
        const auto name = [&](size_t i) { return fmt::format("{} row {}", path.string(), i + 1); };
        if (!rows.empty()) see_format(rows[0], name(0));
        make_rows(
            rows.size(), [&](size_t i) { return row_of(rows[i], name(i)); }, name,
            [&] { source().files.back().sha256 = sha256_of(text); });
        add_made();
        bytes_of_files_ += static_cast<int64_t>(text.size());
        report(0);
    }

    // The first row decides what all rows of the file are.
    void see_format(const nlohmann::json& row, const std::string& name) {
        if (is_first_row_) source().files.back().format = format_of_row(row, options_.format, name);
        is_first_row_ = false;
    }

    TrainingRow row_of(const nlohmann::json& row, const std::string& name) const {
        return training_row(row, corpus_.source.files.back().format, tokenizer_,
                            options_.chat ? &*options_.chat : nullptr, name);
    }

    const Tokenizer& tokenizer_;
    const CorpusOptions options_;
    Corpus corpus_;
    std::vector<MadeRow> made_;  // not added yet
    std::function<std::string(size_t)> name_of_made_;
    int64_t bytes_of_files_ = 0;  // of those before the one at hand
    bool is_first_row_ = true;    // of the file
};

}  // namespace

Corpus read_corpus(const std::vector<std::string>& paths, const std::string& flag,
                   const Tokenizer& tokenizer, const CorpusOptions& options) {
    ENSURE(options.max_length >= 2, "corpus: rows of {} tokens, expected 2 or more",
           options.max_length);
    Reader reader(tokenizer, options);
    for (const std::string& path : paths)
        for (const fs::path& file : files_of(path, flag)) reader.read(file);
    return reader.take();
}
