#include "model/text/encode_file.h"

#include <algorithm>
#include <exception>
#include <vector>

#include "kernels/core/check.h"
#include "kernels/core/parallel.h"

namespace {

constexpr size_t kMaxUncutBytes = size_t{32} << 20;  // merging takes twenty times as much
constexpr size_t kPartsOfWindow = 64;                // enough to keep many threads evenly busy

using Visit = std::function<void(std::string_view, std::span<const int32_t>)>;

struct Part {
    std::string_view text;
    std::vector<int32_t> ids;  // its memory outlives the part
    std::exception_ptr error;
};

class FileEncoder {
public:
    FileEncoder(TextFile& file, const Tokenizer& tokenizer, const Visit& visit, size_t window_bytes)
        : file_(file),
          tokenizer_(tokenizer),
          visit_(visit),
          window_bytes_(window_bytes),
          part_bytes_(std::max<size_t>(window_bytes / kPartsOfWindow, 1)) {}

    void encode_all() {
        for (size_t window = window_bytes_; !file_.at_end() || !file_.window().empty();) {
            file_.fill(window);
            size_t bytes = cut_window();
            window = bytes == 0 ? 2 * window : window_bytes_;
            ENSURE_INPUT(window <= kMaxUncutBytes, file_.name(),
                         "found {} MiB without a space or an end of line to cut at, expected at "
                         "most {}",
                         file_.window().size() >> 20, kMaxUncutBytes >> 20);
            encode_parts();
            file_.drop(bytes);
        }
    }

private:
    // Cuts the window at the first places behind equal lengths; returns how far. Unless the file
    // ends, what is behind the last cut waits for more.
    size_t cut_window() {
        num_parts_ = 0;
        size_t done = 0;
        for (const std::string_view text = file_.window(); done < text.size();) {
            const std::string_view rest = text.substr(done);
            const size_t cut = tokenizer_.next_cut(rest, std::min(part_bytes_, rest.size()));
            if (cut == rest.size() && !file_.at_end()) break;
            if (num_parts_ == parts_.size()) parts_.emplace_back();
            parts_[num_parts_++].text = rest.substr(0, cut);
            done += cut;
        }
        return done;
    }

    // The hash takes as long as some parts and is one of the tasks.
    void encode_parts() {
        parallel_tasks(static_cast<int64_t>(num_parts_) + 1, [&](int64_t task) {
            if (task == 0) {
                file_.hash();
            } else {
                encode(parts_[static_cast<size_t>(task - 1)], begins_text_ && task == 1);
            }
        });
        for (const Part& part : std::span(parts_).first(num_parts_)) {
            if (part.error) std::rethrow_exception(part.error);
            visit_(part.text, part.ids);
            begins_text_ = false;
        }
    }

    void encode(Part& part, bool begins_text) const {
        part.ids.clear();
        try {
            if (begins_text) {
                tokenizer_.encode(part.text, part.ids);
            } else {
                tokenizer_.encode_rest(part.text, part.ids);
            }
        } catch (...) {
            part.error = std::current_exception();
        }
    }

    TextFile& file_;
    const Tokenizer& tokenizer_;
    const Visit& visit_;
    const size_t window_bytes_, part_bytes_;
    std::vector<Part> parts_;  // the first num_parts_ are of the window
    size_t num_parts_ = 0;
    bool begins_text_ = true;  // of the file
};

}  // namespace

void encode_file(TextFile& file, const Tokenizer& tokenizer, const Visit& visit,
                 size_t window_bytes) {
    FileEncoder(file, tokenizer, visit, window_bytes).encode_all();
}
