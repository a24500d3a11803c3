// A long text as ids, in bounded memory and on the threads of the cpu device.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string_view>

#include "model/io/text_file.h"
#include "model/text/tokenizer.h"

// So much of a file is in memory at a time.
inline constexpr size_t kWindowBytes = size_t{16} << 20;

// Reads the rest of the file and calls visit(text, ids) for its parts in order: all ids together
// are tokenizer.encode(text) of the whole. A word is in one part only. A text without a place to
// cut it (Tokenizer::next_cut) is held whole; an InputError if that is more than 1 GiB.
void encode_file(TextFile& file, const Tokenizer& tokenizer,
                 const std::function<void(std::string_view, std::span<const int32_t>)>& visit,
                 size_t window_bytes = kWindowBytes);
