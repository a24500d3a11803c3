// What every .cu file includes: the CUDA language, real or emulated, and the one way to start a
// kernel. The Makefile compiles each .cu file twice, with FETTLE_DEVICE = on_cuda (nvcc) and
// on_simt (g++ or clang++); all code in it lies in `namespace FETTLE_DEVICE`, so that the two never
// meet.
//
//   launch(kernel<T>, {.grid = blocks, .block = threads, .stream = stream}, arguments...);
//   FETTLE_DYNAMIC_SHARED(float, sums);   // in a kernel: float* sums, 16-byte aligned
#pragma once

#include <cstddef>
#include <cstdint>
#include <utility>

#include "kernels/core/dtype.h"
#include "kernels/core/stream.h"

#if defined(__CUDACC__)
#include "kernels/core/cuda_check.cuh"
#elif defined(FETTLE_SIMT)
#include "kernels/simt/capture.h"
#include "kernels/simt/simt.h"
#else
#error "only .cu files include launch.h: nvcc compiles them, or g++ with -DFETTLE_SIMT=1"
#endif

namespace FETTLE_DEVICE {

struct LaunchShape {
    dim3 grid{};
    dim3 block{};
    size_t shared_bytes = 0;  // dynamic
    StreamView stream{};
    unsigned cluster = 1;  // blocks of a cluster, along x: cluster.cuh
};

template <typename T>
constexpr T ceil_div(T a, T b) {
    return (a + b - 1) / b;
}

#if defined(__CUDACC__)

#define FETTLE_DYNAMIC_SHARED(type, name)                                         \
    extern __shared__ __align__(16) unsigned char fettle_dynamic_shared_memory[]; \
    type* name = reinterpret_cast<type*>(fettle_dynamic_shared_memory)

constexpr size_t kSharedBytesWithoutAsking = 48 * 1024;

template <typename... Parameters, typename... Arguments>
void launch(void (*kernel)(Parameters...), const LaunchShape& shape, Arguments&&... arguments) {
    if (shape.shared_bytes > kSharedBytesWithoutAsking)
        cuda_check(cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize,
                                        static_cast<int>(shape.shared_bytes)),
                   "kernel launch: dynamic shared memory");
    cudaLaunchAttribute cluster{};
    cluster.id = cudaLaunchAttributeClusterDimension;
    cluster.val.clusterDim.x = shape.cluster;
    cluster.val.clusterDim.y = cluster.val.clusterDim.z = 1;
    cudaLaunchConfig_t config{};
    config.gridDim = shape.grid;
    config.blockDim = shape.block;
    config.dynamicSmemBytes = shape.shared_bytes;
    config.stream = static_cast<cudaStream_t>(shape.stream.handle);
    config.attrs = &cluster;
    config.numAttrs = shape.cluster > 1 ? 1 : 0;
    cuda_check(cudaLaunchKernelEx(&config, kernel, std::forward<Arguments>(arguments)...),
               "kernel launch");
}

#else

#define FETTLE_DYNAMIC_SHARED(type, name) \
    type* name = reinterpret_cast<type*>(::simt::dynamic_shared())

template <typename... Parameters, typename... Arguments>
void launch(void (*kernel)(Parameters...), const LaunchShape& shape, Arguments&&... arguments) {
    simt::enqueue(shape.stream.handle,
                  [kernel,
                   grid = simt::Grid{.blocks = shape.grid,
                                     .threads = shape.block,
                                     .shared_bytes = shape.shared_bytes,
                                     .cluster = shape.cluster},
                   values = std::tuple<Parameters...>(std::forward<Arguments>(arguments)...)] {
                      simt::launch(kernel, grid, values);
                  });
}

#endif

}  // namespace FETTLE_DEVICE
