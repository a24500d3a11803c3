#include "kernels/core/dynamic_library.h"

#include <dlfcn.h>
#include <unistd.h>

#include <utility>

DynamicLibrary::DynamicLibrary(DynamicLibrary&& other) noexcept
    : handle_(std::exchange(other.handle_, nullptr)), path_(std::move(other.path_)) {}

DynamicLibrary& DynamicLibrary::operator=(DynamicLibrary&& other) noexcept {
    std::swap(handle_, other.handle_);
    std::swap(path_, other.path_);
    return *this;
}

DynamicLibrary::~DynamicLibrary() {
    if (handle_ != nullptr) dlclose(handle_);
}

DynamicLibrary DynamicLibrary::open_first(const std::vector<std::string>& candidates,
                                          std::string& why) {
    DynamicLibrary library;
    why.clear();
    for (const std::string& candidate : candidates) {
        library.handle_ = dlopen(candidate.c_str(), RTLD_NOW | RTLD_LOCAL);
        if (library.handle_ != nullptr) {
            library.path_ = candidate;
            why.clear();
            return library;
        }
        const char* message = dlerror();
        const bool exists = access(candidate.c_str(), F_OK) == 0;
        if (why.empty() || exists) why = message != nullptr ? message : "it cannot be opened";
    }
    return library;
}

void* DynamicLibrary::symbol(const char* name) const {
    return handle_ != nullptr ? dlsym(handle_, name) : nullptr;
}
