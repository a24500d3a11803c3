// cp.async, mbarriers and bulk copies as PTX writes them.

#include <algorithm>

#include "tests/support/doctest.h"
#include "tests/support/emulated.h"
#include "tests/support/ptx.h"

namespace {

// Lane l has %r1 = l, %r4 = the address of its 16 bytes of `values`, %rd1 that of its words of
// output, %rd2 that of its 16 bytes of input.
const std::string kBegin =
    ".shared .align 16 .b8 values[512]; .shared .align 8 .b8 mbarrier[8];\n"
    "mov.u32 %r1, %tid.x; shl.b32 %r2, %r1, 4; mov.u32 %r3, values; add.s32 %r4, %r3, %r2;\n"
    "mul.wide.u32 %rd1, %r1, 16; add.u64 %rd2, %rd31, %rd1; add.u64 %rd1, %rd30, %rd1;\n";
const std::string kStore =
    "ld.shared.v4.u32 {%r10, %r11, %r12, %r13}, [%r4];\n"
    "st.global.v4.u32 [%rd1], {%r10, %r11, %r12, %r13};\n";

std::vector<uint64_t> input() {
    std::vector<uint64_t> words;
    for (uint64_t i = 0; i < 64; ++i) words.push_back((2 * i + 2) << 32 | (2 * i + 1));
    return words;
}
// Of 32 lanes: word w of lane l is 4 l + w + 1 in the input.
std::vector<uint32_t> words_of(const std::string& body, uint32_t seed = 0) {
    std::vector<uint32_t> words;
    with_schedule(seed, [&] {
        words =
            run_ptx(ptx_text(kBegin + body + kStore), 128, {.blocks = 1, .threads = 32}, input());
    });
    return words;
}
std::string error_of(const std::string& body) {
    return message_of([&] { words_of(body); });
}

}  // namespace

TEST_CASE("simt PTX: cp.async copies and fills up, by the wait for its group") {
    for (const uint32_t seed : {0u, 1u, 2u}) {
        const auto words = words_of(
            "cp.async.ca.shared.global [%r4], [%rd2], 4; cp.async.commit_group;\n"
            "add.s32 %r5, %r4, 4; add.u64 %rd3, %rd2, 4; and.b32 %r6, %r1, 3;\n"
            "cp.async.ca.shared.global [%r5], [%rd3], 4, %r6; cp.async.commit_group;\n"
            "cp.async.wait_group 0; add.s32 %r5, %r4, 8; add.u64 %rd3, %rd2, 8;\n"
            "cp.async.ca.shared::cta.global [%r5], [%rd3], 8, 4; cp.async.wait_all;\n",
            seed);
        for (uint32_t lane = 0; lane < 32; ++lane) {
            CHECK(words[4 * lane] == 4 * lane + 1);
            CHECK(words[4 * lane + 1] == (lane % 4 == 0 ? 0 : 4 * lane + 2));  // one byte is it all
            CHECK(words[4 * lane + 2] == 4 * lane + 3);
            CHECK(words[4 * lane + 3] == 0);
        }
    }
}

TEST_CASE("simt PTX: what is read before the wait has not come") {
    // All ones, as shared memory begins.
    const auto words =
        words_of("cp.async.cg.shared.global [%r4], [%rd2], 16; cp.async.commit_group;\n" + kStore +
                 "mov.u64 %rd4, %rd1; cp.async.wait_group 1;\n"
                 "ld.shared.u32 %r20, [%r4]; cp.async.wait_group 0; st.shared.u32 [%r4], %r20;\n");
    for (uint32_t lane = 0; lane < 32; ++lane) {
        CHECK(words[4 * lane] == 0xffffffffu);
        CHECK(words[4 * lane + 1] == 4 * lane + 2);
    }
}

TEST_CASE("simt PTX: cp.async that cannot be ends the block") {
    const std::string wait = "cp.async.wait_all;";
    CHECK(contains(error_of("cp.async.ca.shared.global [%r4], [%rd2], 12;" + wait),
                   "a copy of 12 bytes, expected 4, 8 or 16"));
    CHECK(contains(error_of("cp.async.ca.shared.global [%r4], [%rd2], 4, 8;" + wait),
                   "fills 4 bytes with 8"));
    CHECK(contains(error_of("add.s32 %r5, %r4, 2; cp.async.ca.shared.global [%r5], [%rd2], 4;"),
                   "4 bytes at 2 of 520 bytes"));
    CHECK(contains(error_of("mov.u32 %r5, 528; cp.async.cg.shared.global [%r5], [%rd2], 16;"),
                   "16 bytes at 528 of 520 bytes"));
    CHECK(contains(error_of("cp.async.cg.shared.global [%r4], [%rd2], 16;"),
                   "returns without a wait for 1 copies"));
}

TEST_CASE("simt PTX: a bulk copy completes at its mbarrier") {
    const std::string begin =
        "mov.u32 %r5, mbarrier; setp.eq.u32 %p1, %r1, 0;\n"
        "@%p1 mbarrier.init.shared::cta.b64 [%r5], 1;\n"
        "@%p1 fence.mbarrier_init.release.cluster;\n"
        "bar.sync 0;\n"
        "mbarrier.test_wait.parity.shared::cta.b64 %p2, [%r5], 0;\n"
        "mbarrier.test_wait.parity.shared::cta.b64 %p3, [%r5], 1;\nbar.sync 0;\n";
    const std::string expect =
        "@%p1 mbarrier.expect_tx.relaxed.cta.shared::cta.b64 [%r5], 112;\n"
        "@%p1 mbarrier.arrive.expect_tx.shared::cta.b64 _, [%r5], 400;\n";
    const std::string copy =
        "@%p1 cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::bytes "
        "[%r3], [%rd31], 512, [%r5];\n"
        "LOOP:\nmbarrier.try_wait.parity.shared::cta.b64 %p4, [%r5], 0;\n@!%p4 bra LOOP;\n";
    // The second phase has no bytes: an arrival ends it.
    const std::string after =
        "bar.sync 0;\n@%p1 mbarrier.arrive.shared::cta.b64 _, [%r5];\nbar.sync 0;\n"
        "mbarrier.test_wait.parity.shared::cta.b64 %p5, [%r5], 1;\n"
        "selp.u32 %r6, 1, 0, %p2; selp.u32 %r7, 2, 0, %p3; selp.u32 %r8, 4, 0, %p5;\n"
        "add.u32 %r6, %r6, %r7; add.u32 %r6, %r6, %r8; bar.sync 0;\n"
        "setp.eq.u32 %p6, %r1, 31; @%p6 st.shared.u32 [%r4+12], %r6;\n";
    for (const uint32_t seed : {0u, 1u, 2u}) {
        const auto words = words_of(begin + expect + copy + after, seed);
        for (uint32_t i = 0; i < 127; ++i) CHECK(words[i] == i + 1);
        CHECK(words[127] == 6);  // over: parity 1 before, again at the end; not parity 0 before
    }
    CHECK(contains(error_of(begin + copy), "32 thread(s) wait for an mbarrier (phase 0, 1 of 1"));
    CHECK(
        contains(error_of("mbarrier.arrive.shared::cta.b64 _, [%r3];"), "uninitialised mbarrier"));
    CHECK(contains(error_of("mbarrier.arrive.shared::cta.b64 _, [%r3+4];"), "8 bytes at 4 of"));
}

TEST_CASE("simt PTX: an mbarrier that was invalidated is none, or may be another") {
    const std::string init =
        "mov.u32 %r5, mbarrier; setp.eq.u32 %p1, %r1, 0;\n@!%p1 bra END;\n"
        "mbarrier.init.shared::cta.b64 [%r5], 1;\n"
        "mbarrier.inval.shared::cta.b64 [%r5];\n";
    CHECK(error_of(init + "mbarrier.init.shared::cta.b64 [%r5], 1;\nEND: st.shared.u32 [%r4], 0;")
              .empty());
    CHECK(contains(error_of(init + "mbarrier.arrive.shared::cta.b64 _, [%r5];\nEND:"), "mbarrier"));
}

namespace {

// A matrix of 6 rows of 20 words, boxes of 4 rows of 16. Where it begins, thread 0 puts in.
std::vector<uint64_t> map_words() {
    const simt::TensorMap map{.rows = 6,
                              .columns = 20,
                              .row_bytes = 80,
                              .element_bytes = 4,
                              .box_rows = 4,
                              .box_columns = 16};
    std::vector<uint64_t> words(sizeof map / 8);
    std::memcpy(words.data(), &map, sizeof map);
    return words;
}
const std::string kBox =
    "cp.async.bulk.tensor.2d.global.shared::cta.bulk_group [%rd31, {%r10, %r11}], [%r3];\n";
const std::string kRun =
    "add.u64 %rd2, %rd30, 512; cp.async.bulk.global.shared::cta.bulk_group [%rd2], [%r12], 32;\n";

// What thread 0 of 64 leaves in the matrix, and in the 32 words behind; word w of shared memory is
// w + 1.
std::vector<uint32_t> stored(const std::string& body, uint32_t seed = 0) {
    const std::string begin =
        ".shared .align 128 .b8 values[256]; mov.u32 %r1, %tid.x; shl.b32 %r2, %r1, 2;\n"
        "mov.u32 %r3, values; add.u32 %r4, %r3, %r2; add.u32 %r5, %r1, 1; st.shared.u32 [%r4], "
        "%r5;\nfence.proxy.async.shared::cta; bar.sync 0; setp.ne.u32 %p1, %r1, 0; @%p1 bra END;\n"
        "st.global.u64 [%rd31], %rd30; prefetch.tensormap [%rd31];\n"
        "mov.u32 %r10, 8; mov.u32 %r11, 4; add.u32 %r12, %r3, 64;\n";
    std::vector<uint32_t> words;
    with_schedule(seed, [&] {
        words = run_ptx(ptx_text(begin + body + "END:"), 160, {.blocks = 1, .threads = 64},
                        map_words());
    });
    return words;
}
std::string error_of_store(const std::string& body) {
    return message_of([&] { stored(body); });
}

}  // namespace

TEST_CASE("simt PTX: bulk stores write a run, and of a box what lies in the matrix") {
    std::vector<uint32_t> expected(160);
    for (uint32_t row = 0; row < 2; ++row)  // of 4
        for (uint32_t column = 0; column < 12; ++column)
            expected[20 * (4 + row) + 8 + column] = 16 * row + column + 1;
    for (uint32_t i = 0; i < 8; ++i) expected[128 + i] = 16 + i + 1;
    const std::string commit = "cp.async.bulk.commit_group;\n";
    for (const uint32_t seed : {0u, 1u, 2u})
        CHECK(stored(kBox + commit + kRun + commit + "cp.async.bulk.wait_group.read 0;\n", seed) ==
              expected);
    // Read before the wait, written to afterwards.
    const std::string overwrite = "st.shared.u32 [%r3], 99;\n";
    CHECK(stored(kBox + commit + "cp.async.bulk.wait_group.read 0;\n" + overwrite)[88] == 1);
    CHECK(stored(kBox + commit + overwrite + "cp.async.bulk.wait_group.read 0;\n")[88] == 99);
    // Seen in device memory only after the other wait.
    const std::string look = "ld.global.u32 %r15, [%rd30+352]; st.global.u32 [%rd30], %r15;\n";
    CHECK(stored(kBox + commit + "cp.async.bulk.wait_group.read 0;\n" + look)[0] == 0);
    CHECK(stored(kBox + commit + "cp.async.bulk.wait_group 0;\n" + look)[0] == 1);
}

TEST_CASE("simt PTX: bulk stores that cannot be, or are not waited for, end the block") {
    const std::string commit = "cp.async.bulk.commit_group;\n";
    CHECK(contains(error_of_store(kBox), "returns without a commit for the store"));
    CHECK(contains(error_of_store(kBox + commit), "returns without a wait for the store"));
    CHECK(contains(error_of_store("add.u32 %r3, %r3, 128;\n" + kBox), "256 bytes at 128 of 256"));
    CHECK(contains(error_of_store("add.u32 %r12, %r12, 4;\n" + kRun), "32 bytes at 68 of 256"));
    CHECK(contains(error_of_store("add.u64 %rd31, %rd31, 8;\n" + kBox), "a tensor map at"));
}
