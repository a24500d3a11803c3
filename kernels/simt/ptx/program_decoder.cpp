#include "kernels/simt/ptx/program_decoder.h"

#include <algorithm>
#include <initializer_list>

#include "kernels/core/check.h"

namespace simt::ptx {
namespace {

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
    lay_out_dynamic_shared();
    resolve();
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
    if (family == "wgmma" && operands.vectors == 2) name += ".registers";  // the left operand
    complete(name, operands);
    emit(name, operands.slots, operands.offset);
}

// Puts in operands that may be left out.
void Decoder::complete(const std::string& name, Operands& operands) {
    auto& slots = operands.slots;
    const auto begins = [&](const char* with) { return name.rfind(with, 0) == 0; };
    // What cp.async reads of its source: all of it.
    if ((begins("cp.async.ca") || begins("cp.async.cg")) && slots.size() == 3)
        slots.push_back(slots[2]);
    // The second result of a shuffle: whether the lane was within bounds.
    if (begins("shfl") && !operands.pair && !slots.empty())
        slots.insert(slots.begin() + 1, registers_.unused());
    // How many threads a barrier is for: 0, all of the block.
    const bool is_barrier = (begins("bar.") && !begins("bar.warp")) || begins("barrier.");
    if (is_barrier && name.find(".sync") != std::string::npos && slots.size() == 1)
        slots.push_back(registers_.of_constant(0));
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
}

}  // namespace simt::ptx
