#include "kernels/core/stream.h"

#include <chrono>

#include "kernels/core/check.h"
#include "kernels/core/cuda_runtime.h"
#include "kernels/simt/capture.h"

const char* name_of(Device device) {
    switch (device) {
        case Device::cpu:
            return "cpu";
        case Device::cuda:
            return "cuda";
        case Device::simt:
            return "simt";
    }
    return "unknown device";
}

Device device_from_name(const std::string& name, const std::string& source) {
    for (const Device device : {Device::cpu, Device::cuda, Device::simt})
        if (name == name_of(device)) return device;
    throw InputError(fmt::format("{}: found \"{}\", expected cpu, cuda or simt", source, name));
}

std::string why_silent(Device device) {
    if (device != Device::cuda) return {};
#if defined(FETTLE_WITH_CUDA)
    return cuda_runtime::why_no_gpu();
#else
    return "CUDA is not compiled in (nvcc was not found, or make ran with CUDA=0)";
#endif
}

bool device_answers(Device device) { return why_silent(device).empty(); }

void require_device(Device device, const std::string& source) {
    const std::string why = why_silent(device);
    ENSURE_INPUT(why.empty(), source, "{} was asked for, but {}", name_of(device), why);
}

Device default_device() { return device_answers(Device::cuda) ? Device::cuda : Device::cpu; }

Stream::Stream(Device device) : view_{.device = device} {
#if defined(FETTLE_WITH_CUDA)
    if (device == Device::cuda) view_.handle = cuda_runtime::make_stream();
#else
    ENSURE(device != Device::cuda, "stream: {}", why_silent(device));
#endif
    if (device == Device::simt) view_.handle = simt::make_stream();
}

Stream::~Stream() {
#if defined(FETTLE_WITH_CUDA)
    if (view_.device == Device::cuda && view_.handle != nullptr)
        cuda_runtime::destroy_stream(view_.handle);
#endif
    if (view_.device == Device::simt) simt::destroy_stream(view_.handle);
}

void Stream::synchronize() const {
#if defined(FETTLE_WITH_CUDA)
    if (view_.device == Device::cuda) cuda_runtime::synchronize(view_.handle);
#endif
    if (view_.device == Device::simt) simt::refuse_in_capture("waiting for a stream");
}

double Stream::seconds_of(const std::function<void()>& work) const {
#if defined(FETTLE_WITH_CUDA)
    if (view_.device == Device::cuda) return cuda_runtime::seconds_of(view_.handle, work);
#endif
    using Clock = std::chrono::steady_clock;
    const auto begin = Clock::now();
    work();
    return std::chrono::duration<double>(Clock::now() - begin).count();
}
