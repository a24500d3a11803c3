#include "kernels/matmul/cublaslt_library.h"

#include <glob.h>

#include <cstdlib>

#include "kernels/core/check.h"

namespace {

// Newest first. What is called is the same in all of them.
constexpr const char* kNames[] = {"libcublasLt.so.13", "libcublasLt.so.12", "libcublasLt.so"};

std::string environment(const char* name) {
    const char* value = std::getenv(name);
    return value != nullptr ? value : "";
}

// The existing files that a pattern of the shell names.
void add_existing(std::vector<std::string>& paths, const std::string& pattern) {
    glob_t found{};
    if (glob(pattern.c_str(), 0, nullptr, &found) == 0)
        for (size_t i = 0; i < found.gl_pathc; ++i) paths.emplace_back(found.gl_pathv[i]);
    globfree(&found);
}

std::vector<std::string> folders() {
    std::vector<std::string> folders;
    for (const char* variable : {"CUDA_HOME", "CUDA_PATH"})
        if (const std::string home = environment(variable); !home.empty())
            folders.push_back(home + "/lib64");
    folders.emplace_back("/usr/local/cuda/lib64");
    std::vector<std::string> pythons;
    for (const char* variable : {"VIRTUAL_ENV", "CONDA_PREFIX"})
        if (const std::string home = environment(variable); !home.empty())
            pythons.push_back(home + "/lib/python3*/site-packages");
    if (const std::string home = environment("HOME"); !home.empty())
        pythons.push_back(home + "/.local/lib/python3*/site-packages");
    pythons.emplace_back("/usr/local/lib/python3*/dist-packages");
    pythons.emplace_back("/usr/lib/python3*/dist-packages");
    for (const std::string& python : pythons) folders.push_back(python + "/nvidia/*/lib");
    return folders;
}

}  // namespace

std::vector<std::string> cublaslt_candidates() {
    std::vector<std::string> candidates(std::begin(kNames), std::end(kNames));
    for (const std::string& folder : folders())
        for (const char* name : kNames) add_existing(candidates, folder + "/" + name);
    return candidates;
}

DynamicLibrary open_cublaslt(std::string& why) {
    const std::string forced = environment(kCublasLtVariable);
    if (forced == "off") {
        why = std::string(kCublasLtVariable) + " is off";
        return {};
    }
    auto library = DynamicLibrary::open_first(
        forced.empty() ? cublaslt_candidates() : std::vector<std::string>{forced}, why);
    ENSURE_INPUT(forced.empty() || library, kCublasLtVariable,
                 "{}; expected the path of libcublasLt.so, \"off\", or no value", why);
    return library;
}
