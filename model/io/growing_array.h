// An array that only grows: in memory up to a limit, beyond it in a file (scratch_file.h).
//
// What was appended at once stays together, so it can be looked at as one span:
//
//   [ of earlier appends: the file, mapped | of the latest: in memory ]
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "model/io/mapped_file.h"
#include "model/io/scratch_file.h"

template <class T>
class GrowingArray {
    static_assert(std::is_trivially_copyable_v<T>);

public:
    // `content` names the elements, for messages about the file.
    GrowingArray(std::string content, int64_t bytes_in_memory)
        : content_(std::move(content)), bytes_in_memory_(bytes_in_memory) {}

    int64_t size() const { return in_file_ + static_cast<int64_t>(latest_.size()); }

    // Spans of earlier elements end here.
    void append(std::span<const T> elements) {
        const size_t bytes = (latest_.size() + elements.size()) * sizeof(T);
        if (!latest_.empty() && bytes > static_cast<size_t>(bytes_in_memory_)) move_to_file();
        latest_.insert(latest_.end(), elements.begin(), elements.end());
    }
    void append(const T& element) { append(std::span(&element, 1)); }

    // Elements of one append(), or of several that follow each other in memory.
    std::span<const T> slice(int64_t begin, int64_t count) const {
        const bool is_latest = begin >= in_file_;
        const std::span<const T> part = is_latest ? std::span<const T>(latest_) : file_elements();
        return part.subspan(static_cast<size_t>(is_latest ? begin - in_file_ : begin),
                            static_cast<size_t>(count));
    }
    const T& operator[](int64_t i) const { return slice(i, 1)[0]; }

    // Gives back the memory of what was read from the file.
    void forget_read() const {
        if (file_) forget(file_->bytes());
    }

private:
    // With a file there is less to gain from memory.
    static constexpr int64_t kWriteBytes = int64_t{4} << 20;

    std::span<const T> file_elements() const {
        if (!file_) return {};
        return {reinterpret_cast<const T*>(file_->bytes().data()), static_cast<size_t>(in_file_)};
    }

    void move_to_file() {
        if (!file_) file_.emplace(content_);
        file_->append(std::as_bytes(std::span(latest_)));
        in_file_ += static_cast<int64_t>(latest_.size());
        if (bytes_in_memory_ > kWriteBytes) {
            bytes_in_memory_ = kWriteBytes;
            latest_ = {};  // its memory too
        }
        latest_.clear();
    }

    std::string content_;
    int64_t bytes_in_memory_;
    std::vector<T> latest_;
    int64_t in_file_ = 0;  // elements
    std::optional<ScratchFile> file_;
};
