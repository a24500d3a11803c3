// A kernel's text as instructions: what it may not hold, and where errors say it stands.

#include "kernels/simt/ptx/program.h"

#include "kernels/core/check.h"
#include "tests/support/doctest.h"
#include "tests/support/ptx.h"

using simt::ptx::Module;
using simt::ptx::Program;

namespace {

// The Error of decoding a kernel with this body.
std::string error_in(const std::string& body) {
    const Module module("folder/test.ptx", ptx_text(body));
    return message_of([&] { const Program program(module, module.entries().front()); });
}

bool says(const std::string& body, const std::string& what) {
    const std::string text = error_in(body);
    CAPTURE(text);
    CHECK(text.find(what) != std::string::npos);
    return text.find(what) != std::string::npos;
}

}  // namespace

TEST_CASE("simt PTX program: an instruction that is not known is named, with kernel and line") {
    CHECK(error_in("\nmma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32 {%f0,%f1}, {%r0};") ==
          "test.ptx:13: kernel test: the instruction "
          "\"mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32\" is not known to the "
          "interpreter");
    for (const char* text :
         {"add.s33 %r0, %r1, %r2;", "add.rn.relu.f32 %f0, %f1, %f2;",
          "ld.global.L3::x.u32 %r0, [%rd0];", "ld.acquire.gpu.u32 %r0, [%rd0];",
          "ld.v8.f32 %r0, [%rd0];", "call.uni f, (%r0);", "bar.red.and.pred %p0, 0, %p1;",
          "mov.b64 {%r0, %r1, %r2}, %rd0;", "cvt.rn.s32.f32 %r0, %f0;"})
        CHECK(says(text, "is not known to the interpreter"));
}

TEST_CASE("simt PTX program: operands that cannot be") {
    CHECK(says("add.s32 %r0, %r1;", "\"add.s32\" with 2 operands, expected 3"));
    CHECK(says("add.s32 3, %r1, %r2;", "writes to what is no register"));
    CHECK(
        says("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%f0, %f1, %f2, 0f00000000}, "
             "{%r0, %r1, %r2, %r3}, {%r4, %r5}, {%f0, %f1, %f2, %f3};",
             "writes to what is no register"));
    CHECK(says("cp.async.cg.shared.global [%r0+16], [%rd0], 16;", "several addresses"));
    CHECK(says("mov.u32 %tid.x, %r2;", "writes to what is no register"));
    CHECK(says("mov.u32 %r0, %r99;", "%r99 is no register that is known"));
    CHECK(says("mov.u32 %r0, %r01;", "%r01 is no register that is known"));
    CHECK(says("mov.u32 %r0, %clock;", "%clock is no register that is known"));
    CHECK(says("mov.u32 %r0, name;", "name is not declared"));
    CHECK(says("ld.param.u64 %rd0, [out+4];", "reaches beyond the 8 bytes of out"));
    CHECK(says("ld.param.v2.u64 {%rd0, %rd1}, [out];", "reaches beyond the 8 bytes of out"));
    CHECK(says("ld.param.u32 %r0, [out+-4];", "reaches beyond the 8 bytes of out"));
    CHECK(says("add.s32 %r0, %r1, 99999999999999999999;", "expected a number"));
    CHECK(says("mov.f32 %f0, 0f3F80000g;", "expected a number"));
    CHECK(says("mov.u32 %r0, %r1 %r2;", "expected ';'"));
    CHECK(says("ld.global.u32 %r0, [%rd0;", "expected ']'"));
    CHECK(says("setp.lt.and.s32 %p0, %r0, %r1;", "with 3 operands"));
    CHECK(error_in(".local .b8 x[600000];").find("at most 524288") != std::string::npos);
}

TEST_CASE("simt PTX program: labels are there once") {
    CHECK(says("bra NOWHERE;", "test.ptx:12: kernel test: no label NOWHERE"));
    CHECK(says("A: A: ret;", "two labels A"));
    CHECK(says("brx.idx %r0, A;", "A is no list of labels before this"));
    CHECK(says("T: .branchtargets A; brx.idx %r0, T;", "no label A"));
}

TEST_CASE("simt PTX program: messages name the kernel's source where the text does") {
    const Module module("folder/test.ptx",
                        ptx_text("add.s32 %r0, %r1, %r2;\n.loc 1 41 5\nbar.sync 0;\n.loc 1 0 5\n"
                                 "bar.sync 0;\n.loc 1 7 5, function_name $L__i0+3, inlined_at 1 8 "
                                 "9\nbar.sync 0;") +
                            ".file 1 \"kernels/x.cu\"\n");
    const Program program(module, module.entries().front());
    const auto* const end = program.code.data() + program.code.size();  // ret, end of text
    CHECK(program.description(end - 6) == "test.ptx:12");
    CHECK(program.place_of(end - 6).text() == "folder/test.ptx:12");
    CHECK(program.description(end - 5) == "kernels/x.cu:41 (test.ptx:14)");
    CHECK(program.description(end - 4) == "kernels/x.cu:41 (test.ptx:16)");
    CHECK(program.place_of(end - 3).text() == "kernels/x.cu:7");
}

TEST_CASE("simt PTX program: more registers than slots are an error") {
    std::string body;
    for (int i = 0; i < 66000; ++i) body += "mov.u32 %r0, " + std::to_string(i) + ";\n";
    CHECK(error_in(body).find("more than 65536 registers and constants") != std::string::npos);
}
