// Writes a trained tokenizer as Hugging Face files: tokenizer.json and tokenizer_config.json.
// docs/format_tokenizer.md shows them.
#pragma once

#include <filesystem>

#include "model/text/bpe_trainer.h"

// The folder is made if need be; files of these names in it are replaced. The first special token,
// if there is one, is BOS, EOS and padding.
void write_tokenizer(const TrainedVocabulary& vocabulary, const std::filesystem::path& folder);
