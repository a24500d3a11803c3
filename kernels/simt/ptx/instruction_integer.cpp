// Arithmetic and comparisons of integers, and what only moves values.
#include <algorithm>

#include "kernels/simt/ptx/instruction.h"

namespace simt::ptx {
namespace {

__extension__ using Int128 = __int128;
__extension__ using Unsigned128 = unsigned __int128;

// The product's type, which holds it whole.
template <typename T>
auto wide_of() {
    constexpr bool is_signed = std::is_signed_v<T>;
    if constexpr (sizeof(T) == 2)
        return std::conditional_t<is_signed, int32_t, uint32_t>();
    else if constexpr (sizeof(T) == 4)
        return std::conditional_t<is_signed, int64_t, uint64_t>();
    else
        return std::conditional_t<is_signed, Int128, Unsigned128>();
}
template <typename T>
using Wide = decltype(wide_of<T>());

template <typename T>
constexpr unsigned kBits = sizeof(T) * 8;

// Arithmetic modulo 2^64, of which the low bits are the result's.
template <typename T>
constexpr uint64_t whole(T value) {
    return static_cast<uint64_t>(value);
}

template <typename T>
Wide<T> product(T a, T b) {
    return static_cast<Wide<T>>(Wide<T>{a} * Wide<T>{b});
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

template <typename Body>
void for_unsigned(const Body& body) {
    for_types<uint16_t, uint32_t, uint64_t>(body);
}
template <typename Body>
void for_signed(const Body& body) {
    for_types<int16_t, int32_t, int64_t>(body);
}
template <typename Body>
void for_integers(const Body& body) {
    for_unsigned(body), for_signed(body);
}

// What of the product of two T is kept, alone and in a sum.
template <typename T, typename Kept>
void define_product(Table& table, const std::string& rest, Kept) {
    using Result = decltype(Kept{}(T{}, T{}));
    define(table, "mul" + rest, Kept{});
    define(table, "mad" + rest,
           [](T a, T b, Result c) { return static_cast<Result>(whole(Kept{}(a, b)) + whole(c)); });
}

void add_arithmetic(Table& table) {
    for_integers([&]<typename T>() {
        const std::string t = type_name<T>();
        define(table, "add" + t, [](T a, T b) { return static_cast<T>(whole(a) + whole(b)); });
        define(table, "sub" + t, [](T a, T b) { return static_cast<T>(whole(a) - whole(b)); });
        define(table, "div" + t, [](T a, T b) { return quotient(a, b); });
        define(table, "rem" + t, [](T a, T b) { return remainder(a, b); });
        define(table, "min" + t, [](T a, T b) { return std::min(a, b); });
        define(table, "max" + t, [](T a, T b) { return std::max(a, b); });
        define_product<T>(table, ".lo" + t, [](T a, T b) { return static_cast<T>(product(a, b)); });
        define_product<T>(table, ".hi" + t,
                          [](T a, T b) { return static_cast<T>(product(a, b) >> kBits<T>); });
        if constexpr (sizeof(T) < 8)
            define_product<T>(table, ".wide" + t, [](T a, T b) { return product(a, b); });
    });
    for_signed([&]<typename T>() {
        const std::string t = type_name<T>();
        define(table, "neg" + t, [](T a) { return static_cast<T>(0 - whole(a)); });
        define(table, "abs" + t,
               [](T a) { return static_cast<T>(a < 0 ? 0 - whole(a) : whole(a)); });
    });
}

void add_comparisons(Table& table) {
    for_integers([&]<typename T>() {
        const std::string t = type_name<T>();
        const auto both = [&](const std::string& name, const std::string& of_unsigned, auto f) {
            define(table, "setp." + name + t, f);
            if (std::is_unsigned_v<T>) define(table, "setp." + of_unsigned, f);
        };
        both("eq", "eq" + bits_name<T>(), [](T a, T b) { return a == b; });
        both("ne", "ne" + bits_name<T>(), [](T a, T b) { return a != b; });
        both("lt", "lo" + t, [](T a, T b) { return a < b; });
        both("le", "ls" + t, [](T a, T b) { return a <= b; });
        both("gt", "hi" + t, [](T a, T b) { return a > b; });
        both("ge", "hs" + t, [](T a, T b) { return a >= b; });
    });
}

void add_moves(Table& table) {
    define(table, "mov.pred", [](bool x) { return x; });
    for_unsigned([&]<typename T>() {
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
