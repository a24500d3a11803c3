// What threads do together: the lanes of a warp in shuffles and votes, a block in __syncthreads.
#include <fmt/core.h>

#include <bit>

#include "kernels/simt/block.h"
#include "kernels/simt/check.h"
#include "kernels/simt/simt.h"

namespace simt {
namespace {

// Calls body(lane) for each lane in mask.
template <typename Body>
void for_lanes(uint32_t mask, const Body& body) {
    for (; mask != 0; mask &= mask - 1) body(std::countr_zero(mask));
}

// The meeting of `mask` that is under way, or a free one. Masks may overlap: a lane that is wanted
// in two meetings comes to the second when the first is over.
Meeting& find_meeting(Warp& warp, uint32_t mask, Place place) {
    Meeting* free = nullptr;
    for (Meeting& meeting : warp.meetings) {
        if (meeting.arrived != 0 && meeting.mask == mask) return meeting;
        if (meeting.arrived == 0 && free == nullptr) free = &meeting;
    }
    if (free == nullptr)
        fail(fmt::format("{} at {}: more than {} groups of its warp wait at once",
                         name_of(*block->current), place.text(), std::size(warp.meetings)));
    return *free;
}

struct ShuffleArgument {
    uint64_t in;
    uint64_t out;
    Shuffle kind;
    int operand;
    int width;
};

// The lane that a shuffle reads: its own where the selected one is out of bounds. PTX ISA,
// "shfl.sync": of the operand five bits count, and only one end of the group is a bound, so
// exclusive_or reaches into the groups before.
int source_lane(int lane, const ShuffleArgument& shuffle) {
    const int first = lane & ~(shuffle.width - 1), last = first + shuffle.width - 1;
    const int operand = shuffle.operand & (kLanesPerWarp - 1);
    if (shuffle.kind == Shuffle::up) return lane - operand >= first ? lane - operand : lane;
    int selected = first | (operand & (shuffle.width - 1));
    if (shuffle.kind == Shuffle::down) selected = lane + operand;
    if (shuffle.kind == Shuffle::exclusive_or) selected = lane ^ operand;
    return selected <= last ? selected : lane;
}

void run_shuffle(uint32_t mask, void** arguments) {
    for_lanes(mask, [&](int lane) {
        auto& shuffle = *static_cast<ShuffleArgument*>(arguments[lane]);
        const int source = source_lane(lane, shuffle);
        if ((mask >> source & 1) == 0)
            fail(fmt::format("{}: a shuffle for lane {} reads lane {}, which is not among {:08x}",
                             name_of(*block->current), lane, source, mask));
        shuffle.out = static_cast<ShuffleArgument*>(arguments[source])->in;
    });
}

struct BallotArgument {
    bool vote;
    uint32_t out;
};

void run_ballot(uint32_t mask, void** arguments) {
    uint32_t votes = 0;
    for_lanes(mask, [&](int lane) {
        if (static_cast<BallotArgument*>(arguments[lane])->vote) votes |= 1u << lane;
    });
    for_lanes(mask, [&](int lane) { static_cast<BallotArgument*>(arguments[lane])->out = votes; });
}

void run_sync(uint32_t mask, void**) { check::order_lanes(block->current->warp, mask); }

}  // namespace

void meet(uint32_t mask, WarpOperation operation, void* argument, Place place) {
    Thread& thread = *block->current;
    Warp& warp = block->warps[thread.warp];
    const uint32_t bit = 1u << thread.lane;
    if ((mask & bit) == 0)
        fail(fmt::format("{} is not among the lanes {:08x} that it names at {}", name_of(thread),
                         mask, place.text()));
    if ((mask & ~warp.living) != 0)
        fail(fmt::format("{} waits at {} for lanes {:08x}, of which {:08x} have returned",
                         name_of(thread), place.text(), mask, mask & ~warp.living));
    Meeting& meeting = find_meeting(warp, mask, place);
    if (meeting.arrived == 0) {
        meeting.mask = mask;
        meeting.operation = operation;
        meeting.place = place;
    } else if (meeting.operation != operation) {
        fail(fmt::format("{} at {} meets another warp function at {}", name_of(thread),
                         place.text(), meeting.place.text()));
    }
    meeting.arguments[thread.lane] = argument;
    meeting.arrived |= bit;
    if (meeting.arrived != mask) return wait_for_others(Waiting::for_warp, place);
    meeting.arrived = 0;
    operation(mask, meeting.arguments);
    warp.ready |= mask;
}

uint64_t shuffle(uint32_t mask, uint64_t bits, Shuffle kind, int operand, int width, Place place) {
    const check::Inside emulator;
    ShuffleArgument argument{bits, 0, kind, operand, width};
    meet(mask, run_shuffle, &argument, place);
    return argument.out;
}

uint32_t ballot(uint32_t mask, bool vote, Place place) {
    const check::Inside emulator;
    BallotArgument argument{vote, 0};
    meet(mask, run_ballot, &argument, place);
    return argument.out;
}

void sync_warp(uint32_t mask, Place place) {
    const check::Inside emulator;
    meet(mask, run_sync, nullptr, place);
}

void fence(bool is_for_grid) {
    const check::Inside emulator;
    check::fence_memory(is_for_grid);
}

void sync_threads(Place place) {
    const check::Inside emulator;
    Thread& thread = *block->current;
    Barrier& barrier = block->barrier;
    if (block->num_living < block->num_threads)
        fail(fmt::format("{} is in __syncthreads at {}, but {} thread(s) of its block returned",
                         name_of(thread), place.text(), block->num_threads - block->num_living));
    if (barrier.arrived == 0) barrier.place = place;
    if (!(barrier.place == place))
        fail(fmt::format("{} is in __syncthreads at {} while others wait at {}", name_of(thread),
                         place.text(), barrier.place.text()));
    barrier.waiting[thread.warp] |= 1u << thread.lane;
    if (++barrier.arrived < block->num_threads) return wait_for_others(Waiting::for_block, place);
    check::order_block();
    for (int warp = 0; warp < block->num_warps; ++warp)
        block->warps[warp].ready |= barrier.waiting[warp];
    barrier = {};
}

}  // namespace simt
