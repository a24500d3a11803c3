#include "kernels/core/cuda_runtime.h"

#include <cuda_runtime.h>

#include "kernels/core/cuda_check.cuh"

namespace cuda_runtime {

namespace {

constexpr int kOldest = 80;  // the kernels are compiled for sm_80 and newer

std::string why_first_gpu_is_too_old() {
    const int capability = compute_capability();
    if (capability >= kOldest) return {};
    return fmt::format("the GPU has compute capability {}.{}, expected {}.{} or newer",
                       capability / 10, capability % 10, kOldest / 10, kOldest % 10);
}

}  // namespace

int compute_capability() {
    int major = 0, minor = 0;
    cuda_check(cudaDeviceGetAttribute(&major, cudaDevAttrComputeCapabilityMajor, 0), "GPU 0");
    cuda_check(cudaDeviceGetAttribute(&minor, cudaDevAttrComputeCapabilityMinor, 0), "GPU 0");
    return 10 * major + minor;
}

std::string why_no_gpu() {
    int count = 0;
    const cudaError_t status = cudaGetDeviceCount(&count);
    if (status == cudaSuccess && count > 0) return why_first_gpu_is_too_old();
    (void)cudaGetLastError();  // this call may fail; its error is not the next call's
    if (status == cudaSuccess || status == cudaErrorNoDevice) return "no GPU was found";
    int driver = 0;
    if (cudaDriverGetVersion(&driver) == cudaSuccess && driver == 0)
        return "no NVIDIA driver is installed";
    (void)cudaGetLastError();
    return std::string("the GPU does not answer: ") + cudaGetErrorString(status);
}

void* allocate(int64_t bytes, const char* what) {
    void* pointer = nullptr;
    const cudaError_t status = cudaMalloc(&pointer, static_cast<size_t>(bytes));
    if (status != cudaSuccess) {
        (void)cudaGetLastError();
        throw Error(fmt::format("{}: no memory for {} bytes on cuda: {}", what, bytes,
                                cudaGetErrorString(status)));
    }
    cuda_check(cudaMemset(pointer, 0, static_cast<size_t>(bytes)), what);
    return pointer;
}

void release(void* pointer) noexcept { (void)cudaFree(pointer); }

// On the legacy default stream, which waits for all work on the streams that make_stream makes, and
// they for it.
void copy_to_device(void* to, const void* from, int64_t bytes) {
    cuda_check(cudaMemcpy(to, from, static_cast<size_t>(bytes), cudaMemcpyHostToDevice),
               "copy to the GPU");
}

void copy_to_host(void* to, const void* from, int64_t bytes) {
    cuda_check(cudaMemcpy(to, from, static_cast<size_t>(bytes), cudaMemcpyDeviceToHost),
               "copy from the GPU");
}

void copy_on_device(void* to, const void* from, int64_t bytes) {
    cuda_check(cudaMemcpy(to, from, static_cast<size_t>(bytes), cudaMemcpyDeviceToDevice),
               "copy on the GPU");
}

void set_to_zero(void* pointer, int64_t bytes, void* stream) {
    cuda_check(
        cudaMemsetAsync(pointer, 0, static_cast<size_t>(bytes), static_cast<cudaStream_t>(stream)),
        "setting memory to zero");
}

void* make_stream() {
    cudaStream_t stream = nullptr;
    cuda_check(cudaStreamCreate(&stream), "stream");
    return stream;
}

void destroy_stream(void* stream) noexcept {
    (void)cudaStreamDestroy(static_cast<cudaStream_t>(stream));
}

void synchronize(void* stream) {
    cuda_check(cudaStreamSynchronize(static_cast<cudaStream_t>(stream)), "stream");
}

double seconds_of(void* handle, const std::function<void()>& work) {
    const auto stream = static_cast<cudaStream_t>(handle);
    struct Event {
        cudaEvent_t event = nullptr;
        Event() { cuda_check(cudaEventCreate(&event), "event"); }
        ~Event() { (void)cudaEventDestroy(event); }
    } begin, end;
    cuda_check(cudaEventRecord(begin.event, stream), "event");
    work();
    cuda_check(cudaEventRecord(end.event, stream), "event");
    cuda_check(cudaEventSynchronize(end.event), "event");
    float milliseconds = 0.0f;
    cuda_check(cudaEventElapsedTime(&milliseconds, begin.event, end.event), "event");
    return milliseconds * 1e-3;
}

// A capture that has failed is ended all the same, or the stream would stay unusable.
void* capture(void* handle, const std::function<void()>& work) {
    const auto stream = static_cast<cudaStream_t>(handle);
    cuda_check(cudaStreamBeginCapture(stream, cudaStreamCaptureModeGlobal), "graph");
    cudaGraph_t graph = nullptr;
    try {
        work();
    } catch (...) {
        (void)cudaStreamEndCapture(stream, &graph);
        if (graph != nullptr) (void)cudaGraphDestroy(graph);
        (void)cudaGetLastError();
        throw;
    }
    cuda_check(cudaStreamEndCapture(stream, &graph), "graph");
    cudaGraphExec_t executable = nullptr;
    const cudaError_t status = cudaGraphInstantiate(&executable, graph, 0);
    (void)cudaGraphDestroy(graph);
    cuda_check(status, "graph");
    return executable;
}

void replay(void* graph, void* stream) {
    cuda_check(
        cudaGraphLaunch(static_cast<cudaGraphExec_t>(graph), static_cast<cudaStream_t>(stream)),
        "graph");
}

void destroy_graph(void* graph) noexcept {
    (void)cudaGraphExecDestroy(static_cast<cudaGraphExec_t>(graph));
}

}  // namespace cuda_runtime
