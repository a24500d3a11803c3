#include "kernels/simt/ptx/library.h"

#include <algorithm>
#include <filesystem>
#include <system_error>
#include <utility>

#include "kernels/core/check.h"
#include "kernels/simt/ptx/kernel_name.h"

namespace simt::ptx {
namespace {

std::vector<std::string> ptx_files(const std::string& folder) {
    std::vector<std::string> paths;
    std::error_code error;
    for (std::filesystem::recursive_directory_iterator at(folder, error), end; !error && at != end;
         at.increment(error))
        if (at->path().extension() == ".ptx") paths.push_back(at->path().string());
    ENSURE_INPUT(!error, folder, "{}, expected a folder of .ptx files", error.message());
    ENSURE_INPUT(!paths.empty(), folder, "holds no .ptx file, expected those of all kernels");
    std::sort(paths.begin(), paths.end());
    return paths;
}

}  // namespace

Library::Library(const std::string& folder) : folder_(folder) {
    for (const std::string& path : ptx_files(folder)) {
        const Module& module = *modules_.emplace_back(std::make_unique<Module>(Module::read(path)));
        for (const Entry& entry : module.entries()) {
            Kernel& kernel = kernels_[without_device(entry.name)];
            ENSURE_INPUT(kernel.entry == nullptr, path, "has the kernel {}, and so has {}",
                         entry.name, kernel.module->name());
            kernel = {&module, &entry, nullptr};
        }
    }
}

const Program& Library::program_of(const void* function) {
    const std::string name = function_name(function);
    const auto found = kernels_.find(without_device(name));
    ENSURE_INPUT(found != kernels_.end(), folder_,
                 "no .ptx file there has the kernel {}, expected it from \"make ptx\"", name);
    auto& [module, entry, program] = found->second;
    if (program == nullptr) program = std::make_unique<Program>(*module, *entry);
    return *program;
}

Coverage Library::coverage() const {
    Coverage result;
    std::map<std::pair<std::string, int>, bool> lines;  // whether any of its instructions ran
    for (const auto& [name, kernel] : kernels_) {
        ++result.kernels;
        if (kernel.program == nullptr) {
            result.not_launched.push_back(kernel.entry->name);
            continue;
        }
        for (const Instruction& instruction : kernel.program->code) {
            const Place place = kernel.program->place_of(&instruction);
            const bool reached = instruction.reached != 0;
            ++result.instructions;
            result.reached += reached ? 1 : 0;
            lines[{place.file, place.line}] |= reached;
        }
    }
    for (const auto& [line, reached] : lines)
        if (!reached)
            result.lines_not_reached.push_back(Place{line.first.c_str(), line.second}.text());
    return result;
}

}  // namespace simt::ptx
