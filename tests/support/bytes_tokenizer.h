// A tokenizer whose tokens can be read.
#pragma once

#include "model/text/bpe_trainer.h"
#include "model/text/tokenizer.h"
#include "model/text/tokenizer_writer.h"
#include "tests/support/temporary_folder.h"

// <|endoftext|> as 0 and one token a byte.
inline const Tokenizer& bytes_tokenizer() {
    static const Tokenizer tokenizer = [] {
        const TemporaryFolder folder;
        write_tokenizer(BpeTrainer().train(257), folder.path());
        return Tokenizer::from_folder(folder.path());
    }();
    return tokenizer;
}
