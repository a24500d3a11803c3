// Each group of instructions on values whose results the PTX ISA fixes.

#include "kernels/simt/ptx/instruction.h"

#include <cfenv>
#include <cmath>
#include <limits>

#include "kernels/simt/ptx/rounding.h"
#include "tests/support/devices.h"
#include "tests/support/doctest.h"
#include "tests/support/ptx.h"

namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
constexpr float kSmallest = std::numeric_limits<float>::denorm_min();
constexpr float kLargest = std::numeric_limits<float>::max();
constexpr uint32_t kCanonicalNan = 0x7fffffff;

template <typename... Values>
uint32_t r(const std::string& body, Values... values) {
    return evaluate_ptx(body, values...).r;
}
template <typename... Values>
uint64_t rd(const std::string& body, Values... values) {
    return evaluate_ptx(body, values...).rd;
}
template <typename... Values>
float f(const std::string& body, Values... values) {
    return evaluate_ptx(body, values...).f;
}
template <typename... Values>
uint32_t f_bits(const std::string& body, Values... values) {
    return evaluate_ptx(body, values...).f_bits;
}
template <typename... Values>
bool p(const std::string& body, Values... values) {
    return evaluate_ptx(body, values...).p;
}

}  // namespace

TEST_CASE("simt PTX: integers wrap around; halves of products are those of the type") {
    CHECK(r("add.s32 %r15, %r0, %r1;", 0x7fffffff, 1) == 0x80000000u);
    CHECK(r("sub.u32 %r15, %r0, %r1;", 1, 2) == 0xffffffffu);
    CHECK(evaluate_ptx("add.u16 %rs15, %rs0, %rs1;", 0xffff, 2).rs == 1);
    CHECK(evaluate_ptx("mul.lo.u16 %rs15, %rs0, %rs1;", 0xffff, 0xffff).rs == 1);
    CHECK(rd("mul.wide.s32 %rd15, %r0, %r1;", -3, 5) == static_cast<uint64_t>(-15));
    CHECK(rd("mul.wide.u32 %rd15, %r0, %r1;", -3, 5) == 5 * uint64_t{0xfffffffd});
    CHECK(r("mul.wide.s16 %r15, %rs0, %rs1;", -3, 5) == static_cast<uint32_t>(-15));
    CHECK(r("mul.hi.u32 %r15, %r0, %r1;", 0xffffffffu, 0xffffffffu) == 0xfffffffeu);
    CHECK(r("mul.hi.s32 %r15, %r0, %r1;", -1, 1) == 0xffffffffu);
    CHECK(rd("mul.hi.u64 %rd15, %rd0, %rd1;", ~uint64_t{0}, ~uint64_t{0}) == ~uint64_t{1});
    CHECK(rd("mul.hi.s64 %rd15, %rd0, %rd1;", int64_t{-1}, int64_t{1}) == ~uint64_t{0});
    CHECK(r("mad.lo.s32 %r15, %r0, %r1, %r2;", -4, 6, 25) == 1);
    CHECK(rd("mad.wide.s32 %rd15, %r0, %r1, %rd2;", -4, 6, int64_t{25}) == 1);
    CHECK(r("mad.hi.u32 %r15, %r0, %r1, %r2;", 0x80000000u, 6, 7) == 10);
}

TEST_CASE("simt PTX: division truncates; minimum, maximum and absolute value know the sign") {
    CHECK(r("div.s32 %r15, %r0, %r1;", -7, 2) == static_cast<uint32_t>(-3));
    CHECK(r("rem.s32 %r15, %r0, %r1;", -7, 2) == static_cast<uint32_t>(-1));
    CHECK(r("div.u32 %r15, %r0, %r1;", -7, 2) == 0x7ffffffcu);
    CHECK(r("div.s32 %r15, %r0, %r1;", std::numeric_limits<int>::min(), -1) == 0x80000000u);
    CHECK(r("rem.s32 %r15, %r0, %r1;", std::numeric_limits<int>::min(), -1) == 0);
    CHECK_NOTHROW(r("div.s32 %r15, %r0, %r1;", 1, 0));  // any value, but no trap
    CHECK(r("min.s32 %r15, %r0, %r1;", -1, 1) == 0xffffffffu);
    CHECK(r("min.u32 %r15, %r0, %r1;", -1, 1) == 1);
    CHECK(rd("max.s64 %rd15, %rd0, %rd1;", int64_t{-1}, int64_t{-2}) == ~uint64_t{0});
    CHECK(r("abs.s32 %r15, %r0;", -5) == 5);
    CHECK(r("neg.s32 %r15, %r0;", 5) == static_cast<uint32_t>(-5));
}

TEST_CASE("simt PTX: a shift by the width or more leaves zeros, or the sign") {
    CHECK(r("shl.b32 %r15, %r0, %r1;", 1, 31) == 0x80000000u);
    CHECK(r("shl.b32 %r15, %r0, %r1;", 1, 32) == 0);
    CHECK(r("shl.b32 %r15, %r0, %r1;", 1, 0xffffffffu) == 0);
    CHECK(r("shr.u32 %r15, %r0, %r1;", -1, 33) == 0);
    CHECK(r("shr.s32 %r15, %r0, %r1;", -8, 1) == static_cast<uint32_t>(-4));
    CHECK(r("shr.s32 %r15, %r0, %r1;", -8, 40) == 0xffffffffu);
    CHECK(rd("shl.b64 %rd15, %rd0, %r1;", 3, 63) == uint64_t{1} << 63);
    CHECK(rd("shr.s64 %rd15, %rd0, %r1;", int64_t{-1}, 64) == ~uint64_t{0});
    CHECK(rd("shr.u64 %rd15, %rd0, %r1;", int64_t{-1}, 64) == 0);
    CHECK(evaluate_ptx("shl.b16 %rs15, %rs0, %r1;", 1, 16).rs == 0);
    CHECK(evaluate_ptx("shr.s16 %rs15, %rs0, %r1;", 0x8000, 20).rs == 0xffff);
}

TEST_CASE("simt PTX: funnel shifts take 32 of 64 bits, and wrap or clamp the distance") {
    const uint32_t low = 0x11223344, high = 0xaabbccdd;
    CHECK(r("shf.l.wrap.b32 %r15, %r0, %r1, %r2;", low, high, 8) == 0xbbccdd11u);
    CHECK(r("shf.l.wrap.b32 %r15, %r0, %r1, %r2;", low, high, 40) == 0xbbccdd11u);
    CHECK(r("shf.l.clamp.b32 %r15, %r0, %r1, %r2;", low, high, 40) == low);
    CHECK(r("shf.r.wrap.b32 %r15, %r0, %r1, %r2;", low, high, 8) == 0xdd112233u);
    CHECK(r("shf.r.wrap.b32 %r15, %r0, %r1, %r2;", low, high, 32) == low);
    CHECK(r("shf.r.clamp.b32 %r15, %r0, %r1, %r2;", low, high, 32) == high);
}

TEST_CASE("simt PTX: fields of bits") {
    CHECK(r("bfe.u32 %r15, %r0, 4, 8;", 0xabcd1234u) == 0x23);
    CHECK(r("bfe.s32 %r15, %r0, 8, 4;", 0x00000800) == 0xfffffff8u);
    CHECK(r("bfe.u32 %r15, %r0, 28, 8;", 0xabcd1234u) == 0xa);
    CHECK(r("bfe.s32 %r15, %r0, 28, 8;", 0xabcd1234u) == 0xfffffffau);
    CHECK(r("bfe.s32 %r15, %r0, 40, 8;", 0x80000000u) == 0xffffffffu);  // the sign alone
    CHECK(r("bfe.u32 %r15, %r0, 40, 8;", 0x80000000u) == 0);
    CHECK(r("bfe.s32 %r15, %r0, 3, 0;", -1) == 0);
    CHECK(rd("bfe.u64 %rd15, %rd0, 32, 16;", 0x1234567890abcdef) == 0x5678);
    CHECK(r("bfi.b32 %r15, %r0, %r1, 8, 4;", 0x1f, 0xffff0000u) == 0xffff0f00u);
    CHECK(r("bfi.b32 %r15, %r0, %r1, 28, 8;", 0x1f, 0) == 0xf0000000u);
    CHECK(r("bfi.b32 %r15, %r0, %r1, 32, 8;", 0x1f, 77) == 77);
    CHECK(r("bfi.b32 %r15, %r0, %r1, 0, 32;", 0x1f, 77) == 0x1f);
    CHECK(r("brev.b32 %r15, %r0;", 0x00000003) == 0xc0000000u);
    CHECK(r("clz.b32 %r15, %r0;", 0x00ff0000) == 8);
    CHECK(r("clz.b32 %r15, %r0;", 0) == 32);
    CHECK(r("clz.b64 %r15, %rd0;", 0) == 64);
    CHECK(r("popc.b32 %r15, %r0;", 0xf0f00001u) == 9);
    CHECK(r("bfind.u32 %r15, %r0;", 0x00010000) == 16);
    CHECK(r("bfind.u32 %r15, %r0;", 0) == 0xffffffffu);
    CHECK(r("bfind.s32 %r15, %r0;", -2) == 0);  // the highest bit that is not the sign
    CHECK(r("bfind.s32 %r15, %r0;", -1) == 0xffffffffu);
    CHECK(r("bfind.shiftamt.u32 %r15, %r0;", 0x00010000) == 15);
    CHECK(r("bfind.shiftamt.u32 %r15, %r0;", 0) == 0xffffffffu);
}

TEST_CASE("simt PTX: prmt picks bytes or their signs") {
    const uint32_t a = 0x83828180, b = 0x07060504;  // byte n of {b, a} ends in n
    CHECK(r("prmt.b32 %r15, %r0, %r1, 0x7531;", a, b) == 0x07058381u);
    CHECK(r("prmt.b32 %r15, %r0, %r1, 0x89cf;", a, b) == 0xffff0000u);
    CHECK(r("prmt.b32.f4e %r15, %r0, %r1, %r2;", a, b, 1) == 0x04838281u);
    CHECK(r("prmt.b32.b4e %r15, %r0, %r1, %r2;", a, b, 1) == 0x06078081u);
    CHECK(r("prmt.b32.rc8 %r15, %r0, %r1, %r2;", a, b, 2) == 0x82828282u);
    CHECK(r("prmt.b32.ecl %r15, %r0, %r1, %r2;", a, b, 2) == 0x83828282u);
    CHECK(r("prmt.b32.ecr %r15, %r0, %r1, %r2;", a, b, 1) == 0x81818180u);
    CHECK(r("prmt.b32.rc16 %r15, %r0, %r1, %r2;", a, b, 1) == 0x83828382u);
}

TEST_CASE("simt PTX: lop3 is any function of three bits") {
    const uint32_t a = 0xf0, b = 0xcc, c = 0xaa;  // the ISA's own names for the table's columns
    const auto lop3 = [&](const std::string& table) {
        return r("lop3.b32 %r15, %r0, %r1, %r2, " + table + ";", a, b, c) & 0xff;
    };
    CHECK(lop3("0x80") == (a & b & c));
    CHECK(lop3("0xfe") == (a | b | c));
    CHECK(lop3("0x96") == (a ^ b ^ c));
    CHECK(lop3("0x40") == (a & b & ~c));
    CHECK(lop3("0xca") == ((a & b) | (~a & c)));
    CHECK(lop3("0x1a") == 0x1a);  // any table: a, b and c are the columns themselves
    for (const unsigned x : {0u, 1u})
        for (const unsigned y : {0u, 1u}) {
            const std::string set = "setp.ne.u32 %p1, %r0, 0; setp.ne.u32 %p2, %r1, 0; ";
            CHECK(p(set + "and.pred %p15, %p1, %p2;", x, y) == (x && y));
            CHECK(p(set + "or.pred %p15, %p1, !%p2;", x, y) == (x || !y));
            CHECK(p(set + "xor.pred %p15, %p1, %p2;", x, y) == (x != y));
        }
}

TEST_CASE("simt PTX: mov packs and unpacks, the lowest part first") {
    CHECK(r("mov.b32 %r15, {%rs0, %rs1};", 0x1234, 0xabcd) == 0xabcd1234u);
    CHECK(rd("mov.b64 %rd15, {%r0, %r1};", 0x12345678, 0xabcdef01u) == 0xabcdef0112345678u);
    CHECK(r("mov.b64 {%r1, %r15}, %rd0;", 0xabcdef0112345678u) == 0xabcdef01u);
    CHECK(r("mov.b64 {%r15, _}, %rd0;", 0xabcdef0112345678u) == 0x12345678u);
    CHECK(r("mov.b64 {%rs1, %rs2, %rs3, %rs4}, %rd0; mov.b32 %r15, {%rs4, %rs1};",
            0xaaaabbbbccccddddu) == 0xddddaaaau);
    CHECK(r("mov.b32 %r15, %f0;", 1.0f) == 0x3f800000u);
}

TEST_CASE("simt PTX: comparisons, their combination and both results") {
    CHECK(p("setp.lt.s32 %p15, %r0, %r1;", -1, 1));
    CHECK(!p("setp.lt.u32 %p15, %r0, %r1;", -1, 1));
    CHECK(p("setp.hi.u32 %p15, %r0, %r1;", -1, 1));
    CHECK(p("setp.ge.s64 %p15, %rd0, %rd1;", int64_t{-1}, int64_t{-1}));
    CHECK(!p("setp.lt.f32 %p15, %f0, %f1;", kNan, 1.0f));
    CHECK(!p("setp.ne.f32 %p15, %f0, %f1;", kNan, 1.0f));
    CHECK(p("setp.ltu.f32 %p15, %f0, %f1;", kNan, 1.0f));
    CHECK(p("setp.neu.f32 %p15, %f0, %f0;", kNan));
    CHECK(p("setp.nan.f32 %p15, %f0, %f1;", 1.0f, kNan));
    CHECK(p("setp.num.f32 %p15, %f0, %f1;", 1.0f, kInfinity));
    CHECK(p("setp.eq.f32 %p15, %f0, %f1;", 0.0f, -0.0f));
    CHECK(p("setp.gt.f32 %p15, %f0, 0f00000000;", kSmallest));
    CHECK(!p("setp.gt.ftz.f32 %p15, %f0, 0f00000000;", kSmallest));
    const std::string c = "setp.eq.u32 %p1, %r2, 1; ";
    CHECK(p(c + "setp.lt.and.s32 %p15, %r0, %r1, %p1;", 1, 2, 1));
    CHECK(!p(c + "setp.lt.and.s32 %p15, %r0, %r1, %p1;", 1, 2, 0));
    CHECK(p(c + "setp.lt.and.s32 %p15, %r0, %r1, !%p1;", 1, 2, 0));
    CHECK(!p(c + "setp.lt.s32 %p2|%p15, %r0, %r1;", 1, 2, 0));
    CHECK(p(c + "setp.lt.or.s32 %p2|%p15, %r0, %r1, %p1;", 1, 2, 1));
    CHECK(!p(c + "setp.lt.and.s32 %p15|%p1, %r0, %r1, %p1;", 2, 1, 1));
    CHECK(r("setp.lt.s32 %p1, %r0, %r1; selp.b32 %r15, 7, 8, %p1;", 2, 1) == 8);
    CHECK(r("slct.u32.s32 %r15, 7, 8, %r0;", -1) == 8);
    CHECK(r("slct.u32.f32 %r15, 7, 8, %f0;", -0.0f) == 7);
}

TEST_CASE("simt PTX: a predicate guards an instruction, negated if it says so") {
    const std::string set = "mov.u32 %r15, 1; setp.eq.u32 %p1, %r0, 5; ";
    CHECK(r(set + "@%p1 mov.u32 %r15, 2;", 5) == 2);
    CHECK(r(set + "@%p1 mov.u32 %r15, 2;", 6) == 1);
    CHECK(r(set + "@!%p1 mov.u32 %r15, 2;", 5) == 1);
    CHECK(r(set + "@!%p1 mov.u32 %r15, 2;", 6) == 2);
    CHECK(r(set + "@!%p1 bra END; mov.u32 %r15, 3; END:", 5) == 3);
    CHECK(r(set + "@%p1 bra.uni END; mov.u32 %r15, 3; END:", 5) == 1);
    CHECK(r("mov.u32 %r15, 0; T: .branchtargets A, B, C; brx.idx %r0, T; A: add.u32 %r15, %r15, 1;"
            "B: add.u32 %r15, %r15, 10; C: add.u32 %r15, %r15, 100;",
            1) == 110);
}

TEST_CASE("simt PTX: f32 sums and products round as named") {
    const float big = 16777216.0f;  // 2^24: its successor is 2 away
    CHECK(f("add.rn.f32 %f15, %f0, %f1;", big, 1.0f) == big);
    CHECK(f("add.rp.f32 %f15, %f0, %f1;", big, 1.0f) == big + 2);
    CHECK(f("add.rz.f32 %f15, %f0, %f1;", -big, -1.0f) == -big);
    CHECK(f("add.rm.f32 %f15, %f0, %f1;", -big, -1.0f) == -big - 2);
    CHECK(f_bits("add.rm.f32 %f15, %f0, %f1;", 1.0f, -1.0f) == 0x80000000u);
    CHECK(f_bits("add.rn.f32 %f15, %f0, %f1;", 1.0f, -1.0f) == 0);
    CHECK(f("mul.rz.f32 %f15, %f0, %f1;", kLargest, 2.0f) == kLargest);
    CHECK(f("mul.rn.f32 %f15, %f0, %f1;", kLargest, 2.0f) == kInfinity);
    CHECK(f("sub.sat.f32 %f15, %f0, %f1;", 3.0f, 1.0f) == 1.0f);
    CHECK(f_bits("sub.sat.f32 %f15, %f0, %f1;", kNan, 1.0f) == 0);
    CHECK(f_bits("add.f32 %f15, %f0, %f1;", kInfinity, -kInfinity) == kCanonicalNan);
    CHECK(f("mul.f32 %f15, %f0, %f1;", kSmallest, 1.0f) == kSmallest);
    CHECK(f_bits("mul.ftz.f32 %f15, %f0, %f1;", -kSmallest, 1.0f) == 0x80000000u);
    CHECK(f("fma.rn.f32 %f15, %f0, %f0, %f1;", 1.0f + 0x1p-23f, -1.0f) == 0x1p-22f + 0x1p-46f);
    CHECK(evaluate_ptx("fma.rn.f64 %fd15, %fd0, %fd0, %fd1;", 1.0 + 0x1p-52, -1.0).fd ==
          0x1p-51 + 0x1p-104);
}

// The processor's own modes, which the interpreter does not use.
TEST_CASE("simt PTX: directed rounding agrees with the processor's modes on many numbers") {
    using simt::ptx::Rounding;
    const struct {
        int mode;
        float (*fused)(float, float, float);
        float (*add)(float, float);
        float (*multiply)(float, float);
    } kModes[] = {
        {FE_DOWNWARD, simt::ptx::multiply_add<Rounding::minus>, simt::ptx::add<Rounding::minus>,
         simt::ptx::multiply<Rounding::minus>},
        {FE_UPWARD, simt::ptx::multiply_add<Rounding::plus>, simt::ptx::add<Rounding::plus>,
         simt::ptx::multiply<Rounding::plus>},
        {FE_TOWARDZERO, simt::ptx::multiply_add<Rounding::zero>, simt::ptx::add<Rounding::zero>,
         simt::ptx::multiply<Rounding::zero>},
    };
    uint64_t state = 42;
    const auto random_float = [&] {  // any bits, or exponents close together
        state = state * 6364136223846793005u + 1442695040888963407u;
        const auto bits = static_cast<uint32_t>(state >> 32);
        return std::bit_cast<float>((state >> 31 & 1) != 0 ? bits
                                                           : (bits & 0x83ffffffu) | 0x3c000000u);
    };
    int different = 0;
    for (int i = 0; i < 200000; ++i) {
        volatile float a = random_float(), b = random_float(), c = random_float();
        if (i % 7 == 0) c = -a * b;
        for (const auto& [mode, fused, add, multiply] : kModes) {
            std::fesetround(mode);
            volatile float sum = a + b;
            volatile float product = a * b;
            volatile float whole =
                std::fma(static_cast<float>(a), static_cast<float>(b), static_cast<float>(c));
            std::fesetround(FE_TONEAREST);
            const auto differ = [](float x, float y) {
                return x == x ? std::bit_cast<uint32_t>(x) != std::bit_cast<uint32_t>(y) : y == y;
            };
            different += differ(sum, add(a, b)) + differ(product, multiply(a, b)) +
                         differ(whole, fused(a, b, c));
        }
    }
    CHECK(different == 0);
}

TEST_CASE("simt PTX: division, roots and functions at the values that the ISA names") {
    CHECK(f("div.rn.f32 %f15, %f0, %f1;", 1.0f, 3.0f) == 1.0f / 3.0f);
    CHECK(f("div.approx.f32 %f15, %f0, %f1;", 6.0f, 3.0f) == 2.0f);
    CHECK(f("div.approx.f32 %f15, %f0, %f1;", 0x1p127f, 0x1p127f) == 0.0f);  // beyond 2^126
    CHECK(f_bits("div.approx.f32 %f15, %f0, %f1;", kInfinity, 0x1p127f) == kCanonicalNan);
    CHECK(f("div.approx.f32 %f15, %f0, %f1;", 1.0f, 0.0f) == kInfinity);
    CHECK(f("rcp.approx.ftz.f32 %f15, %f0;", kSmallest) == kInfinity);
    CHECK(f_bits("rcp.rn.f32 %f15, %f0;", -kInfinity) == 0x80000000u);
    CHECK(f("sqrt.rn.f32 %f15, %f0;", 2.0f) == std::sqrt(2.0f));
    CHECK(f_bits("sqrt.approx.f32 %f15, %f0;", -1.0f) == kCanonicalNan);
    CHECK(f_bits("sqrt.approx.f32 %f15, %f0;", -0.0f) == 0x80000000u);
    CHECK(f("rsqrt.approx.f32 %f15, %f0;", 4.0f) == 0.5f);
    CHECK(f("rsqrt.approx.f32 %f15, %f0;", -0.0f) == -kInfinity);
    CHECK(f("ex2.approx.f32 %f15, %f0;", -3.0f) == 0.125f);
    CHECK(f("ex2.approx.f32 %f15, %f0;", -149.0f) == kSmallest);
    CHECK(f("ex2.approx.ftz.f32 %f15, %f0;", -149.0f) == 0.0f);
    CHECK(f("ex2.approx.ftz.f32 %f15, %f0;", -kInfinity) == 0.0f);
    CHECK(f("lg2.approx.f32 %f15, %f0;", 8.0f) == 3.0f);
    CHECK(f("lg2.approx.f32 %f15, %f0;", 0.0f) == -kInfinity);
    CHECK(f_bits("lg2.approx.f32 %f15, %f0;", -1.0f) == kCanonicalNan);
    CHECK(f("tanh.approx.f32 %f15, %f0;", kInfinity) == 1.0f);
    CHECK(evaluate_ptx("div.rn.f64 %fd15, %fd0, %fd1;", 1.0, 3.0).fd == 1.0 / 3.0);
    CHECK(evaluate_ptx("sqrt.rn.f64 %fd15, %fd0;", 2.0).fd == std::sqrt(2.0));
}

TEST_CASE("simt PTX: minimum and maximum take the number beside a NaN, and order zeros") {
    CHECK(f("min.f32 %f15, %f0, %f1;", kNan, 2.0f) == 2.0f);
    CHECK(f("max.f32 %f15, %f0, %f1;", 2.0f, kNan) == 2.0f);
    CHECK(f_bits("max.f32 %f15, %f0, %f1;", kNan, kNan) == kCanonicalNan);
    CHECK(f_bits("max.NaN.f32 %f15, %f0, %f1;", kNan, 2.0f) == kCanonicalNan);
    CHECK(f_bits("min.f32 %f15, %f0, %f1;", 0.0f, -0.0f) == 0x80000000u);
    CHECK(f_bits("min.f32 %f15, %f0, %f1;", -0.0f, 0.0f) == 0x80000000u);
    CHECK(f_bits("max.f32 %f15, %f0, %f1;", -0.0f, 0.0f) == 0);
    CHECK(f("max.f32 %f15, %f0, %f1;", -3.0f, 2.0f) == 2.0f);
    CHECK(f("min.f32 %f15, %f0, %f1;", -3.0f, 2.0f) == -3.0f);
    CHECK(f_bits("neg.f32 %f15, %f0;", 0.0f) == 0x80000000u);
    CHECK(f("abs.f32 %f15, %f0;", -2.5f) == 2.5f);
    CHECK(f("copysign.f32 %f15, %f0, %f1;", -1.0f, 3.0f) == -3.0f);
    CHECK(p("testp.subnormal.f32 %p15, %f0;", kSmallest));
    CHECK(!p("testp.finite.f32 %p15, %f0;", kInfinity));
}

TEST_CASE("simt PTX: cvt from float to integer rounds, clamps, and knows NaNs") {
    CHECK(r("cvt.rni.s32.f32 %r15, %f0;", 2.5f) == 2);
    CHECK(r("cvt.rni.s32.f32 %r15, %f0;", 3.5f) == 4);
    CHECK(r("cvt.rzi.s32.f32 %r15, %f0;", -2.9f) == static_cast<uint32_t>(-2));
    CHECK(r("cvt.rmi.s32.f32 %r15, %f0;", -2.1f) == static_cast<uint32_t>(-3));
    CHECK(r("cvt.rpi.s32.f32 %r15, %f0;", 2.1f) == 3);
    CHECK(r("cvt.rzi.s32.f32 %r15, %f0;", 3e9f) == 0x7fffffffu);
    CHECK(r("cvt.rzi.s32.f32 %r15, %f0;", -kInfinity) == 0x80000000u);
    CHECK(r("cvt.rzi.u32.f32 %r15, %f0;", -1.0f) == 0);
    CHECK(r("cvt.rzi.u32.f32 %r15, %f0;", kInfinity) == 0xffffffffu);
    CHECK(r("cvt.rzi.s32.f32 %r15, %f0;", kNan) == 0);
    CHECK(rd("cvt.rzi.s64.f32 %rd15, %f0;", kNan) == uint64_t{1} << 63);
    CHECK(r("cvt.rzi.u32.f64 %r15, %fd0;", double{kNan}) == 0x80000000u);
    CHECK(rd("cvt.rzi.u64.f64 %rd15, %fd0;", 0x1p64) == ~uint64_t{0});
    CHECK(rd("cvt.rni.s64.f64 %rd15, %fd0;", -0x1p63) == uint64_t{1} << 63);
    CHECK(evaluate_ptx("cvt.rzi.u16.f32 %rs15, %f0;", 70000.0f).rs == 0xffff);
}

TEST_CASE("simt PTX: cvt between integers truncates, extends or clamps") {
    CHECK(rd("cvt.s64.s32 %rd15, %r0;", -5) == static_cast<uint64_t>(-5));
    CHECK(rd("cvt.u64.u32 %rd15, %r0;", -5) == 0xfffffffbu);
    CHECK(r("cvt.u32.u64 %r15, %rd0;", 0x1234567890abcdef) == 0x90abcdefu);
    CHECK(r("cvt.s32.s8 %r15, %r0;", 0x1280) == 0xffffff80u);
    CHECK(r("cvt.u32.u16 %r15, %rs0;", 0xffff) == 0xffff);
    CHECK(r("cvt.sat.u8.s32 %r15, %r0;", 300) == 255);
    CHECK(r("cvt.sat.u8.s32 %r15, %r0;", -3) == 0);
    CHECK(r("cvt.sat.s32.u32 %r15, %r0;", 0xffffffffu) == 0x7fffffffu);
}

TEST_CASE("simt PTX: cvt between floats, and from integers") {
    CHECK(f("cvt.rn.f32.s32 %f15, %r0;", 16777217) == 16777216.0f);
    CHECK(f("cvt.rp.f32.s32 %f15, %r0;", 16777217) == 16777218.0f);
    CHECK(f("cvt.rn.f32.u32 %f15, %r0;", -1) == 0x1p32f);
    CHECK(f("cvt.rz.f32.u32 %f15, %r0;", -1) == 4294967040.0f);
    CHECK(f("cvt.rn.f32.u64 %f15, %rd0;", ~uint64_t{0}) == 0x1p64f);
    CHECK(evaluate_ptx("cvt.rn.f64.s32 %fd15, %r0;", -7).fd == -7.0);
    CHECK(evaluate_ptx("cvt.f64.f32 %fd15, %f0;", 1.5f).fd == 1.5);
    CHECK(f("cvt.rn.f32.f64 %f15, %fd0;", 1.0 + 0x1p-24) == 1.0f);
    CHECK(f("cvt.rp.f32.f64 %f15, %fd0;", 1.0 + 0x1p-24) == 1.0f + 0x1p-23f);
    CHECK(f("cvt.rm.f32.f64 %f15, %fd0;", -1e300) == -kInfinity);
    CHECK(f("cvt.rz.f32.f64 %f15, %fd0;", 1e300) == kLargest);
    CHECK(f("cvt.rni.f32.f32 %f15, %f0;", -2.5f) == -2.0f);
    CHECK(f("cvt.sat.f32.f32 %f15, %f0;", 1.5f) == 1.0f);
    CHECK(f_bits("cvt.sat.f32.f32 %f15, %f0;", kNan) == 0);
    CHECK(f_bits("cvt.ftz.f32.f32 %f15, %f0;", -kSmallest) == 0x80000000u);
    CHECK(f("cvt.rn.f32.s8 %f15, %r0;", 0xff) == -1.0f);
}

TEST_CASE("simt PTX: cvt to bf16 rounds to nearest even and keeps NaNs") {
    const auto rounded = [](float x) { return evaluate_ptx("cvt.rn.bf16.f32 %rs15, %f0;", x).rs; };
    CHECK(rounded(1.0f) == 0x3f80);
    CHECK(rounded(1.0f + 0x1p-8f) == 0x3f80);             // a tie, to even
    CHECK(rounded(1.0f + 0x1p-7f + 0x1p-8f) == 0x3f82);   // likewise
    CHECK(rounded(1.0f + 0x1p-8f + 0x1p-20f) == 0x3f81);  // more than half
    CHECK(rounded(kLargest) == 0x7f80);                   // infinity
    CHECK(rounded(kNan) == 0x7fff);
    CHECK(f("cvt.f32.bf16 %f15, %rs0;", 0xc040) == -3.0f);
    CHECK(r("cvt.rn.bf16x2.f32 %r15, %f0, %f1;", 2.0f, 1.0f) == 0x40003f80u);
    CHECK(r("mov.b32 {%rs1, %rs2}, %r0; cvt.u32.u16 %r15, %rs2;", 0x3f800000) == 0x3f80);
}
