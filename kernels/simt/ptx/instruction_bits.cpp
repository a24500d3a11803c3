// Bits: logic, shifts, fields, permutations of bytes.
#include <algorithm>
#include <bit>

#include "kernels/simt/ptx/instruction.h"

namespace simt::ptx {
namespace {

template <typename T>
constexpr unsigned kBits = sizeof(T) * 8;

template <typename T>
constexpr uint64_t whole(T value) {
    return static_cast<uint64_t>(value);
}

void add_logic(Table& table) {
    for_types<uint16_t, uint32_t, uint64_t>([&]<typename T>() {
        const std::string b = bits_name<T>();
        define(table, "and" + b, [](T x, T y) { return static_cast<T>(x & y); });
        define(table, "or" + b, [](T x, T y) { return static_cast<T>(x | y); });
        define(table, "xor" + b, [](T x, T y) { return static_cast<T>(x ^ y); });
        define(table, "not" + b, [](T x) { return static_cast<T>(~x); });
    });
    define(table, "and.pred", [](bool x, bool y) { return x && y; });
    define(table, "or.pred", [](bool x, bool y) { return x || y; });
    define(table, "xor.pred", [](bool x, bool y) { return x != y; });
    define(table, "not.pred", [](bool x) { return !x; });
    define(table, "lop3.b32", [](uint32_t a, uint32_t b, uint32_t c, uint32_t truth) {
        uint32_t result = 0;  // bit 4a+2b+c of the truth table, for each bit
        for (unsigned row = 0; row < 8; ++row)
            if ((truth >> row & 1) != 0)
                result |= (row & 4 ? a : ~a) & (row & 2 ? b : ~b) & (row & 1 ? c : ~c);
        return result;
    });
}

// Shifts by the width or more: zeros, or copies of the sign.
template <typename T>
T shift_right(T value, uint32_t by) {
    if (by >= kBits<T>) return static_cast<T>(value < 0 ? -1 : 0);
    return static_cast<T>(value >> by);
}

void add_shifts(Table& table) {
    for_types<uint16_t, uint32_t, uint64_t>([&]<typename T>() {
        using Signed = std::make_signed_t<T>;
        define(table, "shl" + bits_name<T>(),
               [](T x, uint32_t by) { return static_cast<T>(by < kBits<T> ? whole(x) << by : 0); });
        define(table, "shr" + type_name<Signed>(),
               [](Signed x, uint32_t by) { return shift_right(x, by); });
        for (const std::string& name : {type_name<T>(), bits_name<T>()})
            define(table, "shr" + name, [](T x, uint32_t by) { return shift_right(x, by); });
    });
    // Funnel shifts: 32 bits of the 64 of {high, low}.
    const auto left = [](uint32_t low, uint32_t high, uint32_t by) {
        return static_cast<uint32_t>((uint64_t{high} << 32 | low) << by >> 32);
    };
    const auto right = [](uint32_t low, uint32_t high, uint32_t by) {
        return static_cast<uint32_t>((uint64_t{high} << 32 | low) >> by);
    };
    using Left = decltype(left);
    using Right = decltype(right);
    define(table, "shf.l.wrap.b32",
           [](uint32_t a, uint32_t b, uint32_t by) { return Left{}(a, b, by & 31); });
    define(table, "shf.l.clamp.b32",
           [](uint32_t a, uint32_t b, uint32_t by) { return Left{}(a, b, std::min(by, 32u)); });
    define(table, "shf.r.wrap.b32",
           [](uint32_t a, uint32_t b, uint32_t by) { return Right{}(a, b, by & 31); });
    define(table, "shf.r.clamp.b32",
           [](uint32_t a, uint32_t b, uint32_t by) { return Right{}(a, b, std::min(by, 32u)); });
}

// `length` bits from bit `first` on; beyond the width lie copies of the sign, zeros if unsigned.
template <typename T>
T extract_field(T value, uint32_t first, uint32_t length) {
    using Bits = std::make_unsigned_t<T>;
    first &= 255, length &= 255;
    if (length == 0) return 0;
    const T shifted = shift_right(value, first);
    if (length >= kBits<T>) return shifted;
    const auto up = static_cast<Bits>(Bits(shifted) << (kBits<T> - length));
    // A field that reaches beyond the top ends in the value's own sign.
    const T field = shift_right(static_cast<T>(up), kBits<T> - length);
    return first + length > kBits<T> ? shifted : field;
}

template <typename T>
T insert_field(T field, T into, uint32_t first, uint32_t length) {
    first &= 255, length &= 255;
    if (first >= kBits<T> || length == 0) return into;
    const T mask = static_cast<T>(length >= kBits<T> ? ~T{0} : (T{1} << length) - 1) << first;
    return (into & ~mask) | (static_cast<T>(field << first) & mask);
}

template <typename T>
uint32_t highest_bit(T value) {  // that differs from the sign; all ones if none
    const auto bits = static_cast<std::make_unsigned_t<T>>(value < 0 ? ~value : value);
    return static_cast<uint32_t>(static_cast<int>(kBits<T>) - 1 - std::countl_zero(bits));
}

template <typename T>
T reversed(T value) {
    T result = 0;
    for (unsigned bit = 0; bit < kBits<T>; ++bit)
        result |= (value >> bit & 1) << (kBits<T> - 1 - bit);
    return result;
}

void add_fields(Table& table) {
    for_types<uint32_t, uint64_t, int32_t, int64_t>([&]<typename T>() {
        const std::string t = type_name<T>();
        define(table, "bfe" + t, [](T x, uint32_t first, uint32_t length) {
            return extract_field(x, first, length);
        });
        define(table, "bfind" + t, [](T x) { return highest_bit(x); });
        define(table, "bfind.shiftamt" + t, [](T x) {
            const uint32_t bit = highest_bit(x);
            return bit == ~0u ? bit : kBits<T> - 1 - bit;
        });
    });
    for_types<uint32_t, uint64_t>([&]<typename T>() {
        const std::string b = bits_name<T>();
        define(table, "bfi" + b, [](T field, T into, uint32_t first, uint32_t length) {
            return insert_field(field, into, first, length);
        });
        define(table, "brev" + b, [](T x) { return reversed(x); });
        define(table, "clz" + b, [](T x) { return static_cast<uint32_t>(std::countl_zero(x)); });
        define(table, "popc" + b, [](T x) { return static_cast<uint32_t>(std::popcount(x)); });
    });
}

// Byte n of {b, a}; with bit 3, its sign eight times.
uint32_t selected_byte(uint64_t bytes, uint32_t n) {
    const auto byte = static_cast<uint32_t>(bytes >> (n % 8 * 8)) & 255;
    if ((n & 8) == 0) return byte;
    return (byte & 128) != 0 ? 255 : 0;
}
uint32_t permuted(uint32_t a, uint32_t b, uint32_t selectors) {
    const uint64_t bytes = uint64_t{b} << 32 | a;
    uint32_t result = 0;
    for (uint32_t n = 0; n < 4; ++n)
        result |= selected_byte(bytes, selectors >> (4 * n) & 15) << (8 * n);
    return result;
}

// The modes of prmt: four selectors for each value of c's low two bits.
struct PermuteModes {
    static constexpr uint16_t f4e[] = {0x3210, 0x4321, 0x5432, 0x6543};
    static constexpr uint16_t b4e[] = {0x5670, 0x6701, 0x7012, 0x0123};
    static constexpr uint16_t rc8[] = {0x0000, 0x1111, 0x2222, 0x3333};
    static constexpr uint16_t ecl[] = {0x3210, 0x3211, 0x3222, 0x3333};
    static constexpr uint16_t ecr[] = {0x0000, 0x1110, 0x2210, 0x3210};
    static constexpr uint16_t rc16[] = {0x1010, 0x3232, 0x1010, 0x3232};
};

void add_permutations(Table& table) {
    using Modes = PermuteModes;
    define(table, "prmt.b32", [](uint32_t a, uint32_t b, uint32_t c) { return permuted(a, b, c); });
    define(table, "prmt.b32.f4e",
           [](uint32_t a, uint32_t b, uint32_t c) { return permuted(a, b, Modes::f4e[c & 3]); });
    define(table, "prmt.b32.b4e",
           [](uint32_t a, uint32_t b, uint32_t c) { return permuted(a, b, Modes::b4e[c & 3]); });
    define(table, "prmt.b32.rc8",
           [](uint32_t a, uint32_t b, uint32_t c) { return permuted(a, b, Modes::rc8[c & 3]); });
    define(table, "prmt.b32.ecl",
           [](uint32_t a, uint32_t b, uint32_t c) { return permuted(a, b, Modes::ecl[c & 3]); });
    define(table, "prmt.b32.ecr",
           [](uint32_t a, uint32_t b, uint32_t c) { return permuted(a, b, Modes::ecr[c & 3]); });
    define(table, "prmt.b32.rc16",
           [](uint32_t a, uint32_t b, uint32_t c) { return permuted(a, b, Modes::rc16[c & 3]); });
}

}  // namespace

void add_bits(Table& table) {
    add_logic(table);
    add_shifts(table);
    add_fields(table);
    add_permutations(table);
}

}  // namespace simt::ptx
