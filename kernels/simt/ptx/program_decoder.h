// How the text of a kernel becomes a Program. Internal to program.cpp.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "kernels/simt/ptx/lexer.h"
#include "kernels/simt/ptx/program.h"
#include "kernels/simt/ptx/program_registers.h"

namespace simt::ptx {

// The operands of an instruction, as slots in the order of the text.
struct Operands {
    std::vector<uint16_t> slots;
    int64_t offset = 0;                   // of the address among them
    size_t addresses = 0;                 // how many there are
    const Variable* parameter = nullptr;  // in which the address lies
    size_t vectors = 0;                   // how many there are
    size_t vector_size = 0;               // of all together
    bool vector_first = false;            // the vector is the first operand
    bool pair = false;                    // results p|q
};

// Reads the body of a kernel, statement by statement.
class Decoder {
public:
    Decoder(Program& program)
        : program_(program),
          registers_(program),
          lexer_(file_name(program), program.entry().body.text, program.entry().body.line) {}
    void run();

private:
    static std::string file_name(const Program& program) {
        const std::string& path = program.module_->name();
        return path.substr(path.rfind('/') + 1);
    }

    // Directives
    void read_directive(std::string_view directive);
    void read_location();
    void declare_registers();
    void declare_shared(const Variable& variable);
    void declare_local();
    void read_targets();
    void lay_out_parameters();
    void lay_out_dynamic_shared();

    // Instructions
    void read_instruction(bool guarded, uint16_t guard, bool negated);
    void read_plain(std::string name);
    void complete(const std::string& name, Operands& operands);
    void read_comparison(const std::string& name, const Operands& operands);
    void read_branch(bool guarded, uint16_t guard, bool negated);
    void read_indexed_branch();
    std::string memory_name(const std::string& name, const Operands& operands);
    void emit(const std::string& name, const std::vector<uint16_t>& slots, int64_t offset = 0);
    void emit_branch(Handler run, uint16_t condition, std::string_view label);
    void push(const Instruction& instruction);

    // Operands
    Operands read_operands();
    void read_operand(Operands& operands);
    void read_address(Operands& operands);
    uint16_t read_value();
    uint16_t read_number(bool negative);
    uint16_t slot_of(std::string_view name);
    uint16_t slot_of_variable(std::string_view name);
    const Variable* find_parameter(std::string_view name) const;

    [[noreturn]] void fail(const std::string& message) const;
    void resolve();

    Program& program_;
    ProgramRegisters registers_;
    Lexer lexer_;
    int line_ = 0;  // of the instruction
    const char* source_file_ = "";
    int source_line_ = 0;
    std::unordered_map<std::string, size_t> labels_;  // index of the instruction behind
    std::unordered_map<std::string, std::vector<std::string>> targets_;  // of brx.idx, by label
    struct Jump {
        size_t from;
        std::string label;
        int line;
    };
    std::vector<Jump> jumps_;
    std::unordered_map<std::string, uint64_t> shared_;  // offset of each variable
    std::unordered_map<std::string, uint64_t> local_;
    std::vector<uint16_t> dynamic_;  // slots of dynamic shared memory's address
    size_t dynamic_alignment_ = 16;
};

}  // namespace simt::ptx
