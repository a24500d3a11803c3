// Which kernels are interpreted, and from where.

#include "kernels/simt/ptx/library.h"

#include "kernels/core/check.h"
#include "tests/support/doctest.h"
#include "tests/support/emulated.h"
#include "tests/support/ptx.h"
#include "tests/support/temporary_folder.h"

namespace on_simt {
namespace {

__global__ void write_one(int* out) { out[threadIdx.x] = 1; }
__global__ void write_two(int* out) { out[threadIdx.x] = 2; }

}  // namespace
}  // namespace on_simt

namespace {

// A file with write_one, in which it writes `value`.
std::string ptx(const std::string& value) {
    return ".version 9.0\n.entry _ZN7on_cuda20_GLOBAL__N__abc_1_cu9write_oneEPi(.param .u64 o)"
           "\n{ .reg .b64 %rd<2>; ld.param.u64 %rd0, [o]; st.global.u32 [%rd0], " +
           value + "; ret; }";
}

int run(void (*kernel)(int*)) {
    Buffer<int> out(Device::simt, std::vector<int>{0});
    on_simt::launch(kernel, {.grid = 1, .block = 1}, out.data());
    return out.to_host().front();
}

}  // namespace

TEST_CASE(
    "simt PTX library: launches take kernels from a folder by name, and miss none in silence") {
    const std::string before = simt::ptx::folder();
    struct Restore {
        std::string folder;
        ~Restore() { simt::ptx::interpret_from(folder); }
    } restore{before};
    const TemporaryFolder folder;
    put(folder / "a.ptx", ptx("77"));
    simt::ptx::interpret_from(folder.path().string());
    const uint64_t instructions = simt::ptx::instructions_run();
    CHECK(run(on_simt::write_one) == 77);
    CHECK(simt::ptx::instructions_run() == instructions + 3);
    const auto missing = message_of([&] { run(on_simt::write_two); });
    CHECK(contains(missing, "no .ptx file there has the kernel"));
    CHECK(contains(missing, "9write_twoEPi"));

    put(folder / "b.ptx", ptx("78"));
    CHECK(contains(message_of([&] { simt::ptx::interpret_from(folder.path().string()); }),
                   "and so has"));
    put(folder / "b.ptx", ptx("78").substr(0, 100));
    CHECK_THROWS_AS(simt::ptx::interpret_from(folder.path().string()), InputError);
    const TemporaryFolder empty;
    CHECK(contains(message_of([&] { simt::ptx::interpret_from(empty.path().string()); }),
                   "no .ptx file"));
    CHECK_THROWS_AS(simt::ptx::interpret_from(empty.path().string() + "/none"), InputError);

    simt::ptx::interpret_from("");
    CHECK(run(on_simt::write_one) == 1);
}

TEST_CASE("simt PTX library: for a while kernels may come from another folder") {
    const TemporaryFolder folder, other;
    put(folder / "a.ptx", ptx("77"));
    put(other / "a.ptx", ptx("78"));
    const simt::ptx::InterpretedFrom first(folder.path().string());
    CHECK(run(on_simt::write_one) == 77);
    {
        const simt::ptx::InterpretedFrom second(other.path().string());
        CHECK(simt::ptx::coverage().reached == 0);
        CHECK(run(on_simt::write_one) == 78);
    }
    CHECK(simt::ptx::coverage().reached == 3);  // what was reached before is not forgotten
    CHECK(simt::ptx::coverage().not_launched.empty());
    CHECK(run(on_simt::write_one) == 77);
    CHECK_THROWS_AS(simt::ptx::InterpretedFrom(other.path().string() + "/none"), InputError);
    CHECK(simt::ptx::folder() == folder.path().string());
}
