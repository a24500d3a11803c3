// Files turned into rows of tokens, once, in bounded memory and on the threads of the cpu device.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "model/text/corpus.h"
#include "model/text/encode_file.h"
#include "model/text/tokenizer.h"

enum class TextRows { file, paragraph, line };
enum class Truncation { error, drop, truncate };

struct CorpusOptions {
    TextRows text_rows = TextRows::file;
    Truncation truncation = Truncation::drop;
    int64_t max_length = 1024;                // tokens of a row
    RowFormat format = RowFormat::automatic;  // of JSON's rows
    std::optional<ChatTemplate> chat = {};    // renders instructions and their answers
    int64_t bytes_in_memory = Corpus::kBytesInMemory;
    size_t window_bytes = kWindowBytes;                // of a file in memory at a time
    std::function<void(int64_t bytes)> progress = {};  // told how much was read
};

// The files of `paths` (data_files.h) in the order given. Text files are windows, paragraphs or
// lines; rows of JSON are those of model/text/rows.h, of one format a file. An InputError names
// file, and row, of what cannot be used. `flag` is the one that named the paths, for messages.
Corpus read_corpus(const std::vector<std::string>& paths, const std::string& flag,
                   const Tokenizer& tokenizer, const CorpusOptions& options);
