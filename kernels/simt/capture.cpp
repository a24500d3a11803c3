#include "kernels/simt/capture.h"

#include "kernels/core/check.h"

namespace simt {
namespace {

const void* captured = nullptr;  // the stream
std::vector<Work> kept;

}  // namespace

void* make_stream() { return new char; }  // a stream is no more than a name
void destroy_stream(void* stream) noexcept { delete static_cast<char*>(stream); }

void begin_capture(void* stream) {
    ENSURE(stream != nullptr, "graph: the default stream cannot be captured, expected another");
    ENSURE(captured == nullptr, "graph: a stream is being captured already");
    captured = stream;
}

std::vector<Work> end_capture() {
    captured = nullptr;
    return std::exchange(kept, {});
}

bool is_captured(const void* stream) {
    ENSURE(captured == nullptr || stream != nullptr,
           "graph: work on the default stream while another is captured, expected it on that one");
    return captured != nullptr && stream == captured;
}

void keep(Work work) { kept.push_back(std::move(work)); }

void refuse_in_capture(const char* what) {
    ENSURE(captured == nullptr, "graph: {} while a stream is captured: it cannot be replayed",
           what);
}

}  // namespace simt
