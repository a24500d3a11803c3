#include "kernels/core/graph.h"

#include "kernels/core/check.h"
#include "kernels/core/cuda_runtime.h"
#include "kernels/simt/capture.h"

Graph::Graph(StreamView stream, const std::function<void()>& work) : stream_(stream) {
    ENSURE(stream.device != Device::cpu, "graph: a stream on cpu, expected one on cuda or simt");
#if defined(FETTLE_WITH_CUDA)
    if (stream.device == Device::cuda) {
        captured_ = cuda_runtime::capture(stream.handle, work);
        return;
    }
#endif
    ENSURE(stream.device == Device::simt, "graph: {}", why_silent(stream.device));
    simt::begin_capture(stream.handle);
    try {
        work();
    } catch (...) {
        simt::end_capture();
        throw;
    }
    launches_ = simt::end_capture();
}

Graph::Graph(Graph&& other) noexcept
    : stream_(std::exchange(other.stream_, {})),
      captured_(std::exchange(other.captured_, nullptr)),
      launches_(std::move(other.launches_)) {}

Graph& Graph::operator=(Graph&& other) noexcept {
    std::swap(stream_, other.stream_);
    std::swap(captured_, other.captured_);
    std::swap(launches_, other.launches_);
    return *this;
}

Graph::~Graph() {
#if defined(FETTLE_WITH_CUDA)
    if (captured_ != nullptr) cuda_runtime::destroy_graph(captured_);
#endif
}

void Graph::replay() const {
    ENSURE(stream_.device != Device::cpu, "graph: it was moved from, expected one to replay");
#if defined(FETTLE_WITH_CUDA)
    if (stream_.device == Device::cuda) cuda_runtime::replay(captured_, stream_.handle);
#endif
    for (const auto& launch : launches_) simt::enqueue(stream_.handle, launch);
}
