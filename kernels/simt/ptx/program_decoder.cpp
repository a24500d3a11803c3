#include "kernels/simt/ptx/program_decoder.h"

#include <algorithm>
#include <initializer_list>

#include "kernels/core/check.h"

namespace simt::ptx {
namespace {

size_t round_up(size_t bytes, size_t alignment) {
    return (bytes + alignment - 1) / alignment * alignment;
}

std::vector<std::string> split(std::string_view name) {  // at dots
    std::vector<std::string> parts;
    for (size_t dot = 0; dot != std::string_view::npos;) {
        dot = name.find('.');
        parts.emplace_back(name.substr(0, dot));
        if (dot != std::string_view::npos) name.remove_prefix(dot + 1);
    }
    return parts;
}

bool is_one_of(std::string_view word, std::initializer_list<std::string_view> words) {
    return std::find(words.begin(), words.end(), word) != words.end();
}

constexpr size_t kMaxLocalBytes = 512 * 1024;  // of a thread, as on a chip

}  // namespace

void Decoder::fail(const std::string& message) const {
    throw InputError(fmt::format("{}:{}: kernel {}: {}", file_name(program_), line_,
                                 program_.entry().name, message));
}

void Decoder::run() {
    lay_out_parameters();
    while (lexer_.peek().kind != Token::end) {
        if (lexer_.take("{") || lexer_.take("}") || lexer_.take(";")) continue;
        line_ = lexer_.peek().line;
        if (lexer_.take("@")) {
            const bool negated = lexer_.take("!");
            const uint16_t guard = slot_of(lexer_.expect_word("a predicate").value);
            read_instruction(true, guard, negated);
            continue;
        }
        if (lexer_.peek().kind == Token::word && lexer_.peek().value[0] == '.') {
            read_directive(lexer_.next().value);
            continue;
        }
        read_instruction(false, 0, false);
    }
    push({.run = exit_thread});
    resolve();
}

// ---- directives ----

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

// ---- instructions ----

void Decoder::push(const Instruction& instruction) {
    program_.code.push_back(instruction);
    program_.origins_.push_back({source_file_, source_line_, line_});
}

void Decoder::emit(const std::string& name, const std::vector<uint16_t>& slots, int64_t offset) {
    const Form* form = all_instructions().find(name);
    if (form == nullptr)
        fail(fmt::format("the instruction \"{}\" is not known to the interpreter", name));
    if (slots.size() != static_cast<size_t>(form->slots))
        fail(fmt::format("\"{}\" with {} operands, expected {}", name, slots.size(), form->slots));
    for (int i = 0; i < form->results; ++i)
        if (!registers_.is_writable(slots[static_cast<size_t>(i)]))
            fail(fmt::format("\"{}\" writes to what is no register", name));
    Instruction instruction{.run = form->run, .immediate = offset};
    if (slots.size() <= kMaxSlots) {
        std::copy(slots.begin(), slots.end(), instruction.slots);
    } else {
        auto& more = program_.more_slots;
        instruction.immediate = static_cast<int64_t>(more.size());
        more.insert(more.end(), slots.begin(), slots.end());
    }
    push(instruction);
}

void Decoder::read_instruction(bool guarded, uint16_t guard, bool negated) {
    const std::string name(lexer_.expect_word("an instruction").value);
    if (!guarded && lexer_.take(":")) {
        if (lexer_.take(".branchtargets")) {
            auto& targets = targets_[name];
            do targets.emplace_back(lexer_.expect_word("a label").value);
            while (lexer_.take(","));
            lexer_.expect(";");
        } else if (!labels_.emplace(name, program_.code.size()).second) {
            fail(fmt::format("two labels {}", name));
        }
        return;
    }
    const std::string family = name.substr(0, name.find('.'));
    if (family != "bra" && family != "brx" && !all_instructions().has_family(family))
        fail(fmt::format("the instruction \"{}\" is not known to the interpreter", name));
    if (name == "bra" || name == "bra.uni") return read_branch(guarded, guard, negated);
    const size_t skip = program_.code.size();
    if (guarded) push({.run = negated ? branch_if : branch_unless, .slots = {guard}});
    if (name == "brx.idx" || name == "brx.idx.uni")
        read_indexed_branch();
    else
        read_plain(name);
    if (guarded) program_.code[skip].immediate = static_cast<int64_t>(program_.code.size() - skip);
    lexer_.expect(";");
}

void Decoder::emit_branch(Handler run, uint16_t condition, std::string_view label) {
    jumps_.push_back({program_.code.size(), std::string(label), line_});
    push({.run = run, .slots = {condition}});
}

void Decoder::read_branch(bool guarded, uint16_t guard, bool negated) {
    const std::string_view label = lexer_.expect_word("a label").value;
    emit_branch(!guarded ? branch : negated ? branch_unless : branch_if, guard, label);
    lexer_.expect(";");
}

void Decoder::read_indexed_branch() {
    const uint16_t index = read_value();
    lexer_.expect(",");
    const std::string list(lexer_.expect_word("a list of labels").value);
    const auto found = targets_.find(list);
    if (found == targets_.end()) fail(fmt::format("{} is no list of labels before this", list));
    push({.run = branch_by_index, .slots = {index, registers_.of_constant(found->second.size())}});
    for (const std::string& label : found->second) emit_branch(branch, 0, label);
}

void Decoder::read_plain(std::string name) {
    Operands operands = read_operands();
    const std::string family = name.substr(0, name.find('.'));
    if (family == "setp") return read_comparison(name, operands);
    if (family == "mov" && operands.vector_size > 0)
        name += fmt::format(".{}pack{}", operands.vector_first ? "un" : "", operands.vector_size);
    if (is_one_of(family, {"ld", "st", "atom", "red"})) name = memory_name(name, operands);
    // What cp.async reads of its source: all, if that is left out.
    if (family == "cp" && operands.addresses == 2 && operands.slots.size() == 3)
        operands.slots.push_back(operands.slots[2]);
    // Its second result, whether the lane was within bounds, may be left out.
    if (family == "shfl" && !operands.pair && !operands.slots.empty())
        operands.slots.insert(operands.slots.begin() + 1, registers_.unused());
    emit(name, operands.slots, operands.offset);
}

// setp.CMP[.BOOL][.ftz].TYPE p[|q], a, b[, c]: p is CMP BOOL c, q is not-CMP BOOL c.
void Decoder::read_comparison(const std::string& name, const Operands& operands) {
    auto parts = split(name);
    const bool combined = parts.size() > 2 && is_one_of(parts[2], {"and", "or", "xor"});
    const std::string combine = combined ? parts[2] : "";
    if (combined) parts.erase(parts.begin() + 2);
    std::string compare = parts[0];
    for (size_t i = 1; i < parts.size(); ++i) compare += "." + parts[i];

    const size_t results = operands.pair ? 2 : 1;
    if (operands.slots.size() != results + 2 + (combined ? 1 : 0))
        fail(fmt::format("\"{}\" with {} operands", name, operands.slots.size()));
    const auto* const values = operands.slots.data() + results;
    if (results == 1 && !combined) return emit(compare, {operands.slots[0], values[0], values[1]});
    const uint16_t yes = registers_.unused(), no = registers_.unused();
    emit(compare, {yes, values[0], values[1]});
    emit("not.pred", {no, yes});
    const uint16_t answers[] = {yes, no};
    if (combined)
        for (size_t i = 0; i < results; ++i)
            emit(combine + ".pred", {answers[i], answers[i], values[2]});
    for (size_t i = 0; i < results; ++i) emit("mov.pred", {operands.slots[i], answers[i]});
}

// The name without what makes no difference here: caches, and the strength of plain accesses.
std::string Decoder::memory_name(const std::string& name, const Operands& operands) {
    const auto parts = split(name);
    std::string space = "global", rest;
    for (size_t i = 1; i < parts.size(); ++i) {
        const std::string& part = parts[i];
        if (is_one_of(part, {"weak", "volatile", "relaxed", "cta", "cluster", "gpu", "sys", "nc",
                             "ca", "cg", "cs", "lu", "cv", "wb", "wt"}) ||
            part.rfind("L1::", 0) == 0 || part.rfind("L2::", 0) == 0)
            continue;
        if (is_one_of(part, {"global", "const", "shared", "shared::cta", "local", "param"}))
            space = part;
        else
            rest += "." + part;
    }
    if (space == "shared::cta") space = "shared";
    if (space == "const" || space == "param") space = "global";
    const std::string known = parts[0] + "." + space + rest;
    const Form* form = all_instructions().find(known);
    if (operands.parameter != nullptr && form != nullptr) {
        const size_t bytes = form->bytes;
        const auto offset = static_cast<uint64_t>(operands.offset);
        if (offset > operands.parameter->bytes || bytes > operands.parameter->bytes - offset)
            fail(fmt::format("\"{}\" reaches beyond the {} bytes of {}", name,
                             operands.parameter->bytes, operands.parameter->name));
    }
    return known;
}

// ---- the end ----

void Decoder::resolve() {
    for (const Jump& jump : jumps_) {
        const auto found = labels_.find(jump.label);
        line_ = jump.line;
        if (found == labels_.end()) fail(fmt::format("no label {}", jump.label));
        program_.code[jump.from].immediate =
            static_cast<int64_t>(found->second) - static_cast<int64_t>(jump.from);
    }
    program_.shared_bytes =
        round_up(program_.shared_bytes, dynamic_.empty() ? 1 : dynamic_alignment_);
    for (const uint16_t slot : dynamic_) program_.registers[slot] = program_.shared_bytes;
}

}  // namespace simt::ptx
