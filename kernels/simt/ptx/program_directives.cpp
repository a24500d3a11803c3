// Directives of a kernel's text, and where its parameters and its memory lie.
#include <fmt/core.h>

#include <algorithm>

#include "kernels/simt/ptx/program_decoder.h"

namespace simt::ptx {
namespace {

size_t round_up(size_t bytes, size_t alignment) {
    return (bytes + alignment - 1) / alignment * alignment;
}

constexpr size_t kMaxLocalBytes = 512 * 1024;  // of a thread, as on a chip

}  // namespace

void Decoder::lay_out_parameters() {
    size_t end = 0;
    for (const Variable& parameter : program_.entry().parameters) {
        end = round_up(end, parameter.alignment);
        program_.parameter_offsets.push_back(end);
        end += parameter.bytes;
    }
    program_.parameter_bytes = end;
}

void Decoder::read_directive(std::string_view directive) {
    if (directive == ".loc") return read_location();
    if (directive == ".reg") {
        declare_registers();
    } else if (directive == ".shared") {
        declare_shared(parse_variable(lexer_));
    } else if (directive == ".local") {
        declare_local();
    } else if (directive == ".pragma") {
        lexer_.next();
    } else {
        fail(fmt::format("\"{}\" is no directive that is known here", directive));
    }
    lexer_.expect(";");
}

// .loc FILE LINE COLUMN [, function_name LABEL[+N]] [, inlined_at FILE LINE COLUMN]
void Decoder::read_location() {
    const int64_t file = lexer_.expect_integer("the number of a file");
    const int64_t line = lexer_.expect_integer("the number of a line");
    lexer_.expect_integer("the number of a column");
    while (lexer_.take(",")) {
        const bool inlined = lexer_.expect_word("function_name or inlined_at").is("inlined_at");
        for (int i = 0; i < (inlined ? 3 : 1); ++i) lexer_.next();
        if (lexer_.take("+")) lexer_.next();
    }
    if (line == 0) return;  // made by the compiler: the line before says more
    source_file_ = program_.module_->source_file(file);
    source_line_ = static_cast<int>(line);
}

void Decoder::declare_registers() {
    lexer_.expect_word("the type of registers");
    do {
        const std::string_view name = lexer_.expect_word("the name of a register").value;
        uint64_t count = 0;
        if (lexer_.take("<")) {
            count = static_cast<uint64_t>(lexer_.expect_integer("a number of registers"));
            lexer_.expect(">");
        }
        registers_.declare(name, count);
    } while (lexer_.take(","));
}

void Decoder::declare_shared(const Variable& variable) {
    const size_t offset = round_up(program_.shared_bytes, variable.alignment);
    shared_[variable.name] = offset;
    program_.shared_bytes = offset + variable.bytes;
}

void Decoder::declare_local() {
    const Variable variable = parse_variable(lexer_);
    const size_t offset = round_up(program_.local_bytes, std::min<size_t>(variable.alignment, 16));
    local_[variable.name] = offset;
    program_.local_bytes = offset + variable.bytes;
    if (program_.local_bytes > kMaxLocalBytes)
        fail(fmt::format("{} bytes of local memory, expected at most {}", program_.local_bytes,
                         kMaxLocalBytes));
}

// Behind the static one.
void Decoder::lay_out_dynamic_shared() {
    if (dynamic_.empty()) return;
    program_.shared_bytes = round_up(program_.shared_bytes, dynamic_alignment_);
    for (const uint16_t slot : dynamic_) program_.registers[slot] = program_.shared_bytes;
}

}  // namespace simt::ptx
