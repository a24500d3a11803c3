// Kernels written as PTX for tests of its interpreter.
#pragma once

#include <bit>
#include <cstdint>
#include <string>
#include <vector>

#include "kernels/core/buffer.h"
#include "kernels/simt/ptx/interpreter.h"
#include "kernels/simt/ptx/module.h"
#include "kernels/simt/ptx/program.h"

// A file with the kernel `test(out, in)` around `body`; `top` stands before it. Line 1 of the body
// is line 12 of the file.
inline std::string ptx_text(const std::string& body, const std::string& top = "") {
    return ".version 9.0\n.target sm_80\n.address_size 64\n" + top +
           "\n.visible .entry test(.param .u64 out, .param .u64 in)\n{\n"
           ".reg .pred %p<16>; .reg .b16 %rs<16>; .reg .b32 %r<32>; .reg .b64 %rd<32>;\n"
           ".reg .f32 %f<16>; .reg .f64 %fd<16>;\n"
           "ld.param.u64 %rd30, [out]; cvta.to.global.u64 %rd30, %rd30;\n"
           "ld.param.u64 %rd31, [in]; cvta.to.global.u64 %rd31, %rd31;\n\n" +
           body + "\nret;\n}\n";
}

struct PtxShape {
    on_simt::dim3 blocks{};
    on_simt::dim3 threads{};
    size_t shared_bytes = 0;
};

// Runs it on `words` 32-bit words of output, zeros before, and returns them.
inline std::vector<uint32_t> run_ptx(const std::string& text, int64_t words, const PtxShape& shape,
                                     const std::vector<uint64_t>& in = {0}) {
    const simt::ptx::Module module("test.ptx", text);
    const simt::ptx::Program program(module, module.entries().at(0));
    Buffer<uint32_t> out(Device::simt, std::vector<uint32_t>(static_cast<size_t>(words)));
    const Buffer<uint64_t> input(Device::simt, in);
    uint32_t* const out_pointer = out.data();
    const uint64_t* const in_pointer = input.data();
    simt::ptx::launch(program, shape.blocks, shape.threads, shape.shared_bytes,
                      {{&out_pointer, sizeof out_pointer}, {&in_pointer, sizeof in_pointer}});
    return out.to_host();
}

// What one thread leaves in registers 15 of each kind.
struct PtxResults {
    uint16_t rs;
    uint32_t r;
    uint64_t rd;
    float f;
    double fd;
    bool p;
    uint32_t f_bits;
};

inline uint64_t word_of(float value) { return std::bit_cast<uint32_t>(value); }
inline uint64_t word_of(double value) { return std::bit_cast<uint64_t>(value); }
template <typename T>
uint64_t word_of(T value) {  // sign-extended if signed
    return static_cast<uint64_t>(value);
}

// One thread runs `body`, with input n in %rsn, %rn, %rdn, %fn and %fdn.
template <typename... Values>
PtxResults evaluate_ptx(const std::string& body, Values... values) {
    const std::vector<uint64_t> in{word_of(values)..., 0};
    std::string before;
    for (size_t n = 0; n + 1 < in.size(); ++n) {
        const std::string i = std::to_string(n), at = ", [%rd31+" + std::to_string(8 * n) + "];\n";
        before += "ld.global.u16 %rs" + i + at + "ld.global.u32 %r" + i + at + "ld.global.u64 %rd" +
                  i + at + "ld.global.f32 %f" + i + at + "ld.global.f64 %fd" + i + at;
    }
    const std::string after =
        "\nst.global.u16 [%rd30], %rs15; st.global.u32 [%rd30+8], %r15;\n"
        "st.global.u64 [%rd30+16], %rd15; st.global.f32 [%rd30+24], %f15;\n"
        "st.global.f64 [%rd30+32], %fd15; selp.u32 %r15, 1, 0, %p15;\n"
        "st.global.u32 [%rd30+40], %r15;\n";
    const auto out = run_ptx(ptx_text(before + body + after), 12, {}, in);
    const auto wide = [&](size_t at) { return uint64_t{out[at + 1]} << 32 | out[at]; };
    return {.rs = static_cast<uint16_t>(out[0]),
            .r = out[2],
            .rd = wide(4),
            .f = std::bit_cast<float>(out[6]),
            .fd = std::bit_cast<double>(wide(8)),
            .p = out[10] != 0,
            .f_bits = out[6]};
}

// The message of the exception that `body` ends in; empty if it ends in none.
template <typename Body>
std::string message_of(const Body& body) {
    try {
        body();
    } catch (const std::exception& error) {
        return error.what();
    }
    return "";
}
