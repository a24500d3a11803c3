#include "kernels/simt/named_barrier.h"

#include <fmt/core.h>

#include "kernels/simt/block.h"
#include "kernels/simt/check.h"

namespace simt {
namespace {

constexpr uint32_t kAllLanes = 0xffffffffu;

// What every lane brings.
struct Call {
    int id;
    int threads;
    bool waits;
    Place place;

    bool operator==(const Call&) const = default;
    std::string text() const {
        return fmt::format("{} barrier {} for {} threads at {}", waits ? "waits at" : "arrives at",
                           id, threads, place.text());
    }
};

Thread& lane_of_warp(int lane) {
    return block->threads[block->current->warp * kLanesPerWarp + lane];
}

void check_lanes(void** arguments) {
    const Call& first = *static_cast<Call*>(arguments[0]);
    for (int lane = 1; lane < kLanesPerWarp; ++lane) {
        const Call& call = *static_cast<Call*>(arguments[lane]);
        if (!(call == first))
            fail(fmt::format("divergent warp: {} {}, lane 0 of its warp {}",
                             name_of(lane_of_warp(lane)), call.text(), first.text()));
    }
}

void check_call(const Call& call) {
    const std::string who = name_of(*block->current) + " " + call.text();
    if (call.id < 1 || call.id >= kNamedBarriers)
        fail(fmt::format("{}, expected barrier 1 to {}", who, kNamedBarriers - 1));
    if (call.threads <= 0 || call.threads % kLanesPerWarp != 0 || call.threads > block->num_threads)
        fail(fmt::format("{}, expected a multiple of {} up to the block's {}", who, kLanesPerWarp,
                         block->num_threads));
    const NamedBarrier& barrier = block->named_barriers[call.id];
    if (barrier.arrived > 0 && barrier.threads != call.threads)
        fail(fmt::format("unequal barrier: {}, others are there for {} at {}", who, barrier.threads,
                         barrier.place.text()));
    if ((barrier.arrived_warps >> block->current->warp & 1) != 0)
        fail(fmt::format("named barrier: {}, for the second time since it opened last", who));
    const bool opens = barrier.arrived + kLanesPerWarp == call.threads;
    if (opens && !call.waits && barrier.waiting_warps == 0)
        fail(fmt::format("named barrier: {}, as the last of those who arrive, and nobody waits",
                         who));
}

// Those who wait know what all who arrived did, and go on.
void open(NamedBarrier& barrier) {
    Thread* const current = block->current;
    for (int i = 0; i < block->num_threads; ++i) {
        Thread& thread = block->threads[i];
        if ((barrier.waiting_warps >> thread.warp & 1) == 0) continue;
        block->current = &thread;
        check::acquire(barrier.seen);
        if (thread.waiting == Waiting::for_named_barrier)
            block->warps[thread.warp].ready |= 1u << thread.lane;
    }
    block->current = current;
    barrier = {};
}

void run_call(uint32_t, void** arguments) {
    check_lanes(arguments);
    const Call& call = *static_cast<Call*>(arguments[0]);
    check_call(call);
    NamedBarrier& barrier = block->named_barriers[call.id];
    const int warp = block->current->warp;
    if (barrier.arrived == 0) barrier.threads = call.threads, barrier.place = call.place;
    for (int lane = 0; lane < kLanesPerWarp; ++lane)
        check::release(warp * kLanesPerWarp + lane, barrier.seen);
    barrier.arrived_warps |= 1u << warp;
    if (call.waits) barrier.waiting_warps |= 1u << warp;
    barrier.arrived += kLanesPerWarp;
    if (barrier.arrived == barrier.threads) open(barrier);
}

}  // namespace

void named_barrier(int id, int threads, bool waits, Place place) {
    const check::Inside emulator;
    Call call{id, threads, waits, place};
    meet(kAllLanes, run_call, &call, place);
    const int warp = block->current->warp;
    while (waits && (block->named_barriers[id].waiting_warps >> warp & 1) != 0)
        wait_for_others(Waiting::for_named_barrier, place);
}

std::string awaited_barrier_text(const Thread& thread) {
    for (int id = 1; id < kNamedBarriers; ++id) {
        const NamedBarrier& barrier = block->named_barriers[id];
        if ((barrier.waiting_warps >> thread.warp & 1) != 0)
            return fmt::format("barrier {} (where {} of {} threads are)", id, barrier.arrived,
                               barrier.threads);
    }
    return "a barrier that has opened";
}

void check_named_barriers_left() {
    for (int id = 1; id < kNamedBarriers; ++id) {
        const NamedBarrier& barrier = block->named_barriers[id];
        if (barrier.arrived > 0)
            fail(
                fmt::format("named barrier: {} returns as the last of its block, and of the {} "
                            "threads that barrier {} is for at {} only {} arrived",
                            name_of(*block->current), barrier.threads, id, barrier.place.text(),
                            barrier.arrived));
    }
}

void forget_named_barriers() {
    for (NamedBarrier& barrier : block->named_barriers) barrier = {};
}

}  // namespace simt
