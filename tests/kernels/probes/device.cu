// All probes of a device, its name, and which code it is that runs there.

#include "kernels/core/buffer.h"
#include "tests/kernels/probes/probe_launch.cuh"

namespace FETTLE_DEVICE {
namespace {

__global__ void probe_architecture(uint32_t* out) {
#if defined(__CUDA_ARCH__)
    out[0] = __CUDA_ARCH__;
#else
    out[0] = 900;
#endif
}

std::string name_of_device() {
#if defined(__CUDACC__)
    cudaDeviceProp properties;
    int device = 0;
    cuda_check(cudaGetDevice(&device), "GPU");
    cuda_check(cudaGetDeviceProperties(&properties, device), "GPU");
    return properties.name;
#else
    return "emulated";
#endif
}

}  // namespace

ProbedDevice probed_device(StreamView stream) {
    const Buffer<uint32_t> architecture(stream.device, 1);
    launch(probe_architecture, {.grid = 1, .block = 1, .stream = stream}, architecture.data());
    ProbedDevice device{.name = name_of_device(),
                        .architecture = static_cast<int>(architecture.to_host()[0]),
                        .kernels = {}};
    for (const auto& group :
         {warp_probes(), matrix_probes(), copies_probes(), boxes_probes(), mbarrier_probes(),
          warpgroup_probes(), cluster_probes(), math_probes()})
        device.kernels.insert(device.kernels.end(), group.begin(), group.end());
    return device;
}

}  // namespace FETTLE_DEVICE
