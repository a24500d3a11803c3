// A text file of any size, read from front to back through a window.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "model/io/sha256.h"

class TextFile {
public:
    // An InputError that names the file if it cannot be opened or is a folder.
    explicit TextFile(const std::filesystem::path& path);
    ~TextFile();
    TextFile(const TextFile&) = delete;
    TextFile& operator=(const TextFile&) = delete;

    // What was read and not dropped yet.
    std::string_view window() const { return {buffer_.data() + begin_, end_ - begin_}; }
    const std::string& name() const { return name_; }
    bool at_end() const { return at_end_; }  // nothing follows the window
    int64_t bytes_read() const { return bytes_read_; }

    // Reads on until the window holds so many bytes or the file ends; what window() gave is gone.
    // An InputError if the file is empty or holds a zero byte.
    void fill(size_t bytes);
    // Takes bytes from the window's front.
    void drop(size_t bytes);

    // Hashes what of the window was not hashed yet; others may look at the window meanwhile.
    void hash();
    // SHA-256 of all that was read.
    std::string sha256();

private:
    std::string name_;
    int file_ = -1;
    std::vector<char> buffer_;
    size_t begin_ = 0, end_ = 0;  // the window
    size_t hashed_ = 0;           // up to here, in the buffer
    bool at_end_ = false;
    int64_t bytes_read_ = 0;
    Sha256 hash_;
};
