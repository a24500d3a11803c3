// A .ptx file: which kernels are in it, what they take, where their instructions stand. The
// instructions are decoded when a kernel first runs (program.h), so a file may hold kernels that
// the interpreter cannot run.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "kernels/simt/ptx/lexer.h"

namespace simt::ptx {

// A declared piece of memory.
struct Variable {
    std::string name;
    size_t element_bytes = 0;
    size_t bytes = 0;  // 0: name[], the dynamic shared memory
    size_t alignment = 1;
};

struct Entry {
    std::string name;  // mangled
    std::vector<Variable> parameters;
    std::vector<unsigned> most_threads;  // .maxntid or .reqntid: x, y, z; empty if not said
    Lexer::Body body;
};

class Module {
public:
    static Module read(const std::string& path);
    // `name` stands for the file in messages.
    Module(std::string name, std::string text);
    Module(Module&&) = default;
    Module& operator=(Module&&) = default;

    const std::string& name() const { return name_; }
    const std::vector<Entry>& entries() const { return entries_; }
    const Entry* find(const std::string& mangled) const;
    const Variable* find_shared(const std::string& variable) const;
    // The address of a .global or .const variable; null if there is none of that name.
    unsigned char* find_global(const std::string& variable) const;
    // The source file of a number in .loc; this file's name if it is not known.
    const char* source_file(int64_t number) const;

private:
    struct alignas(128) Chunk {
        unsigned char bytes[128] = {};
    };
    void read_directive(Lexer& lexer);
    void read_entry(Lexer& lexer);
    void read_global(Lexer& lexer);
    void read_file(Lexer& lexer);

    std::string name_;
    std::vector<char> text_;  // entries point into it, so it may move but not change
    std::vector<Entry> entries_;
    std::vector<Variable> shared_;
    std::map<std::string, std::vector<Chunk>> globals_;
    std::map<int64_t, std::string> files_;
};

// What stands behind .shared, .local, .param, ...: `.align 16 .b8 name[64]`.
Variable parse_variable(Lexer& lexer);

}  // namespace simt::ptx
