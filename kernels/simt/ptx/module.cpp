#include "kernels/simt/ptx/module.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <fstream>
#include <iterator>
#include <string_view>

#include "kernels/core/check.h"

namespace simt::ptx {
namespace {

constexpr size_t kMaxVariableBytes = size_t{1} << 30;

// ".u32" is 4. 0 if it is no type.
size_t type_bytes(std::string_view type) {
    if (type == ".pred") return 1;
    if (type.size() < 3 || type[0] != '.' || std::string_view("busf").find(type[1]) > 3) return 0;
    const std::string_view bits = type.substr(2);
    return bits == "8" ? 1 : bits == "16" ? 2 : bits == "32" ? 4 : bits == "64" ? 8 : 0;
}

size_t parse_alignment(Lexer& lexer) {
    const int64_t value = lexer.expect_integer("an alignment");
    if (value < 1 || value > 1024 || !std::has_single_bit(static_cast<uint64_t>(value)))
        lexer.fail(fmt::format("an alignment of {}, expected a power of two up to 1024", value));
    return static_cast<size_t>(value);
}

size_t parse_extents(Lexer& lexer, size_t bytes) {
    while (lexer.take("[")) {
        if (lexer.take("]")) return 0;
        const int64_t extent = lexer.expect_integer("a number of elements");
        lexer.expect("]");
        if (extent < 0 || static_cast<uint64_t>(extent) > kMaxVariableBytes / bytes)
            lexer.fail(fmt::format("{} elements of {} bytes, expected at most {} bytes", extent,
                                   bytes, kMaxVariableBytes));
        if (extent == 0) return 0;
        bytes *= static_cast<size_t>(extent);
    }
    return bytes;
}

uint64_t parse_value(Lexer& lexer) {
    const std::string_view value = lexer.peek().value;
    if (value.size() != 10 || (value.substr(0, 2) != "0f" && value.substr(0, 2) != "0F"))
        return static_cast<uint64_t>(lexer.expect_integer("a value"));
    uint64_t bits = 0;
    if (!parse_integer("0x" + std::string(value.substr(2)), &bits)) lexer.fail("expected a value");
    lexer.next();
    return bits;
}

}  // namespace

Variable parse_variable(Lexer& lexer) {
    Variable variable;
    size_t element = 0;
    while (lexer.peek().kind == Token::word && lexer.peek().value[0] == '.') {
        const std::string_view word = lexer.next().value;
        const size_t bytes = type_bytes(word);
        if (bytes != 0) element = bytes;
        if (word == ".align") variable.alignment = parse_alignment(lexer);
        if (bytes != 0 || word == ".align" || word == ".ptr") continue;
        // Of a pointer parameter: what it points to.
        if (word == ".global" || word == ".shared" || word == ".const" || word == ".local")
            continue;
        lexer.fail(fmt::format("\"{}\" before a variable, expected a type or .align", word));
    }
    if (element == 0) lexer.fail("a variable without a type");
    variable.name = lexer.expect_word("the name of a variable").value;
    variable.element_bytes = element;
    variable.alignment = std::max(variable.alignment, element);
    variable.bytes = parse_extents(lexer, element);
    return variable;
}

Module Module::read(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    ENSURE_INPUT(file, path, "cannot be opened");
    std::string text((std::istreambuf_iterator<char>(file)), {});
    ENSURE_INPUT(!file.bad(), path, "cannot be read");
    return {path, std::move(text)};
}

Module::Module(std::string name, std::string text)
    : name_(std::move(name)), text_(text.begin(), text.end()) {
    Lexer lexer(name_.substr(name_.rfind('/') + 1), {text_.data(), text_.size()});
    ENSURE_INPUT(lexer.peek().is(".version"), name_, "found \"{}\", expected \".version\" of PTX",
                 lexer.peek().value.substr(0, 20));
    while (lexer.peek().kind != Token::end) read_directive(lexer);
}

void Module::read_directive(Lexer& lexer) {
    const Token token = lexer.expect_word("a directive");
    if (token.is(".version") || token.is(".target")) {
        do lexer.next();
        while (lexer.take(","));
    } else if (token.is(".address_size")) {
        if (lexer.expect_integer("a number of bits") != 64)
            lexer.fail("another .address_size than 64 before this");
    } else if (token.is(".entry")) {
        read_entry(lexer);
    } else if (token.is(".shared")) {
        shared_.push_back(parse_variable(lexer));
        lexer.expect(";");
    } else if (token.is(".global") || token.is(".const")) {
        read_global(lexer);
    } else if (token.is(".file")) {
        read_file(lexer);
    } else if (token.is(".section")) {
        lexer.next();
        lexer.skip_body("a section");
    } else if (token.is(".func")) {  // called by name, where that is an error
        while (!lexer.peek().is("{") && !lexer.peek().is(";")) {
            if (lexer.peek().kind == Token::end) lexer.fail("expected '{' or ';'");
            lexer.next();
        }
        if (!lexer.take(";")) lexer.skip_body("a function");
    } else if (!token.is(".visible") && !token.is(".extern") && !token.is(".weak")) {
        lexer.fail(fmt::format("\"{}\" is no directive that is known here", token.value));
    }
}

void Module::read_entry(Lexer& lexer) {
    Entry entry;
    entry.name = lexer.expect_word("the name of a kernel").value;
    if (lexer.take("(") && !lexer.take(")")) {
        do {
            lexer.expect(".param");
            entry.parameters.push_back(parse_variable(lexer));
            if (entry.parameters.back().bytes == 0) lexer.fail("a parameter without a size");
        } while (lexer.take(","));
        lexer.expect(")");
    }
    while (!lexer.peek().is("{")) {
        const Token tuning = lexer.expect_word("'{' or a directive of " + entry.name);
        const bool limit = tuning.is(".maxntid") || tuning.is(".reqntid");
        if (limit) entry.most_threads.clear();
        if (lexer.peek().kind != Token::number) continue;
        do {
            const int64_t value = lexer.expect_integer("a number");
            if (limit) entry.most_threads.push_back(static_cast<unsigned>(value));
        } while (lexer.take(","));
    }
    entry.body = lexer.skip_body("the body of " + entry.name);
    ENSURE_INPUT(find(entry.name) == nullptr, name_, "two kernels named {}", entry.name);
    entries_.push_back(std::move(entry));
}

void Module::read_global(Lexer& lexer) {
    const Variable variable = parse_variable(lexer);
    std::vector<Chunk> memory(variable.bytes / sizeof(Chunk) + 1);
    if (lexer.take("=")) {
        auto* at = reinterpret_cast<unsigned char*>(memory.data());
        const auto* const end = at + variable.bytes;
        const bool list = lexer.take("{");
        do {
            const uint64_t value = parse_value(lexer);
            if (static_cast<size_t>(end - at) < variable.element_bytes)
                lexer.fail(fmt::format("too many values for {}", variable.name));
            std::memcpy(at, &value, variable.element_bytes);
            at += variable.element_bytes;
        } while (list && lexer.take(","));
        if (list) lexer.expect("}");
    }
    lexer.expect(";");
    globals_[variable.name] = std::move(memory);
}

void Module::read_file(Lexer& lexer) {
    const int64_t number = lexer.expect_integer("the number of a file");
    if (lexer.peek().kind != Token::text) lexer.fail("expected the name of a file");
    files_[number] = lexer.next().value;
    while (lexer.take(",")) lexer.next();  // its time and size
}

const Entry* Module::find(const std::string& mangled) const {
    for (const Entry& entry : entries_)
        if (entry.name == mangled) return &entry;
    return nullptr;
}

const Variable* Module::find_shared(const std::string& variable) const {
    for (const Variable& shared : shared_)
        if (shared.name == variable) return &shared;
    return nullptr;
}

unsigned char* Module::find_global(const std::string& variable) const {
    const auto found = globals_.find(variable);
    if (found == globals_.end()) return nullptr;
    // Kernels may write .global variables, which a const module has too.
    return reinterpret_cast<unsigned char*>(const_cast<Chunk*>(found->second.data()));
}

const char* Module::source_file(int64_t number) const {
    const auto found = files_.find(number);
    return found == files_.end() ? name_.c_str() : found->second.c_str();
}

}  // namespace simt::ptx
