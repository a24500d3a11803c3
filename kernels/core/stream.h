// Where an operation runs: a device and, on a GPU, the stream that orders it.
#pragma once

#include <functional>
#include <string>
#include <utility>

enum class Device {
    cpu,   // <op>_cpu.cpp: OpenMP and oneDNN
    cuda,  // the .cu files on a GPU
    simt,  // the same .cu files, emulated on the CPU
};

// Borrowed: whoever made the stream destroys it. `handle` is a cudaStream_t on Device::cuda; the
// default stream has none.
struct StreamView {
    Device device = Device::cpu;
    void* handle = nullptr;
};

const char* name_of(Device device);
// "cpu", "cuda" or "simt"; anything else is an InputError that names `source` (the flag).
Device device_from_name(const std::string& name, const std::string& source);
// True if work can run there: always for cpu and simt; for cuda if compiled in and a GPU answers.
bool device_answers(Device device);
// Why `device` cannot run work, for a message to the user; empty if it can.
std::string why_silent(Device device);
// An InputError that names `source` (the flag) and the reason unless `device` answers.
void require_device(Device device, const std::string& source);
// cuda where a GPU answers, else cpu.
Device default_device();

// Owner of a device's queue of work. On cpu and simt operations are over when they return, except
// that graph.h captures those of simt.
class Stream {
public:
    explicit Stream(Device device);
    Stream(Stream&& other) noexcept : view_(std::exchange(other.view_, {})) {}
    Stream& operator=(Stream&& other) noexcept {
        std::swap(view_, other.view_);
        return *this;
    }
    ~Stream();

    StreamView view() const { return view_; }
    void synchronize() const;  // returns once all work so far is done; throws its errors
    // Seconds that the device is busy with what `work` puts on the stream.
    double seconds_of(const std::function<void()>& work) const;

private:
    StreamView view_;
};
