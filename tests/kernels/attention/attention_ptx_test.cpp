// The PTX of attention_sm90, interpreted: that an instruction of it is wrong is found by comparison
// with the reference. Only where the tests run kernels as PTX (--ptx).

#include <fstream>
#include <iterator>
#include <string>

#include "kernels/attention/attention.h"
#include "kernels/core/check.h"
#include "kernels/simt/ptx/library.h"
#include "tests/kernels/attention/attention_case.h"
#include "tests/support/doctest.h"
#include "tests/support/temporary_folder.h"

namespace {

// What kernels/core/warpgroup_matrix.cuh might say by mistake, as a change of what it says; null:
// the two registers behind it change places.
constexpr struct {
    const char* what;
    const char* text;
    const char* replacement;
} kMistakes[] = {
    {"two sums change places", "k16.f32.bf16.bf16 {", nullptr},
    {"two registers on the left do", "}, {", nullptr},
    {"half of the columns", "m64n128k16", "m64n64k16"},
    {"rows and columns change places", "adds, 1, 1, 1;", "adds, 1, 1, 0;"},
    {"512 bytes from 8 rows to 8 rows", "4611686293305360384", "4611686155866406912"},
    {"the sums before do not count", "setp.ne.b32 adds", "setp.eq.b32 adds"},
    {"no arrival", "wgmma.fence.sync.aligned;", ""},
    {"a wait for all groups but one", "wait_group.sync.aligned 0", "wait_group.sync.aligned 1"},
    {"too few registers given back", "dec.sync.aligned.u32 40", "dec.sync.aligned.u32 48"},
};

// Wherever `text` stands.
std::string changed(std::string ptx, const std::string& text, const char* replacement) {
    for (size_t at = ptx.find(text); at != std::string::npos; at = ptx.find(text, at + 1)) {
        if (replacement != nullptr) {
            ptx.replace(at, text.size(), replacement);
            continue;
        }
        const size_t first = at + text.size(), comma = ptx.find(", ", first);
        const size_t second = comma + 2, end = ptx.find(", ", second);
        const std::string swapped =
            ptx.substr(second, end - second) + ", " + ptx.substr(first, comma - first);
        ptx.replace(first, end - first, swapped);
    }
    return ptx;
}

void run_sm90(AttentionForward<bf16> args) {
    args.form = AttentionForm::sm90;
    attention_forward(args, test_stream());
}

// Whether it agrees with the reference, but for roundings of P and out by at most 2^-8 max |v| each.
bool agrees(const AttentionCase<bf16>& c, const std::vector<bf16>& expected) {
    const auto actual = c.forward(Device::simt, [](const auto& args) { run_sm90(args); }).out;
    double largest = 0.0;
    for (const bf16 v : c.v) largest = std::max(largest, std::fabs(double(v)));
    for (size_t i = 0; i < expected.size(); ++i)
        if (!(std::fabs(double(actual[i]) - double(expected[i])) <= 0x1p-6 * largest)) return false;
    return true;
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
        const std::string wrong = changed(ptx, mistake.text, mistake.replacement);
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
