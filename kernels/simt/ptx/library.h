// Where interpreted kernels come from: the .ptx files of a folder. Which one it is is said to
// interpreter.h.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "kernels/simt/ptx/interpreter.h"
#include "kernels/simt/ptx/module.h"
#include "kernels/simt/ptx/program.h"

namespace simt::ptx {

class Library {
public:
    // An InputError if there are none, or two kernels of one name.
    explicit Library(const std::string& folder);
    const std::string& folder() const { return folder_; }
    // Of a function of this program; decoded when it is first asked for. An InputError if there is
    // none.
    const Program& program_of(const void* function);
    Coverage coverage() const;

private:
    struct Kernel {
        const Module* module = nullptr;
        const Entry* entry = nullptr;
        std::unique_ptr<Program> program;  // null: has not run yet
    };
    std::string folder_;
    std::vector<std::unique_ptr<Module>> modules_;
    std::map<std::string, Kernel> kernels_;  // by what without_device leaves of their names
};

// While one lives, launches take kernels from another folder; then from where they did before, with
// what those have reached so far.
class InterpretedFrom {
public:
    explicit InterpretedFrom(const std::string& folder);
    ~InterpretedFrom();
    InterpretedFrom(const InterpretedFrom&) = delete;
    InterpretedFrom& operator=(const InterpretedFrom&) = delete;

private:
    std::unique_ptr<Library> before_;
};

}  // namespace simt::ptx
