// A shared library that is opened while the program runs, so that the program also starts where it
// is missing.
#pragma once

#include <string>
#include <vector>

class DynamicLibrary {
public:
    DynamicLibrary() = default;  // none
    DynamicLibrary(DynamicLibrary&& other) noexcept;
    DynamicLibrary& operator=(DynamicLibrary&& other) noexcept;
    ~DynamicLibrary();

    // The first of `candidates` that opens: paths, or names that the system's loader looks up (in
    // LD_LIBRARY_PATH among others). None opened: an empty library, and `why` says why the last
    // existing one, else the first, did not.
    static DynamicLibrary open_first(const std::vector<std::string>& candidates, std::string& why);

    explicit operator bool() const { return handle_ != nullptr; }
    const std::string& path() const { return path_; }  // the candidate that opened
    // The address of a function; null if the library has none of that name.
    void* symbol(const char* name) const;

private:
    void* handle_ = nullptr;
    std::string path_;
};
