// The calls of the CUDA runtime that host code needs, so that no .cpp includes its headers. Defined
// in cuda_runtime.cu and only in builds with nvcc (FETTLE_WITH_CUDA).
#pragma once

#include <cstdint>
#include <functional>
#include <string>

namespace cuda_runtime {

std::string why_no_gpu();  // empty if a GPU answers
int compute_capability();  // of the GPU, 90 for 9.0
void* allocate(int64_t bytes, const char* what);
void release(void* pointer) noexcept;
// These wait for all work before them, and all work after them waits for the bytes.
void copy_to_device(void* to, const void* from, int64_t bytes);
void copy_to_host(void* to, const void* from, int64_t bytes);
// Likewise, from device memory to device memory that does not overlap it.
void copy_on_device(void* to, const void* from, int64_t bytes);
void set_to_zero(void* pointer, int64_t bytes, void* stream);  // in the order of the stream
void* make_stream();
void destroy_stream(void* stream) noexcept;
void synchronize(void* stream);
double seconds_of(void* stream, const std::function<void()>& work);
// What `work` puts on the stream, as a cudaGraphExec_t.
void* capture(void* stream, const std::function<void()>& work);
void replay(void* graph, void* stream);
void destroy_graph(void* graph) noexcept;

}  // namespace cuda_runtime
