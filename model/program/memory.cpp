#include "model/program/memory.h"

#include <fstream>
#include <string>

#include "kernels/core/check.h"

namespace {

// "VmHWM:    123456 kB" in /proc/self/status; the kernel's kB are 1024 bytes.
int64_t status_bytes(const std::string& key) {
    constexpr const char* kPath = "/proc/self/status";
    std::ifstream status(kPath);
    for (std::string line; std::getline(status, line);)
        if (line.compare(0, key.size(), key) == 0)
            return std::stoll(line.substr(key.size())) * 1024;
    throw Error(fmt::format("{}: has no line {}", kPath, key));
}

}  // namespace

int64_t peak_memory_bytes() { return status_bytes("VmHWM:"); }

int64_t resident_memory_bytes() { return status_bytes("VmRSS:"); }
