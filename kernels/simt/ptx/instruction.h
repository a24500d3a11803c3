// A decoded instruction, and the table of all instructions that the interpreter knows.
//
// Every operand is a slot of the thread's register file, constants and special registers too. An
// instruction is known by its full name, modifiers included ("fma.rn.ftz.f32"), so none can be
// overlooked. A function of values is all that most of them need:
//
//   define(table, "shl.b32", [](uint32_t a, uint32_t n) { return n < 32 ? a << n : 0u; });
//
// The arithmetic is the PTX ISA's (version 9.0): rounding, saturation and flushing as the name
// says. Results that the ISA leaves to the chip within an error bound (.approx) are the correctly
// rounded ones, or within 0.51 units in the last place.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <type_traits>
#include <unordered_map>
#include <unordered_set>
#include <utility>

namespace simt::ptx {

class Program;

// What a thread has besides registers.
struct Frame {
    const Program* program = nullptr;
    unsigned char* shared = nullptr;  // the window of its block: address 0 of .shared
    size_t shared_bytes = 0;
    unsigned char* local = nullptr;
    size_t local_bytes = 0;
    unsigned lane = 0;
};

struct Instruction;
// Runs one instruction and returns the next one to run, or null if the thread returns.
using Handler = const Instruction* (*)(const Instruction*, uint64_t* registers, Frame&);

struct Instruction {
    Handler run = nullptr;
    uint16_t slots[6] = {};        // results first, in the order of the text
    mutable uint32_t reached = 0;  // whether a thread ever ran it
    int64_t immediate = 0;         // offset of an address; distance of a branch, in instructions
};
constexpr size_t kMaxSlots = 6;

// All slots of an instruction that may have more than kMaxSlots.
const uint16_t* many_slots(const Instruction* i, const Frame& frame);

struct Form {
    Handler run = nullptr;
    int slots = 0;
    int results = 0;   // how many of them are written
    size_t bytes = 0;  // that a load or store moves
};

class Table {
public:
    void add(const std::string& name, Handler run, int slots, int results, size_t bytes = 0);
    const Form* find(const std::string& name) const;  // null if there is none
    // Whether a name begins so: "add", "ld", ...
    bool has_family(const std::string& family) const { return families_.count(family) != 0; }

private:
    std::unordered_map<std::string, Form> forms_;
    std::unordered_set<std::string> families_;
};
const Table& all_instructions();

// By file: instruction_integer.cpp, ...
void add_integer(Table& table);
void add_bits(Table& table);
void add_float(Table& table);
void add_convert(Table& table);
void add_memory(Table& table);
void add_matrix(Table& table);
void add_copies(Table& table);
void add_warpgroup(Table& table);
void add_control(Table& table);

// Branches, which the decoder puts in itself.
const Instruction* branch(const Instruction*, uint64_t*, Frame&);
const Instruction* branch_if(const Instruction*, uint64_t*, Frame&);      // slots[0] is true
const Instruction* branch_unless(const Instruction*, uint64_t*, Frame&);  // slots[0] is false
const Instruction* branch_by_index(const Instruction*, uint64_t*, Frame&);
const Instruction* exit_thread(const Instruction*, uint64_t*, Frame&);

// Ends the block with `message` and the place of the instruction.
[[noreturn]] void fail_at(const Frame& frame, const Instruction* at, const std::string& message);

// `bytes` of shared memory at an address of its window; fails if they are not within.
unsigned char* shared_at(const Instruction* i, const Frame& frame, uint64_t address, size_t bytes,
                         size_t alignment);

// ---- values in slots: the low bits; what lies above them is never read ----

template <typename T>
T from_slot(uint64_t slot) {
    if constexpr (std::is_same_v<T, bool>)
        return slot != 0;
    else if constexpr (std::is_same_v<T, float>)
        return std::bit_cast<float>(static_cast<uint32_t>(slot));
    else if constexpr (std::is_same_v<T, double>)
        return std::bit_cast<double>(slot);
    else
        return static_cast<T>(slot);
}
template <typename T>
uint64_t to_slot(T value) {
    if constexpr (std::is_same_v<T, float>)
        return std::bit_cast<uint32_t>(value);
    else if constexpr (std::is_same_v<T, double>)
        return std::bit_cast<uint64_t>(value);
    else if constexpr (std::is_same_v<T, bool>)
        return value;
    else
        return static_cast<std::make_unsigned_t<T>>(value);
}

// The instruction that writes F's result: slots[0] = F{}(slots[1], slots[2], ...).
template <typename F, typename Result, typename... Values>
struct Apply {
    template <size_t... n>
    static void compute(const Instruction& i, uint64_t* registers, std::index_sequence<n...>) {
        registers[i.slots[0]] =
            to_slot<Result>(F{}(from_slot<Values>(registers[i.slots[n + 1]])...));
    }
    static const Instruction* run(const Instruction* i, uint64_t* registers, Frame&) {
        compute(*i, registers, std::index_sequence_for<Values...>{});
        return i + 1;
    }
};
template <typename F, typename Result, typename... Values>
void define_as(Table& table, const std::string& name, Result (F::*)(Values...) const) {
    table.add(name, Apply<F, Result, Values...>::run, 1 + sizeof...(Values), 1);
}
// F has no state: its type says all.
template <typename F>
void define(Table& table, const std::string& name, F) {
    define_as<F>(table, name, &F::operator());
}

// ---- types ----

template <typename T>
std::string type_name() {  // ".u32", ".f64"
    if constexpr (std::is_same_v<T, bool>) return ".pred";
    const char kind = std::is_floating_point_v<T> ? 'f' : std::is_signed_v<T> ? 's' : 'u';
    return std::string(".") + kind + std::to_string(sizeof(T) * 8);
}
template <typename T>
std::string bits_name() {  // ".b32"
    return ".b" + std::to_string(sizeof(T) * 8);
}
template <typename... Types, typename Body>
void for_types(const Body& body) {
    (body.template operator()<Types>(), ...);
}

}  // namespace simt::ptx
