#include "kernels/simt/register_pool.h"

#include <fmt/core.h>

#include <algorithm>

#include "kernels/simt/block.h"
#include "kernels/simt/check.h"

namespace simt {
namespace {

constexpr int kMost = 255;  // of a thread
constexpr uint32_t kAllLanes = 0xffffffffu;

struct Call {
    int of_thread;
    bool is_up;
    Place place;

    bool operator==(const Call&) const = default;
};

void wake(int warp) {
    for (int lane = 0; lane < kLanesPerWarp; ++lane)
        if (block->threads[warp * kLanesPerWarp + lane].waiting == Waiting::for_registers)
            block->warps[warp].ready |= 1u << lane;
}

// To the warps that wait, as far as what is free reaches.
void hand_out() {
    for (int warp = 0; warp < block->num_warps; ++warp) {
        WarpRegisters& has = block->registers_of_warps[warp];
        const int more = (has.wanted - has.of_thread) * kLanesPerWarp;
        if (has.wanted == 0 || more > block->registers_left.free) continue;
        block->registers_left.free -= more;
        block->registers_left.is_taken = true;
        has = {.of_thread = has.wanted};
        wake(warp);
    }
}

void run_call(uint32_t, void** arguments) {
    const Call& call = *static_cast<Call*>(arguments[0]);
    for (int lane = 1; lane < kLanesPerWarp; ++lane)
        if (!(*static_cast<Call*>(arguments[lane]) == call))
            fail(fmt::format("divergent warp: {} sets its registers at {}, lane {} at {}",
                             name_of(*block->current), call.place.text(), lane,
                             static_cast<Call*>(arguments[lane])->place.text()));
    check_warpgroup({.name = call.is_up ? "set_registers_up" : "set_registers_down",
                     .place = call.place,
                     .left = static_cast<uint64_t>(call.of_thread),
                     .right = 0});
    WarpRegisters& has = block->registers_of_warps[block->current->warp];
    if (call.is_up != (call.of_thread > has.of_thread) && call.of_thread != has.of_thread)
        fail(fmt::format("registers: {} at {} goes {} to {}, but has {}", name_of(*block->current),
                         call.place.text(), call.is_up ? "up" : "down", call.of_thread,
                         has.of_thread));
    if (call.is_up) {
        has.wanted = call.of_thread;
    } else {
        block->registers_left.free += (has.of_thread - call.of_thread) * kLanesPerWarp;
        block->registers_left.given = call.place;
        has.of_thread = call.of_thread;
    }
    hand_out();
}

}  // namespace

void set_registers(int of_thread, bool is_up, Place place) {
    const check::Inside emulator;
    Call call{of_thread, is_up, place};
    meet(kAllLanes, run_call, &call, place);
    while (block->registers_of_warps[block->current->warp].of_thread != of_thread)
        wait_for_others(Waiting::for_registers, place);
}

void fill_register_pool() {
    const int of_thread =
        std::min(kRegistersOfBlock / (block->num_warps * kLanesPerWarp), kMost) / 8 * 8;
    for (WarpRegisters& has : block->registers_of_warps) has = {.of_thread = of_thread};
    block->registers_left = {};
}

void check_registers_left() {
    const RegisterPool& left = block->registers_left;
    if (left.free > 0 && !left.is_taken)
        fail(fmt::format(
            "registers: {} returns as the last of its block, and {} registers that were "
            "given back, the last at {}, nobody took",
            name_of(*block->current), left.free, left.given.text()));
}

}  // namespace simt
