// The operands of instructions: every one of them becomes a slot.
#include <fmt/core.h>

#include <algorithm>

#include "kernels/simt/ptx/program_decoder.h"

namespace simt::ptx {

Operands Decoder::read_operands() {
    Operands operands;
    if (lexer_.peek().is(";")) return operands;
    do {
        const bool first = operands.slots.empty();
        if (lexer_.take("{")) {
            operands.vector_first = first;
            ++operands.vectors;
            do {
                operands.slots.push_back(read_value());
                ++operands.vector_size;
            } while (lexer_.take(","));
            lexer_.expect("}");
        } else if (lexer_.take("[")) {
            read_address(operands);
        } else {
            operands.slots.push_back(read_value());
        }
        if (first && lexer_.take("|")) {
            operands.slots.push_back(read_value());
            operands.pair = true;
        }
    } while (lexer_.take(","));
    return operands;
}

void Decoder::read_address(Operands& operands) {
    if (lexer_.peek().kind == Token::word) operands.parameter = find_parameter(lexer_.peek().value);
    operands.slots.push_back(read_value());
    if (lexer_.take("+")) operands.offset = lexer_.expect_integer("an offset");
    if (lexer_.take(",")) {  // a tensor map's coordinates
        lexer_.expect("{");
        do operands.slots.push_back(read_value());
        while (lexer_.take(","));
        lexer_.expect("}");
    }
    lexer_.expect("]");
    if (++operands.addresses > 1 && operands.offset != 0)
        fail("several addresses, one with an offset");
}

uint16_t Decoder::read_value() {
    if (lexer_.take("!")) {
        const uint16_t negated = registers_.unused();
        emit("not.pred", {negated, read_value()});
        return negated;
    }
    if (lexer_.take("-")) return read_number(true);
    if (lexer_.peek().kind == Token::number) return read_number(false);
    return slot_of(lexer_.expect_word("an operand").value);
}

// 0fXXXXXXXX and 0dXXXXXXXXXXXXXXXX are the bits of a float and a double.
uint16_t Decoder::read_number(bool negative) {
    const std::string_view text = lexer_.peek().value;
    const bool is_float =
        text.size() == 10 && (text.substr(0, 2) == "0f" || text.substr(0, 2) == "0F");
    const bool is_double =
        text.size() == 18 && (text.substr(0, 2) == "0d" || text.substr(0, 2) == "0D");
    uint64_t value = 0;
    if (is_float || is_double) {
        if (negative || !parse_integer("0x" + std::string(text.substr(2)), &value))
            lexer_.fail("expected a number");
        lexer_.next();
    } else {
        value = static_cast<uint64_t>(lexer_.expect_integer("a number"));
        if (negative) value = 0 - value;
    }
    return registers_.of_constant(value);
}

uint16_t Decoder::slot_of(std::string_view name) {
    if (name == "_") return registers_.unused();
    if (registers_.is_declared(name)) return registers_.of_register(name);
    Special::Kind kind;
    if (find_special(name, &kind)) return registers_.of_special(kind);
    if (name[0] == '%') fail(fmt::format("{} is no register that is known", name));
    return slot_of_variable(name);
}

const Variable* Decoder::find_parameter(std::string_view name) const {
    for (const Variable& parameter : program_.entry().parameters)
        if (parameter.name == name) return &parameter;
    return nullptr;
}

uint16_t Decoder::slot_of_variable(std::string_view name) {
    const std::string key(name);
    if (const auto found = local_.find(key); found != local_.end())
        return registers_.of_special(Special::local, found->second);
    if (const Variable* parameter = find_parameter(name)) {
        const auto number = parameter - program_.entry().parameters.data();
        return registers_.of_special(Special::parameters,
                                     program_.parameter_offsets[static_cast<size_t>(number)]);
    }
    if (const unsigned char* global = program_.module_->find_global(key))
        return registers_.of_constant(reinterpret_cast<uint64_t>(global));
    if (shared_.count(key) == 0) {
        const Variable* variable = program_.module_->find_shared(key);
        if (variable == nullptr) fail(fmt::format("{} is not declared", name));
        if (variable->bytes == 0) {
            dynamic_alignment_ = std::max(dynamic_alignment_, variable->alignment);
            dynamic_.push_back(registers_.unused());
            return dynamic_.back();
        }
        declare_shared(*variable);
    }
    return registers_.of_constant(shared_[key]);
}

}  // namespace simt::ptx
