// The PTX of attention_sm90, interpreted: that an instruction of it is wrong is found by comparison
// with the reference. Only where the tests run kernels as PTX (--ptx).

#include <fstream>
#include <iterator>
#include <regex>
#include <string>

#include "kernels/attention/attention.h"
#include "kernels/core/check.h"
#include "kernels/simt/ptx/library.h"
#include "tests/kernels/attention/attention_case.h"
#include "tests/support/doctest.h"
#include "tests/support/temporary_folder.h"

namespace {

// What kernels/core/warpgroup_matrix.cuh might say by mistake, as a change of what it says.
constexpr struct {
    const char* what;
    const char* pattern;
    const char* replacement;
} kMistakes[] = {
    {"two sums change places", R"((wgmma\.mma_async\S+ \{)(%f\d+), (%f\d+))", "$1$3, $2"},
    {"two registers on the left do", R"((\}, \{)(%r\d+), (%r\d+))", "$1$3, $2"},
    {"half of the columns", "m64n128k16", "m64n64k16"},
    {"rows and columns change places", "adds, 1, 1, 1;", "adds, 1, 1, 0;"},
    {"512 bytes from 8 rows to 8 rows", "4611686293305360384", "4611686155866406912"},
    {"the sums before do not count", R"(setp\.ne\.b32 adds)", "setp.eq.b32 adds"},
    {"no arrival", R"(wgmma\.fence\.sync\.aligned;)", ""},
    {"a wait for all groups but one", R"((wgmma\.wait_group\.sync\.aligned) 0)", "$1 1"},
    {"too few registers given back", R"((setmaxnreg\.dec\S+) 40)", "$1 48"},
};

void run_sm90(const AttentionForward<bf16>& args) {
    struct Restore {
        ~Restore() { set_attention_form(AttentionForm::plain); }
    } restore;
    set_attention_form(AttentionForm::sm90);
    attention_forward(args, test_stream());
}

// Whether it agrees with the reference, but for roundings of P and out by at most 2^-8 max |v| each.
bool agrees(const AttentionCase<bf16>& c, const std::vector<bf16>& expected) {
    const auto actual = c.forward(Device::simt, [](const auto& args) { run_sm90(args); }).out;
    double largest = 0.0, error = 0.0;
    for (const bf16 v : c.v) largest = std::max(largest, std::fabs(double(v)));
    for (size_t i = 0; i < expected.size(); ++i) {
        const double difference = std::fabs(double(actual[i]) - double(expected[i]));
        error = difference <= error ? error : difference;  // keeps a NaN
    }
    return error <= 0x1p-6 * largest;
}

}  // namespace

TEST_CASE("attention_forward on tensor cores: a mistake in the PTX of sm90's products is found") {
    if (!simt::ptx::is_interpreting()) return;
    std::ifstream file(simt::ptx::folder() + "/kernels/attention/attention_sm90.ptx");
    const std::string ptx((std::istreambuf_iterator<char>(file)), {});
    REQUIRE(!ptx.empty());
    const AttentionCase<bf16> c({.lengths = {70}, .dim = 64});
    const std::vector<bf16> expected = c.forward(Device::cpu, kOracleForward).out;
    CHECK(agrees(c, expected));
    for (const auto& mistake : kMistakes) {
        CAPTURE(mistake.what);
        const std::string wrong =
            std::regex_replace(ptx, std::regex(mistake.pattern), mistake.replacement);
        CHECK(wrong != ptx);
        const TemporaryFolder folder;
        put(folder / "wrong.ptx", wrong);
        const simt::ptx::InterpretedFrom mistaken(folder.path().string());
        bool found = false;
        try {
            found = !agrees(c, expected);
        } catch (const std::exception&) {  // the emulator noticed
            found = true;
        }
        CHECK(found);
    }
}
