// Where an operation runs: a device and, on a GPU, the stream that orders it.
#pragma once

#include <string>

enum class Device {
    cpu,   // <op>_cpu.cpp: OpenMP and oneDNN
    cuda,  // the .cu files on a GPU
    simt,  // the same .cu files, emulated on the CPU
};

// Borrowed: whoever made the stream destroys it. `handle` is a cudaStream_t on Device::cuda.
struct StreamView {
    Device device = Device::cpu;
    void* handle = nullptr;
};

const char* name_of(Device device);
// "cpu", "cuda" or "simt"; anything else is an InputError that names `source` (the flag).
Device device_from_name(const std::string& name, const std::string& source);
// True if work can run there: always for cpu and simt; for cuda if compiled in and a GPU answers.
bool device_answers(Device device);
// cuda where a GPU answers, else cpu.
Device default_device();
