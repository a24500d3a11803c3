// Arithmetic and comparisons of integers, and what only moves values.
#include <algorithm>
#include <limits>

#include "kernels/simt/ptx/instruction.h"

namespace simt::ptx {
namespace {

__extension__ using Int128 = __int128;
__extension__ using Unsigned128 = unsigned __int128;

// The product's type, which holds it whole.
template <typename T>
struct WideOf;
template <>
struct WideOf<uint16_t> {
    using Type = uint32_t;
};
template <>
struct WideOf<int16_t> {
    using Type = int32_t;
};
template <>
struct WideOf<uint32_t> {
    using Type = uint64_t;
};
template <>
struct WideOf<int32_t> {
    using Type = int64_t;
};
template <>
struct WideOf<uint64_t> {
    using Type = Unsigned128;
};
template <>
struct WideOf<int64_t> {
    using Type = Int128;
};
template <typename T>
using Wide = typename WideOf<T>::Type;

template <typename T>
constexpr unsigned kBits = sizeof(T) * 8;

// Arithmetic modulo 2^64, of which the low bits are the result's.
template <typename T>
constexpr uint64_t whole(T value) {
    return static_cast<uint64_t>(value);
}

template <typename T>
T high_half(T a, T b) {
    return static_cast<T>(Wide<T>(Wide<T>{a} * Wide<T>{b}) >> kBits<T>);
}

// What a chip answers to a division by zero is not in the ISA: here all bits are ones.
template <typename T>
T quotient(T a, T b) {
    if (b == 0) return static_cast<T>(~uint64_t{0});
    if (std::is_signed_v<T> && b == static_cast<T>(-1)) return static_cast<T>(0 - whole(a));
    return static_cast<T>(a / b);
}
template <typename T>
T remainder(T a, T b) {
    if (b == 0) return a;
    if (std::is_signed_v<T> && b == static_cast<T>(-1)) return 0;
    return static_cast<T>(a % b);
}

void add_arithmetic(Table& table) {
    for_types<uint16_t, uint32_t, uint64_t, int16_t, int32_t, int64_t>([&]<typename T>() {
        const std::string t = type_name<T>();
        define(table, "add" + t, [](T a, T b) { return static_cast<T>(whole(a) + whole(b)); });
        define(table, "sub" + t, [](T a, T b) { return static_cast<T>(whole(a) - whole(b)); });
        define(table, "mul.lo" + t, [](T a, T b) { return static_cast<T>(whole(a) * whole(b)); });
        define(table, "mul.hi" + t, [](T a, T b) { return high_half(a, b); });
        define(table, "mad.lo" + t,
               [](T a, T b, T c) { return static_cast<T>(whole(a) * whole(b) + whole(c)); });
        define(table, "mad.hi" + t,
               [](T a, T b, T c) { return static_cast<T>(whole(high_half(a, b)) + whole(c)); });
        define(table, "div" + t, [](T a, T b) { return quotient(a, b); });
        define(table, "rem" + t, [](T a, T b) { return remainder(a, b); });
        define(table, "min" + t, [](T a, T b) { return std::min(a, b); });
        define(table, "max" + t, [](T a, T b) { return std::max(a, b); });
    });
    for_types<uint16_t, uint32_t, int16_t, int32_t>([&]<typename T>() {
        const std::string t = type_name<T>();
        define(table, "mul.wide" + t, [](T a, T b) { return Wide<T>(Wide<T>{a} * Wide<T>{b}); });
        define(table, "mad.wide" + t, [](T a, T b, Wide<T> c) {
            return static_cast<Wide<T>>(whole(Wide<T>(Wide<T>{a} * Wide<T>{b})) + whole(c));
        });
    });
    for_types<int16_t, int32_t, int64_t>([&]<typename T>() {
        const std::string t = type_name<T>();
        define(table, "neg" + t, [](T a) { return static_cast<T>(0 - whole(a)); });
        define(table, "abs" + t,
               [](T a) { return static_cast<T>(a < 0 ? 0 - whole(a) : whole(a)); });
    });
}

void add_comparisons(Table& table) {
    for_types<uint16_t, uint32_t, uint64_t, int16_t, int32_t, int64_t>([&]<typename T>() {
        const std::string t = type_name<T>();
        define(table, "setp.eq" + t, [](T a, T b) { return a == b; });
        define(table, "setp.ne" + t, [](T a, T b) { return a != b; });
        const bool is_unsigned = std::is_unsigned_v<T>;
        const auto both = [&](const std::string& name, const std::string& other, auto f) {
            define(table, "setp." + name + t, f);
            if (is_unsigned) define(table, "setp." + other + t, f);
        };
        both("lt", "lo", [](T a, T b) { return a < b; });
        both("le", "ls", [](T a, T b) { return a <= b; });
        both("gt", "hi", [](T a, T b) { return a > b; });
        both("ge", "hs", [](T a, T b) { return a >= b; });
    });
    for_types<uint16_t, uint32_t, uint64_t>([&]<typename T>() {
        define(table, "setp.eq" + bits_name<T>(), [](T a, T b) { return a == b; });
        define(table, "setp.ne" + bits_name<T>(), [](T a, T b) { return a != b; });
    });
}

void add_moves(Table& table) {
    define(table, "mov.pred", [](bool x) { return x; });
    for_types<uint16_t, uint32_t, uint64_t>([&]<typename T>() {
        const std::string bits = std::to_string(kBits<T>);
        for (const char* kind : {".b", ".u", ".s", ".f"}) {
            const std::string type = kind + bits;
            define(table, "mov" + type, [](T x) { return x; });
            define(table, "selp" + type, [](T a, T b, bool which) { return which ? a : b; });
            define(table, "slct" + type + ".s32",
                   [](T a, T b, int32_t which) { return which >= 0 ? a : b; });
            define(table, "slct" + type + ".f32",
                   [](T a, T b, float which) { return which >= 0.0f ? a : b; });
        }
    });
}

// mov between a register and the parts of it in others, the lowest first.
template <typename Part, int n>
const Instruction* pack(const Instruction* i, uint64_t* registers, Frame&) {
    uint64_t whole = 0;
    for (int part = 0; part < n; ++part)
        whole |= uint64_t{static_cast<Part>(registers[i->slots[1 + part]])} << part * kBits<Part>;
    registers[i->slots[0]] = whole;
    return i + 1;
}
template <typename Part, int n>
const Instruction* unpack(const Instruction* i, uint64_t* registers, Frame&) {
    const uint64_t whole = registers[i->slots[n]];
    for (int part = 0; part < n; ++part)
        registers[i->slots[part]] = static_cast<Part>(whole >> part * kBits<Part>);
    return i + 1;
}

template <typename Part, int n>
void add_packs(Table& table) {
    const std::string name = "mov.b" + std::to_string(kBits<Part> * n);
    table.add(name + ".pack" + std::to_string(n), pack<Part, n>, n + 1, 1);
    table.add(name + ".unpack" + std::to_string(n), unpack<Part, n>, n + 1, n);
}

}  // namespace

void add_integer(Table& table) {
    add_arithmetic(table);
    add_comparisons(table);
    add_moves(table);
    add_packs<uint8_t, 2>(table);
    add_packs<uint8_t, 4>(table);
    add_packs<uint16_t, 2>(table);
    add_packs<uint16_t, 4>(table);
    add_packs<uint32_t, 2>(table);
}

}  // namespace simt::ptx
