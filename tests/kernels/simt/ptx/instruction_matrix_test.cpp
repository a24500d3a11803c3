// ldmatrix, stmatrix and mma.sync as PTX writes them, against the figures of the PTX ISA.

#include "tests/support/doctest.h"
#include "tests/support/emulated.h"
#include "tests/support/fragment_tables.h"
#include "tests/support/ptx.h"

namespace {

// Lane l has %r1 = l, %r4 = the address of row l of `rows`, %rd1 = that of its words of output.
const std::string kBegin =
    ".shared .align 16 .b8 rows[512];\n"
    "mov.u32 %r1, %tid.x; shl.b32 %r2, %r1, 4; mov.u32 %r3, rows; add.s32 %r4, %r3, %r2;\n"
    "mul.wide.u32 %rd1, %r1, 16; add.u64 %rd1, %rd30, %rd1;\n";
// Word w of its row is 16 * l + w, above it the same again.
const std::string kFill =
    "mad.lo.u32 %r5, %r1, 0x100010, 0; add.u32 %r6, %r5, 0x10001; add.u32 %r7, %r6, 0x10001;\n"
    "add.u32 %r8, %r7, 0x10001; st.shared.v4.u32 [%r4], {%r5, %r6, %r7, %r8};\n"
    "bar.warp.sync 0xffffffff;\n";
const std::string kStore = "st.global.v4.u32 [%rd1], {%r10, %r11, %r12, %r13};\n";

std::vector<uint32_t> words_of(const std::string& body) {
    return run_ptx(ptx_text(kBegin + body), 128, {.blocks = 1, .threads = 32});
}
std::string error_of(const std::string& body) {
    return message_of([&] { words_of(body); });
}
uint32_t both(uint32_t half) { return half | half << 16; }

}  // namespace

TEST_CASE("simt PTX: ldmatrix moves rows, or columns, to the lanes of the ISA's figure") {
    using namespace fragment_tables;
    const auto rows = words_of(
        kFill + "ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%r10, %r11, %r12, %r13}, [%r4];\n" +
        kStore);
    for (uint32_t m = 0; m < 4; ++m)
        for (uint32_t row = 0; row < 8; ++row)
            for (uint32_t p = 0; p < 4; ++p)
                CHECK(rows[4 * size_t(kMatrix[row][p]) + m] == both(16 * (8 * m + row) + p));
    // Addresses of lanes from 16 on do not count.
    const auto columns =
        words_of(kFill +
                 "mov.u32 %r12, 0; mov.u32 %r13, 0; setp.gt.u32 %p1, %r1, 15;\n"
                 "selp.b32 %r4, 99999, %r4, %p1;\n"
                 "ldmatrix.sync.aligned.m8n8.x2.trans.shared::cta.b16 {%r10, %r11}, [%r4];\n" +
                 kStore);
    for (uint32_t m = 0; m < 2; ++m)
        for (uint32_t p = 0; p < 4; ++p)
            for (uint32_t column = 0; column < 8; ++column) {
                const uint32_t above = 16 * (8 * m + 2 * p) + column / 2, below = above + 16;
                CHECK(columns[4 * size_t(kTransposed[p][column]) + m] == (above | below << 16));
            }
}

TEST_CASE("simt PTX: stmatrix is the way back") {
    const std::string there = "ldmatrix.sync.aligned.m8n8.x1.trans.shared.b16 {%r10}, [%r4];\n";
    const std::string back =
        "bar.warp.sync 0xffffffff; st.shared.u32 [%r4], 7; bar.warp.sync 0xffffffff;\n"
        "stmatrix.sync.aligned.m8n8.x1.trans.shared.b16 [%r4], {%r10};\n"
        "bar.warp.sync 0xffffffff;\n"
        "ld.shared.v4.u32 {%r10, %r11, %r12, %r13}, [%r4];\n";
    const auto words = words_of(kFill + there + back + kStore);
    for (uint32_t i = 0; i < 4 * 32; ++i)
        CHECK(words[i] == (i >= 32 && i % 4 == 0 ? 7 : both(16 * (i / 4) + i % 4)));
}

TEST_CASE("simt PTX: mma.sync sums products as the ISA lays them out") {
    // a is ones; of b, lane l holds the number l above a zero, and zeros; c is halves.
    const auto words = words_of(
        "cvt.rn.f32.u32 %f8, %r1; cvt.rn.bf16x2.f32 %r20, 0f00000000, %f8; mov.u32 %r21, 0;\n"
        "mov.u32 %r15, 0x3f803f80; mov.f32 %f1, 0f3F000000;\n"
        "mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%f2, %f3, %f4, %f5},\n"
        "{%r15, %r15, %r15, %r15}, {%r20, %r21}, {%f1, %f1, %f1, %f1};\n"
        "st.global.v4.f32 [%rd1], {%f2, %f3, %f4, %f5};\n");
    for (uint32_t lane = 0; lane < 32; ++lane)
        for (uint32_t i = 0; i < 4; ++i) {
            const uint32_t column = 2 * (lane % 4) + i % 2;  // of b: lanes 4 column and 3 more
            CHECK(std::bit_cast<float>(words[4 * lane + i]) == float(16 * column + 6) + 0.5f);
        }
}

TEST_CASE("simt PTX: rows of matrices lie in shared memory, at multiples of 16") {
    // Which lane says so first depends on their order.
    const std::string load = "ldmatrix.sync.aligned.m8n8.x1.shared.b16 {%r10}, [%r4+";
    for (const char* offset : {"8];", "496];"})
        CHECK(contains(error_of(kFill + load + offset), "of 512 bytes of shared memory"));
    CHECK(contains(error_of("setp.eq.u32 %p1, %r1, 3; @%p1 ret;\n" + load + "0];"), "return"));
}
