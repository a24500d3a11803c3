#include "model/program/memory.h"

#include <fstream>
#include <string>

#include "kernels/core/check.h"

namespace {

// A line such as "VmHWM:    123456 kB"; the kernel's kB are 1024 bytes.
int64_t line_bytes(const char* path, const std::string& key) {
    std::ifstream file(path);
    for (std::string line; std::getline(file, line);)
        if (line.compare(0, key.size(), key) == 0)
            return std::stoll(line.substr(key.size())) * 1024;
    throw Error(fmt::format("{}: has no line {}", path, key));
}

constexpr const char* kProcess = "/proc/self/status";

}  // namespace

int64_t peak_memory_bytes() { return line_bytes(kProcess, "VmHWM:"); }

int64_t resident_memory_bytes() { return line_bytes(kProcess, "VmRSS:"); }

int64_t available_memory_bytes() { return line_bytes("/proc/meminfo", "MemAvailable:"); }
