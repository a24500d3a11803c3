// Loads, stores and atomics. Addresses of .global, .const and .param, and generic ones, are the
// host's own: what they miss hits a guard page. .shared has a window of its own from address 0 on,
// .local the memory of the thread; both are checked here, and alignment everywhere.
#include <fmt/core.h>

#include <algorithm>
#include <atomic>
#include <cstring>

#include "kernels/simt/atomics.h"
#include "kernels/simt/ptx/instruction.h"
#include "kernels/simt/ptx/rounding.h"

namespace simt::ptx {

unsigned char* shared_at(const Instruction* i, const Frame& frame, uint64_t address, size_t bytes,
                         size_t alignment) {
    const auto offset = static_cast<uint32_t>(address);
    if (offset % alignment != 0 || offset > frame.shared_bytes ||
        bytes > frame.shared_bytes - offset)
        fail_at(frame, i,
                fmt::format("{} bytes at {} of {} bytes of shared memory", bytes, offset,
                            frame.shared_bytes));
    return frame.shared + offset;
}

namespace {

struct Global {
    static constexpr const char* kName = "global";
    static unsigned char* at(const Instruction* i, const Frame& frame, uint64_t address,
                             size_t bytes) {
        if (address % bytes != 0)
            fail_at(
                frame, i,
                fmt::format("{} bytes at {:#x}, expected a multiple of {}", bytes, address, bytes));
        return reinterpret_cast<unsigned char*>(address);
    }
};

struct Shared {
    static constexpr const char* kName = "shared";
    static unsigned char* at(const Instruction* i, const Frame& frame, uint64_t address,
                             size_t bytes) {
        return shared_at(i, frame, address, bytes, bytes);
    }
};

struct Local {
    static constexpr const char* kName = "local";
    static unsigned char* at(const Instruction* i, const Frame& frame, uint64_t address,
                             size_t bytes) {
        const uint64_t offset = address - reinterpret_cast<uint64_t>(frame.local);
        if (offset % bytes != 0 || offset > frame.local_bytes || bytes > frame.local_bytes - offset)
            fail_at(frame, i,
                    fmt::format("{} bytes at {} of {} bytes of local memory", bytes,
                                static_cast<int64_t>(offset), frame.local_bytes));
        return frame.local + offset;
    }
};

template <typename Space>
unsigned char* address_of(const Instruction* i, const uint64_t* registers, const Frame& frame,
                          int slot, size_t bytes) {
    const uint64_t base = registers[i->slots[slot]];
    return Space::at(i, frame, base + static_cast<uint64_t>(i->immediate), bytes);
}

// Results: n values, extended to the register as their type is. Then the address.
template <typename Space, typename T, int n>
const Instruction* load(const Instruction* i, uint64_t* registers, Frame& frame) {
    T values[n];
    std::memcpy(values, address_of<Space>(i, registers, frame, n, sizeof values), sizeof values);
    for (int k = 0; k < n; ++k) registers[i->slots[k]] = static_cast<uint64_t>(values[k]);
    return i + 1;
}

// The address, then n values.
template <typename Space, typename T, int n>
const Instruction* store(const Instruction* i, uint64_t* registers, Frame& frame) {
    T values[n];
    for (int k = 0; k < n; ++k) values[k] = static_cast<T>(registers[i->slots[1 + k]]);
    std::memcpy(address_of<Space>(i, registers, frame, 0, sizeof values), values, sizeof values);
    return i + 1;
}

template <typename Space, typename T, int n>
void add_access(Table& table, const std::string& type) {
    const std::string vector = n == 1 ? "" : ".v" + std::to_string(n);
    const std::string rest = std::string(".") + Space::kName + vector + type;
    table.add("ld" + rest, load<Space, T, n>, n + 1, n, sizeof(T) * n);
    table.add("st" + rest, store<Space, T, n>, n + 1, 0, sizeof(T) * n);
}

template <typename Space, int n>
void add_accesses(Table& table) {
    for_types<uint8_t, uint16_t, uint32_t, uint64_t, int8_t, int16_t, int32_t, int64_t>(
        [&]<typename T>() {
            if constexpr (sizeof(T) * n <= 16) {
                add_access<Space, T, n>(table, type_name<T>());
                if (std::is_signed_v<T>) return;
                add_access<Space, T, n>(table, bits_name<T>());
                if (sizeof(T) >= 4)
                    add_access<Space, T, n>(table, ".f" + std::to_string(sizeof(T) * 8));
            }
        });
}

// ---- atomics ----

template <typename Space, typename T, typename F, bool answers>
const Instruction* update(const Instruction* i, uint64_t* registers, Frame& frame) {
    const int address = answers ? 1 : 0;
    auto* at = reinterpret_cast<T*>(address_of<Space>(i, registers, frame, address, sizeof(T)));
    const T operand = from_slot<T>(registers[i->slots[address + 1]]);
    const T before = read_modify_write(at, [=](T old) { return F{}(old, operand); });
    if (answers) registers[i->slots[0]] = to_slot<T>(before);
    return i + 1;
}
template <typename Space, typename T, typename F>
void add_update(Table& table, const std::string& name, const std::string& type, F) {
    const std::string rest = std::string(".") + Space::kName + "." + name + type;
    table.add("atom" + rest, update<Space, T, F, true>, 3, 1);
    table.add("red" + rest, update<Space, T, F, false>, 2, 0);
}

template <typename Space, typename T>
const Instruction* compare_and_swap(const Instruction* i, uint64_t* registers, Frame& frame) {
    auto* at = reinterpret_cast<T*>(address_of<Space>(i, registers, frame, 1, sizeof(T)));
    const T expected = from_slot<T>(registers[i->slots[2]]);
    const T value = from_slot<T>(registers[i->slots[3]]);
    const T before = read_modify_write(at, [=](T old) { return old == expected ? value : old; });
    registers[i->slots[0]] = to_slot<T>(before);
    return i + 1;
}

template <typename Space>
void add_atomics(Table& table) {
    for_types<uint32_t, uint64_t, int32_t, float, double>([&]<typename T>() {
        add_update<Space, T>(table, "add", type_name<T>(), [](T old, T x) {
            if constexpr (std::is_signed_v<T> && std::is_integral_v<T>)
                return static_cast<T>(static_cast<uint32_t>(old) + static_cast<uint32_t>(x));
            if constexpr (std::is_same_v<T, float> && std::is_same_v<Space, Global>)
                return flushed(flushed(old) + flushed(x));  // as the ISA says of .global
            return static_cast<T>(old + x);
        });
    });
    for_types<uint32_t, uint64_t, int32_t, int64_t>([&]<typename T>() {
        add_update<Space, T>(table, "min", type_name<T>(), [](T a, T b) { return std::min(a, b); });
        add_update<Space, T>(table, "max", type_name<T>(), [](T a, T b) { return std::max(a, b); });
    });
    for_types<uint32_t, uint64_t>([&]<typename T>() {
        const std::string type = bits_name<T>();
        add_update<Space, T>(table, "exch", type, [](T, T x) { return x; });
        add_update<Space, T>(table, "and", type, [](T old, T x) { return old & x; });
        add_update<Space, T>(table, "or", type, [](T old, T x) { return old | x; });
        add_update<Space, T>(table, "xor", type, [](T old, T x) { return old ^ x; });
        table.add(std::string("atom.") + Space::kName + ".cas" + type, compare_and_swap<Space, T>,
                  4, 1);
    });
}

// ---- addresses ----

const Instruction* shared_to_generic(const Instruction* i, uint64_t* registers, Frame& frame) {
    registers[i->slots[0]] =
        reinterpret_cast<uint64_t>(frame.shared) + static_cast<uint32_t>(registers[i->slots[1]]);
    return i + 1;
}
const Instruction* generic_to_shared(const Instruction* i, uint64_t* registers, Frame& frame) {
    registers[i->slots[0]] = registers[i->slots[1]] - reinterpret_cast<uint64_t>(frame.shared);
    return i + 1;
}

void add_address_conversions(Table& table) {
    for (const char* space : {"global", "const", "local", "param"})
        for (const char* direction : {"", "to."})
            define(table, std::string("cvta.") + direction + space + ".u64",
                   [](uint64_t address) { return address; });
    table.add("cvta.shared.u64", shared_to_generic, 2, 1);
    table.add("cvta.to.shared.u64", generic_to_shared, 2, 1);
}

const Instruction* fence(const Instruction* i, uint64_t*, Frame&) {
    std::atomic_thread_fence(std::memory_order_seq_cst);
    return i + 1;
}

}  // namespace

void add_memory(Table& table) {
    for_types<Global, Shared, Local>([&]<typename Space>() {
        add_accesses<Space, 1>(table);
        add_accesses<Space, 2>(table);
        add_accesses<Space, 4>(table);
    });
    for_types<Global, Shared>([&]<typename Space>() { add_atomics<Space>(table); });
    add_address_conversions(table);
    for (const char* scope : {"cta", "gl", "sys"})
        table.add(std::string("membar.") + scope, fence, 0, 0);
    for (const char* scope : {"cta", "cluster", "gpu", "sys"})
        for (const char* order : {"sc", "acq_rel"})
            table.add(fmt::format("fence.{}.{}", order, scope), fence, 0, 0);
}

}  // namespace simt::ptx
