// setmaxnreg: registers go from one warpgroup to another, and planted bugs.

#include "kernels/simt/register_pool.h"

#include <string>
#include <vector>

#include "tests/support/devices.h"
#include "tests/support/doctest.h"
#include "tests/support/emulated.h"
#include "tests/support/planted_bugs.h"

namespace on_simt {
namespace {

constexpr int kThreads = 384;  // three warpgroups of 168 registers a thread

// 128 x 24 + 256 x 240 are 64,512 = 384 x 168.
__global__ void all_of_them(int* out) {
    if (threadIdx.x < 128)
        set_registers_down<24>();
    else
        set_registers_up<240>();
    out[threadIdx.x] = 1;
}
// The second and the third warpgroup have them in turn.
__global__ void in_turn(int* out) {
    if (threadIdx.x < 128) {
        set_registers_down<40>();
    } else {
        set_registers_up<232>();
        named_barrier_wait(1, 256);
        set_registers_down<24>();
        set_registers_up<168>();
    }
    out[threadIdx.x] = 1;
}
__global__ void as_many_as_before(int* out) {
    set_registers_up<168>();
    set_registers_down<168>();
    out[threadIdx.x] = 1;
}

// ---- wrong ----
__global__ void one_too_many(int*) {
    if (threadIdx.x < 128)
        set_registers_down<32>();
    else
        set_registers_up<240>();  // BUG one_too_many
}
__global__ void nobody_gives(int*) {
    set_registers_up<176>();  // BUG nobody_gives
}
__global__ void down_is_up(int*) {
    set_registers_down<176>();  // BUG down_is_up
}
__global__ void up_is_down(int*) {
    set_registers_up<160>();  // BUG up_is_down
}
__global__ void one_warp(int*) {
    if (threadIdx.x < 32) set_registers_down<40>();  // BUG one_warp
}
__global__ void half_a_warp(int*) {
    if (threadIdx.x % 32 < 16) set_registers_down<40>();  // BUG half_a_warp
}
__global__ void two_lines(int*) {
    if (threadIdx.x % 32 < 16)
        set_registers_down<40>();  // BUG first_line
    else
        set_registers_down<40>();  // BUG second_line
}
__global__ void warps_differ(int*) {
    if (threadIdx.x % 128 < 64)
        set_registers_down<40>();  // BUG of_two_warps
    else
        set_registers_down<48>();  // BUG of_the_others
}

__global__ void nobody_takes(int*) {
    if (threadIdx.x < 128) set_registers_down<40>();  // BUG nobody_takes
}

}  // namespace
}  // namespace on_simt

namespace {

using Kernel = void (*)(int*);
constexpr uint32_t kSeeds[] = {0, 1, 2, 3, 77};

std::string report_of(Kernel kernel, uint32_t seed, unsigned threads = on_simt::kThreads) {
    const Buffer<int> out(Device::simt, std::vector<int>(on_simt::kThreads, 0));
    try {
        with_schedule(seed,
                      [&] { on_simt::launch(kernel, {.grid = 1, .block = threads}, out.data()); });
    } catch (const Error& error) {
        return error.what();
    }
    for (const int value : out.to_host()) CHECK(value == 1);
    return "";
}

// Every order of threads must name `kind` and one of the lines.
void check_reported(Kernel kernel, const std::string& kind, const std::string& line,
                    const std::string& or_line = "") {
    for (const uint32_t seed : kSeeds) {
        const std::string text = report_of(kernel, seed);
        CAPTURE(text);
        CAPTURE(line);
        CHECK(contains(text, kind));
        CHECK((contains(text, line_of(line, __FILE__)) ||
               (!or_line.empty() && contains(text, line_of(or_line, __FILE__)))));
    }
}

}  // namespace

TEST_CASE("simt registers: what one warpgroup gives back others take, to the last register") {
    for (const uint32_t seed : kSeeds) {
        CHECK(report_of(on_simt::all_of_them, seed) == "");
        CHECK(report_of(on_simt::in_turn, seed) == "");
        CHECK(report_of(on_simt::as_many_as_before, seed) == "");
    }
}

TEST_CASE("simt registers: more than there are is a wait without end that says how many are free") {
    // 128 x (168 - 32) = 17,408 are given back. A warp takes 32 x 72 = 2,304: seven do, one does not.
    check_reported(on_simt::one_too_many, "32 thread(s) wait for registers (1280 are free)",
                   "one_too_many");
    check_reported(on_simt::nobody_takes, "16384 registers that were given back", "nobody_takes");
    check_reported(on_simt::nobody_gives, "384 thread(s) wait for registers (0 are free)",
                   "nobody_gives");
}

TEST_CASE("simt registers: misuse is an error that names the line") {
    check_reported(on_simt::down_is_up, "goes down to 176, but has 168", "down_is_up");
    check_reported(on_simt::up_is_down, "goes up to 160, but has 168", "up_is_down");
    check_reported(on_simt::one_warp, "unequal warpgroup", "one_warp");
    check_reported(on_simt::half_a_warp, "waits", "half_a_warp");
    check_reported(on_simt::two_lines, "divergent warp", "first_line", "second_line");
    check_reported(on_simt::warps_differ, "unequal warpgroup", "of_two_warps", "of_the_others");
    const std::string text = report_of(on_simt::down_is_up, 0, 64);
    CAPTURE(text);
    CHECK(contains(text, "four whole warps"));
}
