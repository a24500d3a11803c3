// Writes tokenizers as Hugging Face files. docs/format_tokenizer.md shows them.
#pragma once

#include <filesystem>
#include <string>

#include "model/text/bpe_trainer.h"
#include "model/text/tokenizer_files.h"

// The reverse of read_tokenizer_files: tokenizer.json, tokenizer_config.json and, if there is a
// chat template, chat_template.jinja. The folder is made if need be; files of these names in it are
// replaced. A text that is not UTF-8 is an InputError that names the source.
void write_tokenizer_files(const TokenizerFiles& files, const std::filesystem::path& folder,
                           const std::string& chat_template = "");

// A trained tokenizer. The first special token, if there is one, is BOS, EOS and padding.
void write_tokenizer(const TrainedVocabulary& vocabulary, const std::filesystem::path& folder);
