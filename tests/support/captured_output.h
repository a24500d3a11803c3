// What the code under test prints, taken instead of shown.
#pragma once

#include <unistd.h>

#include <cstdio>
#include <string>

class CapturedOutput {
public:
    explicit CapturedOutput(std::FILE* stream)
        : stream_(stream), file_(std::tmpfile()), saved_(dup(fileno(stream))) {
        std::fflush(stream_);
        dup2(fileno(file_), fileno(stream_));
    }
    ~CapturedOutput() {
        std::fflush(stream_);
        dup2(saved_, fileno(stream_));
        close(saved_);
        std::fclose(file_);
    }
    CapturedOutput(const CapturedOutput&) = delete;
    CapturedOutput& operator=(const CapturedOutput&) = delete;

    // Everything since the beginning.
    std::string text() {
        std::fflush(stream_);
        std::string text;
        for (off_t at = 0;; at = static_cast<off_t>(text.size())) {
            char bytes[4096];
            const ssize_t count = pread(fileno(file_), bytes, sizeof bytes, at);
            if (count <= 0) return text;
            text.append(bytes, static_cast<size_t>(count));
        }
    }

private:
    std::FILE* stream_;
    std::FILE* file_;
    int saved_;
};
