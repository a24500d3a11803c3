// What a .ptx file declares.

#include "kernels/simt/ptx/module.h"

#include <cstring>

#include "kernels/core/check.h"
#include "tests/support/doctest.h"
#include "tests/support/ptx.h"
#include "tests/support/temporary_folder.h"

using simt::ptx::Module;

namespace {

const std::string kHead = ".version 9.0\n.target sm_90a, debug\n.address_size 64\n";

std::string error_of_text(const std::string& text) {
    return message_of([&] { Module("folder/a.ptx", text); });
}

}  // namespace

TEST_CASE("simt PTX module: kernels, parameters, limits, variables and files") {
    const Module module(
        "folder/a.ptx",
        kHead +
            ".extern .shared .align 16 .b8 dynamic[];\n"
            ".const .align 4 .b8 bytes[4] = {1, 2, 0x03, 255};\n"
            ".global .f32 one = 0f3F800000;\n"
            ".extern .func (.param .b32 r) vprintf (.param .b64 a);\n"
            ".func helper() { .reg .b32 %r<2>; { ret; } }\n"
            ".visible .entry first(.param .align 8 .b8 a[24], .param .u64 .ptr .global b)\n"
            ".maxntid 128, 2, 1\n.minnctapersm 3\n{ ret; }\n"
            ".weak .entry second()\n{\n{ ret; }\n}\n"
            ".file 1 \"kernels/a.cu\", 123, 456\n.section .debug_str\n{\n.b8 1,2,3\n}\n");
    REQUIRE(module.entries().size() == 2);
    const auto& first = *module.find("first");
    REQUIRE(first.parameters.size() == 2);
    CHECK(first.parameters[0].bytes == 24);
    CHECK(first.parameters[0].alignment == 8);
    CHECK(first.parameters[1].bytes == 8);
    CHECK(first.most_threads == std::vector<unsigned>{128, 2, 1});
    CHECK(first.body.text == " ret; ");
    CHECK(module.find("second")->parameters.empty());
    CHECK(module.find("third") == nullptr);
    CHECK(module.find_shared("dynamic")->bytes == 0);
    CHECK(module.find_shared("other") == nullptr);
    CHECK(std::memcmp(module.find_global("bytes"), "\x01\x02\x03\xff", 4) == 0);
    const float one = 1.0f;
    CHECK(std::memcmp(module.find_global("one"), &one, 4) == 0);
    CHECK(std::string(module.source_file(1)) == "kernels/a.cu");
    CHECK(std::string(module.source_file(2)) == "folder/a.ptx");
}

TEST_CASE("simt PTX module: a text that is not PTX, or cut off anywhere, is an error") {
    CHECK(error_of_text("hello") == "folder/a.ptx: found \"hello\", expected \".version\" of PTX");
    CHECK(error_of_text("").find("expected \".version\"") != std::string::npos);
    const std::string whole = kHead +
                              ".visible .entry k(.param .u64 a, .param .align 8 .b8 b[16])\n"
                              ".maxntid 128, 1, 1\n{\n.reg .b32 %r<2>;\nret;\n}\n";
    CHECK(error_of_text(whole).empty());
    const size_t begin = whole.find(".entry");
    for (size_t end = begin + 7; end < whole.size() - 2; ++end) {
        CAPTURE(end);
        CHECK(error_of_text(whole.substr(0, end)).find("a.ptx:") != std::string::npos);
    }
    CHECK(error_of_text(whole.substr(0, whole.size() - 2)) ==
          "a.ptx:9: the file ends within the body of k, found the end");
}

TEST_CASE("simt PTX module: sizes that cannot be, and names that are there twice") {
    CHECK(error_of_text(kHead + ".shared .b8 x[99999999999];").find("at most") !=
          std::string::npos);
    CHECK(error_of_text(kHead + ".shared .b64 x[65536][65536];").find("at most") !=
          std::string::npos);
    CHECK(error_of_text(kHead + ".shared .b8 x[-1];").find("at most") != std::string::npos);
    CHECK(error_of_text(kHead + ".shared .align 3 .b8 x[4];").find("power of two") !=
          std::string::npos);
    CHECK(error_of_text(kHead + ".shared x;").find("without a type") != std::string::npos);
    CHECK(error_of_text(kHead + ".global .b8 x[2] = {1, 2, 3};").find("too many values") !=
          std::string::npos);
    CHECK(error_of_text(kHead + ".entry k() {}\n.entry k() {}").find("two kernels named k") !=
          std::string::npos);
    CHECK(error_of_text(kHead + ".address_size 32").find(".address_size") != std::string::npos);
    CHECK(error_of_text(kHead + ".surprise").find("no directive") != std::string::npos);
}

TEST_CASE("simt PTX module: a file that is not there is named") {
    const TemporaryFolder folder;
    const std::string path = (folder / "none.ptx").string();
    CHECK(message_of([&] { Module::read(path); }) == path + ": cannot be opened");
}
