// Whole kernels as PTX: memory, threads that part and meet, launches, and what goes wrong.

#include "kernels/simt/ptx/interpreter.h"

#include <numeric>

#include "kernels/core/check.h"
#include "tests/support/doctest.h"
#include "tests/support/emulated.h"
#include "tests/support/ptx.h"
#include "tests/support/temporary_folder.h"

namespace {

// The Error of a kernel with this body on one block of 64 threads, in several orders.
std::string error_of_body(const std::string& body, const std::string& top = "") {
    std::string text;
    for (const uint32_t seed : {3u, 2u, 1u, 0u})
        with_schedule(seed, [&] {
            const PtxShape shape{.blocks = 1, .threads = 64, .shared_bytes = 64};
            text = message_of([&] { run_ptx(ptx_text(body, top), 64, shape); });
            CHECK(!text.empty());
        });
    return text;
}

// Stores %r15 as the thread's own word.
const std::string kStore =
    "\nmov.u32 %r30, %tid.x; mul.wide.u32 %rd29, %r30, 4; add.u64 %rd29, %rd30, %rd29;\n"
    "st.global.u32 [%rd29], %r15;\n";

std::vector<uint32_t> words_of_warp(const std::string& body, uint32_t seed = 0) {
    std::vector<uint32_t> words;
    with_schedule(
        seed, [&] { words = run_ptx(ptx_text(body + kStore), 32, {.blocks = 1, .threads = 32}); });
    return words;
}

}  // namespace

TEST_CASE("simt PTX: vectors of every width are loaded and stored whole") {
    CHECK(evaluate_ptx("ld.global.v2.u64 {%rd1, %rd2}, [%rd31]; add.u64 %rd15, %rd1, %rd2;",
                       uint64_t{1} << 40, uint64_t{5})
              .rd == (uint64_t{1} << 40) + 5);
    CHECK(evaluate_ptx("ld.global.v4.u16 {%rs1, %rs2, %rs3, %rs4}, [%rd31];"
                       "mov.b32 %r15, {%rs4, %rs2};",
                       0x4444333322221111u)
              .r == 0x22224444u);
    CHECK(evaluate_ptx("ld.global.nc.L1::no_allocate.v4.f32 {%f1, %f2, %f3, %f15}, [%rd31];",
                       uint64_t{0}, uint64_t{0x4000000000000000})
              .f == 2.0f);
    CHECK(evaluate_ptx("ld.global.s8 %r15, [%rd31+1];", 0x8000).r == 0xffffff80u);
    CHECK(evaluate_ptx("ld.global.u8 %r15, [%rd31+1];", 0x8000).r == 0x80);
    CHECK(evaluate_ptx("ld.global.s32 %rd15, [%rd31];", 0xfffffffbu).rd ==
          static_cast<uint64_t>(-5));
    const auto out = run_ptx(
        ptx_text("mov.u32 %r1, 1; mov.u32 %r2, 2; st.global.v4.b32 [%rd30+16], {%r1, %r2, 3, %r1};"
                 "mov.u16 %rs1, 0xffff; st.global.v2.u16 [%rd30+4], {%rs1, 7};"
                 "st.global.u8 [%rd30+2], 0x1ff;"),
        8, {});
    CHECK(out == std::vector<uint32_t>{0x00ff0000, 0x0007ffff, 0, 0, 1, 2, 3, 1});
}

TEST_CASE("simt PTX: shared variables, dynamic shared memory, constants and local memory") {
    const std::string top =
        ".extern .shared .align 16 .b8 dynamic[];\n.const .b32 table[3] = {5, 6, 7};\n";
    // Static memory comes first, dynamic memory behind it; generic addresses reach both.
    CHECK(run_ptx(
              ptx_text(".shared .align 4 .b8 fixed[20]; .local .align 8 .b8 own[16];\n"
                       "mov.u32 %r1, fixed; mov.u32 %r2, dynamic; sub.u32 %r3, %r2, %r1;\n"
                       "st.global.u32 [%rd30], %r3;\n"
                       "st.shared.u32 [fixed+16], 41; st.shared.u32 [%r2+60], 42;\n"
                       "cvta.shared.u64 %rd1, %rd0;\n"
                       "mov.u64 %rd2, fixed; cvta.shared.u64 %rd3, %rd2; ld.u32 %r4, [%rd3+16];\n"
                       "cvta.to.shared.u64 %rd4, %rd3; cvt.u32.u64 %r5, %rd4;\n"
                       "ld.shared.u32 %r6, [%r5+92]; st.global.v2.u32 [%rd30+8], {%r4, %r6};\n"
                       "mov.u64 %rd5, own; st.local.u64 [%rd5+8], 43; cvta.local.u64 %rd6, %rd5;\n"
                       "ld.u32 %r7, [%rd6+8]; mov.u64 %rd7, table; ld.const.u32 %r8, [%rd7+8];\n"
                       "ld.const.u32 %r9, [table+4]; add.u32 %r8, %r8, %r9;\n"
                       "st.global.v2.u32 [%rd30+16], {%r7, %r8};",
                       top),
              6, {.shared_bytes = 64}) == std::vector<uint32_t>{32, 0, 41, 42, 43, 13});
}

TEST_CASE("simt PTX: special registers") {
    const auto out = run_ptx(
        ptx_text("mov.u32 %r1, %tid.x; mov.u32 %r2, %tid.y; mov.u32 %r3, %ctaid.x;\n"
                 "mov.u32 %r4, %ntid.x; mov.u32 %r5, %ntid.y; mov.u32 %r6, %nctaid.x;\n"
                 "mad.lo.u32 %r7, %r2, %r4, %r1; mul.lo.u32 %r8, %r4, %r5;\n"
                 "mad.lo.u32 %r9, %r3, %r8, %r7; mul.wide.u32 %rd1, %r9, 16;\n"
                 "add.u64 %rd1, %rd30, %rd1; mov.u32 %r10, %laneid; mov.u32 %r11, %warpid;\n"
                 "mov.u32 %r12, %lanemask_lt;\n"
                 "st.global.v4.u32 [%rd1], {%r10, %r11, %r12, %r6};"),
        2 * 48 * 4, {.blocks = 2, .threads = {8, 6, 1}});
    for (uint32_t i = 0; i < 96; ++i) {
        const uint32_t lane = i % 48 % 32;
        const std::vector<uint32_t> expected{lane, i % 48 / 32, (1u << lane) - 1, 2};
        CHECK(std::equal(expected.begin(), expected.end(), out.begin() + 4 * i));
    }
}

TEST_CASE("simt PTX: threads that take different ways meet at barriers") {
    // Thread t loops t times, then all read what their neighbour wrote.
    const std::string body =
        ".shared .align 4 .b8 values[256];\nmov.u32 %r1, %tid.x; mov.u32 %r2, 0; mov.u32 %r3, 0;\n"
        "LOOP: setp.ge.u32 %p1, %r2, %r1; @%p1 bra DONE;\n"
        "add.u32 %r3, %r3, %r2; add.u32 %r2, %r2, 1; bra.uni LOOP;\nDONE:\n"
        "shl.b32 %r4, %r1, 2; mov.u32 %r5, values; add.u32 %r6, %r5, %r4;\n"
        "st.shared.u32 [%r6], %r3; bar.sync 0;\n"
        "xor.b32 %r7, %r1, 63; shl.b32 %r7, %r7, 2; add.u32 %r7, %r5, %r7;\n"
        "ld.shared.u32 %r15, [%r7];";
    for (const uint32_t seed : {0u, 1u, 2u, 12345u})
        with_schedule(seed, [&] {
            const auto out = run_ptx(ptx_text(body + kStore), 64, {.blocks = 1, .threads = 64});
            for (uint32_t t = 0; t < 64; ++t) CHECK(out[t] == (63 - t) * (62 - t) / 2);
        });
}

TEST_CASE("simt PTX: shuffles by the ISA's clamp and segments, with and without the predicate") {
    const std::string value = "mov.u32 %r1, %laneid; add.u32 %r1, %r1, 100; ";
    const struct {
        const char* text;
        uint32_t (*expected)(uint32_t lane);
    } kCases[] = {
        {"shfl.sync.bfly.b32 %r15, %r1, 16, 31, -1;", [](uint32_t l) { return 100 + (l ^ 16); }},
        {"shfl.sync.bfly.b32 %r15|%p1, %r1, 1, 31, 0xffffffff;",
         [](uint32_t l) { return 100 + (l ^ 1); }},
        {"shfl.sync.idx.b32 %r15, %r1, 5, 31, -1;", [](uint32_t) { return 105u; }},
        // Segments of 8 lanes: mask 0b11000 in bits 8 to 12.
        {"shfl.sync.idx.b32 %r15, %r1, 5, 0x181f, -1;", [](uint32_t l) { return 105 + l / 8 * 8; }},
        {"shfl.sync.up.b32 %r15, %r1, 1, 0x1800, -1;",
         [](uint32_t l) { return 100 + (l % 8 == 0 ? l : l - 1); }},
        {"shfl.sync.down.b32 %r15, %r1, 3, 0x181f, -1;",
         [](uint32_t l) { return 100 + (l % 8 < 5 ? l + 3 : l); }},
        {"shfl.sync.down.b32 %r2|%p1, %r1, 3, 0x181f, -1; selp.u32 %r15, 1, 0, %p1;",
         [](uint32_t l) { return l % 8 < 5 ? 1u : 0u; }},
        // A butterfly beyond the last lane of the clamp reads itself.
        {"shfl.sync.bfly.b32 %r15, %r1, 8, 11, -1;",
         [](uint32_t l) { return 100 + ((l ^ 8) <= 11 ? l ^ 8 : l); }},
        {"setp.lt.u32 %p1, %r1, 103; vote.sync.ballot.b32 %r15, %p1, -1;",
         [](uint32_t) { return 7u; }},
        {"setp.lt.u32 %p1, %r1, 103; vote.sync.ballot.b32 %r15, !%p1, -1;",
         [](uint32_t) { return ~7u; }},
        {"setp.lt.u32 %p1, %r1, 103; vote.sync.any.pred %p2, %p1, -1; vote.sync.all.pred %p3, %p1,"
         " -1; vote.sync.uni.pred %p4, %p3, -1; selp.u32 %r15, 1, 0, %p2; @%p3 mov.u32 %r15, 8; "
         "@%p4 add.u32 %r15, %r15, 2;",
         [](uint32_t) { return 3u; }},
        // Half of the warp.
        {"mov.u32 %r15, 0; setp.ge.u32 %p1, %r1, 116; @%p1 bra END;"
         "shfl.sync.bfly.b32 %r15, %r1, 4, 31, 0xffff; bar.warp.sync 0xffff; END:",
         [](uint32_t l) { return l < 16 ? 100 + (l ^ 4) : 0u; }},
    };
    for (const auto& test : kCases) {
        CAPTURE(test.text);
        for (const uint32_t seed : {0u, 1u, 2u}) {
            const auto words = words_of_warp(value + test.text, seed);
            for (uint32_t lane = 0; lane < 32; ++lane) CHECK(words[lane] == test.expected(lane));
        }
    }
}

TEST_CASE("simt PTX: atomics of all threads add up") {
    const auto out = run_ptx(
        ptx_text(".shared .align 4 .u32 count; st.shared.u32 [count], 0; bar.sync 0;\n"
                 "mov.u32 %r1, %tid.x; red.shared.add.u32 [count], 1; mov.f32 %f1, 0f3F000000;\n"
                 "atom.global.add.u32 %r2, [%rd30], %r1; red.relaxed.gpu.global.max.s32 "
                 "[%rd30+4], %r1;\nred.global.add.f32 [%rd30+8], %f1;\n"
                 "atom.global.cas.b32 %r3, [%rd30+12], 0, 77; atom.exch.b32 %r4, [%rd30+16], 5;\n"
                 "bar.sync 0; ld.shared.u32 %r5, [count]; st.global.u32 [%rd30+20], %r5;"),
        6, {.blocks = 4, .threads = 64});
    CHECK(out == std::vector<uint32_t>{4 * 2016, 63, 0x43000000, 77, 5, 64});
}

TEST_CASE("simt PTX: accesses outside of memory or unaligned end the block") {
    CHECK(contains(
        error_of_body("\n.shared .b8 x[12]; mov.u32 %r0, %tid.x; setp.ne.u32 %p1, %r0, 33;\n"
                      "@%p1 ret;\n"
                      "ld.shared.u32 %r1, [x+76];"),
        "block (0,0,0) thread (33,0,0) at test.ptx:15: 4 bytes at 76 of 76 bytes of "
        "shared memory"));
    CHECK(contains(error_of_body("mov.u32 %r1, -4; st.shared.u32 [%r1], 0;"),
                   "4 bytes at 4294967292 of 64 bytes of shared memory"));
    CHECK(contains(error_of_body("ld.shared.v4.f32 {%f0, %f1, %f2, %f3}, [%rd0+8];"), "16 bytes"));
    CHECK(contains(error_of_body("ld.global.u32 %r1, [%rd31+2];"), "expected a multiple of 4"));
    CHECK(contains(error_of_body("ld.global.v4.u32 {%r1,%r2,%r3,%r4}, [%rd30+4];"),
                   "expected a multiple of 16"));
    CHECK(contains(error_of_body("st.global.u32 [%rd30+256], 1;"), "outside every buffer"));
    CHECK(contains(error_of_body("ld.global.u32 %r1, [%rd30+-4096];"), "outside every buffer"));
    CHECK(contains(error_of_body(".local .b8 x[8]; mov.u64 %rd0, x; ld.local.u32 %r1, [%rd0+8];"),
                   "4 bytes at 8 of 8 bytes of local memory"));
    CHECK(contains(error_of_body("T: .branchtargets A; brx.idx 1, T; A:"), "target 1 of 1"));
    CHECK(contains(error_of_body("trap;"), "gives up"));
}

TEST_CASE("simt PTX: what the emulator says of barriers and lanes that do not come holds here") {
    const std::string half = "mov.u32 %r0, %tid.x; setp.lt.u32 %p1, %r0, 16; ";
    CHECK(contains(error_of_body(half + "@%p1 bar.sync 0;"), "__syncthreads"));
    CHECK(contains(error_of_body(half + "@%p1 ret; bar.warp.sync -1;"), "have returned"));
    CHECK(contains(error_of_body(half + "@%p1 bra A; bar.sync 0; bra B;\nA: bar.sync 0; B:"),
                   "while others wait at"));
    CHECK(contains(error_of_body(half + "@%p1 bar.sync 1;"), "returns while its warp waits"));
    CHECK(contains(error_of_body("bar.sync 16;"), "expected barrier 1 to 15"));
    CHECK(contains(error_of_body("bar.sync 1, 48;"), "expected a multiple of 32 up to"));
    CHECK(contains(error_of_body("bar.arrive 0, 32;"), "expected barrier 1 to 15"));
}

TEST_CASE("simt PTX: barriers by number let the threads that were counted go on") {
    // Warp 1 reads what warp 0 wrote; then all meet at barrier 5.
    const std::string body =
        ".shared .align 4 .b8 values[128]; mov.u32 %r1, %tid.x; setp.lt.u32 %p1, %r1, 32;\n"
        "and.b32 %r2, %r1, 31; shl.b32 %r3, %r2, 2; mov.u32 %r4, values; add.u32 %r4, %r4, %r3;\n"
        "mov.u32 %r15, 0; mov.u32 %r5, 3; mov.u32 %r6, 64; @!%p1 bra READ;\n"
        "st.shared.u32 [%r4], %r2; bar.arrive 3, 64; bra ALL;\n"
        "READ: bar.sync %r5, %r6; ld.shared.u32 %r15, [%r4]; ALL: bar.sync 5;\n";
    for (const uint32_t seed : {0u, 1u, 2u})
        with_schedule(seed, [&] {
            const auto out = run_ptx(ptx_text(body + kStore), 64, {.blocks = 1, .threads = 64});
            for (uint32_t t = 0; t < 64; ++t) CHECK(out[t] == (t < 32 ? 0 : t - 32));
        });
}

TEST_CASE("simt PTX: a launch takes the arguments and threads that the kernel was made for") {
    const simt::ptx::Module module(
        "a.ptx", ".version 9.0 .entry k(.param .u32 n, .param .u64 p) .maxntid 32, 1, 1 { ret; }");
    const simt::ptx::Program program(module, module.entries().front());
    const uint32_t n = 0;
    const uint64_t p = 0;
    const auto error = [&](unsigned threads, const std::vector<simt::ptx::Argument>& arguments) {
        return message_of([&] { simt::ptx::launch(program, 1, threads, 0, arguments); });
    };
    CHECK(error(32, {{&n, 4}, {&p, 8}}).empty());
    CHECK(contains(error(33, {{&n, 4}, {&p, 8}}), "a block of 33 threads, expected at most 32"));
    CHECK(contains(error(1, {{&n, 4}}), "1 arguments, expected 2"));
    CHECK(contains(error(1, {{&p, 8}, {&n, 4}}), "argument 0 has 8 bytes, expected 4"));
}
