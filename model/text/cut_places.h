// Where a text may be cut so that its parts, tokenised one by one, are the text tokenised whole.
//
// Pieces of a known pattern, and words that no merge leaves, only look ahead, and they end where
// white space begins. So there are two kinds of places, | being the cut and x, y no white space:
//
//   "x| "     before a space. The piece of x ends here whatever follows, and one begins.
//   "x\n|y"   behind a single end of line, for byte-level patterns. White space of one character
//             is one piece, in GPT-2's pattern because y follows, at the end of a text because
//             nothing does; Llama 3's gives it to x if that is neither letter nor digit, again
//             whatever follows.
//
// Normal form C moves neither: it joins nothing to an ASCII character in front of it, and makes no
// white space of what is none. Added tokens could: by reaching across a place, by taking the space
// beside them, by a look at their neighbours. They decide it by the bytes next to the cut, so the
// bytes at which some token could are no places.
#pragma once

#include <array>
#include <cstddef>
#include <string_view>
#include <vector>

#include "model/text/added_tokens.h"
#include "model/text/tokenizer_files.h"

class CutPlaces {
public:
    CutPlaces() = default;  // nowhere
    // `words_are_safe`: no merge joins a space to what is before it. `added`: the tokens looked for
    // in the text as given, and those looked for in the normalised text.
    CutPlaces(const TokenizerFiles& files, bool words_are_safe,
              const std::vector<AddedToken>& added);

    // The first place at `from` or behind it; the text's size if there is none.
    size_t next(std::string_view text, size_t from) const;

private:
    void keep_clear_of(const AddedToken& token);
    bool is_place(std::string_view text, size_t at) const;

    bool before_spaces_ = false, behind_lines_ = false;
    bool ascii_only_ = false;                 // what stands before a space
    bool marks_are_spaces_ = false;           // U+2581 is white space
    std::array<bool, 256> no_space_after_{};  // [byte]  x
    std::array<bool, 256> no_line_start_{};   // [byte]  y
};
