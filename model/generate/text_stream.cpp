#include "model/generate/text_stream.h"

#include <algorithm>

namespace {

// Bytes at the end of `text` that begin a UTF-8 character and lack its rest.
size_t incomplete_tail(std::string_view text) {
    for (size_t back = 1; back <= std::min<size_t>(3, text.size()); ++back) {
        const auto byte = static_cast<unsigned char>(text[text.size() - back]);
        if ((byte & 0xC0u) == 0x80u) continue;  // the middle of a character: look further back
        const size_t length = byte >= 0xF0u ? 4 : byte >= 0xE0u ? 3 : byte >= 0xC0u ? 2 : 1;
        return length > back ? back : 0;
    }
    return 0;
}

// The longest end of `text` that is a beginning of `stop`.
size_t possible_beginning(std::string_view text, std::string_view stop) {
    for (size_t length = std::min(text.size(), stop.size()); length > 0; --length)
        if (text.substr(text.size() - length) == stop.substr(0, length)) return length;
    return 0;
}

}  // namespace

bool TextStream::push(std::string_view bytes) {
    held_ += bytes;
    size_t found = std::string::npos;
    for (const std::string& stop : stops_)
        if (!stop.empty()) found = std::min(found, held_.find(stop));
    if (found != std::string::npos) {
        write_(std::string_view(held_).substr(0, found));
        held_.clear();
        return true;
    }
    size_t keep = incomplete_tail(held_);
    for (const std::string& stop : stops_) keep = std::max(keep, possible_beginning(held_, stop));
    write_(std::string_view(held_).substr(0, held_.size() - keep));
    held_.erase(0, held_.size() - keep);
    return false;
}

void TextStream::finish() {
    write_(held_);
    held_.clear();
}
