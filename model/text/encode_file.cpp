#include "model/text/encode_file.h"

#include <algorithm>
#include <exception>
#include <vector>

#include "kernels/core/check.h"
#include "kernels/core/parallel.h"

namespace {

constexpr size_t kMaxUncutBytes = size_t{1} << 30;
constexpr size_t kPartsOfWindow = 64;  // enough to keep many threads evenly busy

struct Part {
    std::string_view text;
    std::vector<int32_t> ids;
    std::exception_ptr error;
};

// The parts of the window, cut at the first places behind equal lengths. Unless the file ends, what
// is behind the last cut waits for more.
std::vector<Part> parts_of(std::string_view window, bool at_end, const Tokenizer& tokenizer,
                           size_t part_bytes) {
    std::vector<Part> parts;
    while (!window.empty()) {
        const size_t cut = tokenizer.next_cut(window, std::min(part_bytes, window.size()));
        if (cut == window.size() && !at_end) break;
        parts.push_back({.text = window.substr(0, cut), .ids = {}, .error = nullptr});
        window.remove_prefix(cut);
    }
    return parts;
}

void encode(Part& part, bool begins_text, const Tokenizer& tokenizer) {
    try {
        part.ids.reserve(part.text.size() / 3);  // English has four or more bytes a token
        if (begins_text) {
            tokenizer.encode(part.text, part.ids);
        } else {
            tokenizer.encode_rest(part.text, part.ids);
        }
    } catch (...) {
        part.error = std::current_exception();
    }
}

}  // namespace

void encode_file(TextFile& file, const Tokenizer& tokenizer,
                 const std::function<void(std::string_view, std::span<const int32_t>)>& visit,
                 size_t window_bytes) {
    const size_t part_bytes = std::max<size_t>(window_bytes / kPartsOfWindow, 1);
    bool begins_text = true;
    for (size_t window = window_bytes; !file.at_end() || !file.window().empty();) {
        file.fill(window);
        std::vector<Part> parts = parts_of(file.window(), file.at_end(), tokenizer, part_bytes);
        window = parts.empty() ? 2 * window : window_bytes;
        ENSURE_INPUT(
            window <= kMaxUncutBytes, file.name(),
            "found {} MiB without a space or an end of line to cut at, expected at most {}",
            file.window().size() >> 20, kMaxUncutBytes >> 20);
        // The hash takes as long as some parts and is one of the tasks.
        const auto count = static_cast<int64_t>(parts.size());
        parallel_tasks(count + 1, [&](int64_t i) {
            if (i == 0) {
                file.hash();
            } else {
                encode(parts[static_cast<size_t>(i - 1)], begins_text && i == 1, tokenizer);
            }
        });
        size_t done = 0;
        for (const Part& part : parts) {
            if (part.error) std::rethrow_exception(part.error);
            visit(part.text, part.ids);
            done += part.text.size();
        }
        begins_text = begins_text && parts.empty();
        file.drop(done);
    }
}
