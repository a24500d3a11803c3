// wgmma and setmaxnreg as PTX writes them, against a plain double loop over the ISA's figures.

#include <array>

#include "kernels/core/check.h"
#include "tests/support/doctest.h"
#include "tests/support/ptx.h"
#include "tests/support/swizzled_box.h"

namespace {

constexpr int kRightAt = 8192, kBytes = kRightAt + 16384;  // of shared memory

// sums [64, columns] = left right, + 1. Depth 32, k the columns of both operands; or from
// registers: depth 16, k the rows of the right one, in boxes of 64 columns.
struct Product {
    int columns;
    bool from_registers;

    int depth() const { return from_registers ? 16 : 32; }
    int sums() const { return columns / 2; }  // of a thread
};
constexpr Product kProducts[] = {{64, false}, {128, false}, {64, true}, {128, true}};

// Small whole numbers: all sums are exact.
float left_at(int m, int k) { return float((3 * m + 5 * k + m * k) % 7 - 3); }
float right_at(int k, int n) { return float((7 * k + 3 * n + k * n) % 11 - 5); }

using Image = std::array<uint16_t, (kBytes + 128 * 16) / 2>;
void put(Image& image, int at, int row, int column, float value) {
    const int chunk = on_simt::kSwizzle[row % 8][column / 8];
    image[size_t(at / 2 + row * 64 + chunk * 8 + column % 8)] = bf16(value).bits;
}

// What shared memory is to hold; behind it each thread's four registers of the left operand.
std::vector<uint64_t> input_of(const Product& product) {
    Image image{};
    for (int k = 0; k < product.depth(); ++k) {
        for (int m = 0; m < 64; ++m) put(image, 0, m, k, left_at(m, k));
        for (int n = 0; n < product.columns; ++n)
            if (product.from_registers)
                put(image, kRightAt + n / 64 * 2048, k, n % 64, right_at(k, n));
            else
                put(image, kRightAt, n, k, right_at(k, n));
    }
    for (int t = 0; t < 128; ++t)
        for (int i = 0; i < 8; ++i) {
            const int row = 16 * (t / 32) + t % 32 / 4 + i / 2 % 2 * 8;
            const int column = t % 4 * 2 + i / 4 * 8 + i % 2;
            image[size_t(kBytes / 2 + 8 * t + i)] = bf16(left_at(row, column)).bits;
        }
    std::vector<uint64_t> words(sizeof image / 8);
    std::memcpy(words.data(), image.data(), sizeof image);
    return words;
}

// PTX ISA, "Matrix Descriptor Format": 8 rows are 1,024 bytes, boxes of columns 2,048 bytes apart.
uint64_t descriptor_of(int start) {
    return uint64_t{1} << 62 | uint64_t{1024 / 16} << 32 | 2048 / 16 << 16 | uint64_t(start / 16);
}

std::string body_of(const Product& product) {
    std::string sums, ones, stores;
    for (int i = 0; i < product.sums(); ++i) {
        const std::string s = "%s" + std::to_string(i);
        sums += (i > 0 ? ", " : "{") + s;
        ones += "mov.f32 " + s + ", 0f3F800000; ";
        stores += "st.global.f32 [%rd4+" + std::to_string(4 * i) + "], " + s + ";\n";
    }
    const std::string multiply = "wgmma.mma_async.sync.aligned.m64n" +
                                 std::to_string(product.columns) + "k16.f32.bf16.bf16 " + sums +
                                 "}, ";
    const std::string products = product.from_registers
                                     ? multiply + "{%r5, %r6, %r7, %r8}, %rd3, %p2, 1, 1, 1;\n"
                                     : multiply +
                                           "%rd2, %rd3, %p2, 1, 1, 0, 0;\n"
                                           "add.u64 %rd2, %rd2, 2; add.u64 %rd3, %rd3, 2;\n" +
                                           multiply + "%rd2, %rd3, %p1, 1, 1, 0, 0;\n";
    return ".reg .f32 %s<64>;\nmov.u32 %r1, %tid.x; mov.u32 %r2, memory; shl.b32 %r3, %r1, 4;\n"
           "mul.wide.u32 %rd1, %r1, 16; add.u64 %rd1, %rd31, %rd1; add.u32 %r4, %r2, %r3;\n"
           "COPY: ld.global.v4.u32 {%r5, %r6, %r7, %r8}, [%rd1];\n"
           "st.shared.v4.u32 [%r4], {%r5, %r6, %r7, %r8};\n"
           "add.u64 %rd1, %rd1, 2048; add.u32 %r4, %r4, 2048; setp.lt.u32 %p1, %r4, " +
           std::to_string(kBytes) +
           ";\n@%p1 bra COPY;\nld.global.v4.u32 {%r5, %r6, %r7, %r8}, [%rd1];\n"
           "fence.proxy.async.shared::cta; bar.sync 0;\n" +
           ones + "setp.eq.u32 %p1, %r1, %r1; setp.eq.u32 %p2, %r1, %r1;\nmov.u64 %rd2, " +
           std::to_string(descriptor_of(0)) + "; mov.u64 %rd3, " +
           std::to_string(descriptor_of(kRightAt)) + ";\nwgmma.fence.sync.aligned;\n" + products +
           "wgmma.commit_group.sync.aligned;\nwgmma.wait_group.sync.aligned 0;\nmul.wide.u32 %rd4, "
           "%r1, " +
           std::to_string(4 * product.sums()) + "; add.u64 %rd4, %rd30, %rd4;\n" + stores;
}

// Each thread's sums, of a body like that.
std::vector<float> run(const Product& product, const std::string& body, uint32_t seed = 0) {
    std::vector<float> sums(size_t(128 * product.sums()));
    with_schedule(seed, [&] {
        const auto words = run_ptx(
            ptx_text(body, ".extern .shared .align 1024 .b8 memory[];\n"), int64_t(sums.size()),
            {.blocks = 1, .threads = 128, .shared_bytes = kBytes}, input_of(product));
        std::memcpy(sums.data(), words.data(), 4 * sums.size());
    });
    return sums;
}

// PTX ISA, "wgmma .m64nNk16 register fragment layout for accumulator matrix D".
std::vector<float> expected_of(const Product& product, float start = 1.0f) {
    std::vector<float> sums;
    for (int t = 0; t < 128; ++t)
        for (int i = 0; i < product.sums(); ++i) {
            const int row = 16 * (t / 32) + t % 32 / 4 + i / 2 % 2 * 8;
            const int column = i / 4 * 8 + t % 4 * 2 + i % 2;
            float sum = start;
            for (int k = 0; k < product.depth(); ++k) sum += left_at(row, k) * right_at(k, column);
            sums.push_back(sum);
        }
    return sums;
}

std::string replaced(std::string text, const std::string& what, const std::string& with) {
    const size_t first = text.find(what);
    CHECK(first != std::string::npos);
    for (size_t at = first; at != std::string::npos; at = text.find(what, at + with.size()))
        text.replace(at, what.size(), with);
    return text;
}
std::string error_of(const Product& product, const std::string& what, const std::string& with) {
    return message_of([&] { run(product, replaced(body_of(product), what, with)); });
}

}  // namespace

TEST_CASE("simt PTX: wgmma sums products of the operands that its descriptors and registers name") {
    for (const Product& product : kProducts) {
        CAPTURE(product.columns);
        for (const uint32_t seed : {0u, 1u, 2u})
            CHECK(run(product, body_of(product), seed) == expected_of(product));
        const std::string fresh = replaced(body_of(product), "setp.eq.u32 %p2", "setp.ne.u32 %p2");
        CHECK(run(product, fresh) == expected_of(product, 0.0f));
    }
}

TEST_CASE("simt PTX: wgmma takes its registers in the order of the text") {
    for (const Product& product : kProducts) {
        const auto sums = run(product, replaced(body_of(product), "{%s0, %s1,", "{%s1, %s0,"));
        auto expected = expected_of(product);
        for (size_t t = 0; t < expected.size(); t += size_t(product.sums()))
            std::swap(expected[t], expected[t + 1]);
        CHECK(sums == expected);
        CHECK(sums != expected_of(product));
        if (!product.from_registers) continue;
        const auto rows = run(product, replaced(body_of(product), "{%r5, %r6, %r7, %r8}, %rd3",
                                                "{%r6, %r5, %r8, %r7}, %rd3"));
        CHECK(rows[0] == expected_of(product)[2]);  // 8 rows further
        CHECK(rows[2] == expected_of(product)[0]);
    }
}

TEST_CASE("simt PTX: wgmma with another transposition, stride or operand has other sums, or none") {
    const Product shared = kProducts[0], registers = kProducts[3];
    const auto differs = [](const Product& product, const std::string& what,
                            const std::string& with) {
        try {
            return run(product, replaced(body_of(product), what, with)) != expected_of(product);
        } catch (const Error&) {
            return true;
        }
    };
    CHECK(differs(shared, "1, 1, 0, 0;", "1, 1, 0, 1;"));
    CHECK(differs(registers, "1, 1, 1;", "1, 1, 0;"));
    CHECK(differs(shared, "%rd2, %rd3, %p", "%rd3, %rd2, %p"));
    const uint64_t right = descriptor_of(kRightAt), stride = uint64_t{1} << 32, leading = 1 << 16;
    for (const uint64_t other : {right - 32 * stride, right + 2})
        CHECK(differs(shared, std::to_string(right), std::to_string(other)));
    CHECK(differs(registers, std::to_string(right), std::to_string(right - 64 * leading)));
}

TEST_CASE("simt PTX: wgmma that cannot be, or is not waited for, ends the block") {
    const Product shared = kProducts[0], registers = kProducts[3];
    CHECK(contains(error_of(shared, "m64n64k16", "m64n128k16"), "with 39 operands, expected 71"));
    CHECK(
        contains(error_of(registers, "m64n128k16", "m64n64k16"), "with 73 operands, expected 41"));
    CHECK(contains(error_of(shared, "m64n64k16", "m64n72k16"), "is not known to the interpreter"));
    CHECK(contains(error_of(shared, "1, 1, 0, 0;", "1, -1, 0, 0;"), "right operand times -1"));
    CHECK(contains(error_of(registers, "1, 1, 1;", "-1, 1, 1;"), "left operand times -1"));
    CHECK(contains(error_of(shared, "1, 1, 0, 0;", "1, 1, 1, 0;"), "a transposed left operand"));
    CHECK(contains(error_of(shared, "wgmma.fence.sync.aligned;", ""), "no arrive"));
    CHECK(contains(error_of(shared, "wgmma.wait_group.sync.aligned 0;", ""),
                   "returns without a wait for the product"));
    CHECK(contains(error_of(shared, "aligned 0;", "aligned 8;"), "8 groups, expected 0 to 7"));
    CHECK(contains(error_of(shared, "wgmma.wait",
                            "mov.f32 %s7, %s8; add.f32 %s8, %s7, %s7;\n"
                            "mov.f32 %s9, 0f00000000; wgmma.wait"),
                   "sums in flight"));
    const std::string second = "2;\nwgmma.mma_async.sync.aligned.m64n64k16.f32.bf16.bf16 ";
    CHECK(
        contains(error_of(shared, second + "{%s0, %s1,", second + "{%s1, %s0,"), "sums in flight"));
    const std::string right = std::to_string(descriptor_of(kRightAt));
    CHECK(contains(error_of(shared, right, std::to_string(descriptor_of(kBytes))),
                   "16 bytes at 24576 of 24576 bytes of shared memory"));
    CHECK(contains(error_of(shared, right, std::to_string(descriptor_of(kBytes - 1024))),
                   "dynamic shared memory, which has 24576"));
}

TEST_CASE("simt PTX: setmaxnreg takes what other warpgroups give") {
    // 256 threads are launched with 248 registers each.
    const std::string begin = "mov.u32 %r1, %tid.x; setp.lt.u32 %p1, %r1, 128;\n";
    const std::string take = "@!%p1 setmaxnreg.inc.sync.aligned.u32 256;\n";
    const auto error = [&](const std::string& body, uint32_t seed = 0) {
        std::string text;
        with_schedule(seed, [&] {
            text = message_of(
                [&] { run_ptx(ptx_text(begin + body), 1, {.blocks = 1, .threads = 256}); });
        });
        return text;
    };
    for (const uint32_t seed : {0u, 1u, 2u})
        CHECK(error(take + "@%p1 setmaxnreg.dec.sync.aligned.u32 240;", seed).empty());
    CHECK(contains(error(take), "128 thread(s) wait for registers"));
    CHECK(
        contains(error("setmaxnreg.inc.sync.aligned.u32 100;"), "100 registers, expected a mult"));
    CHECK(
        contains(error("setmaxnreg.inc.sync.aligned.u32 264;"), "264 registers, expected a mult"));
    CHECK(contains(error("setmaxnreg.inc.sync.aligned.u32 40;"), "goes up to 40, but has 248"));
}
