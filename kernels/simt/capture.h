// Streams of the simt device. What is put on one runs at once, unless the stream is being captured:
// then it is kept, to run as often as wanted. The rules are those of a global CUDA capture.
#pragma once

#include <functional>
#include <utility>
#include <vector>

namespace simt {

using Work = std::function<void()>;

void* make_stream();
void destroy_stream(void* stream) noexcept;

// From here on, work on `stream` is kept. An Error if a capture is under way, or if `stream` is the
// default stream (null).
void begin_capture(void* stream);
// What was kept since; from here on, work runs at once again.
std::vector<Work> end_capture();
// True if work on `stream` is to be kept. While any stream is captured, work on the default stream
// would have to wait for it: an Error.
bool is_captured(const void* stream);
void keep(Work work);
// What moves or makes memory, or waits, cannot be kept: an Error that names `what` in a capture.
void refuse_in_capture(const char* what);

template <typename Run>
void enqueue(const void* stream, Run&& work) {
    if (is_captured(stream))
        keep(std::forward<Run>(work));
    else
        work();
}

}  // namespace simt
