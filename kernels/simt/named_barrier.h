// Barriers 1 to 15 of a block, for some of its warps: bar.sync and bar.arrive. PTX ISA, "bar". Both
// are instructions of whole warps: all lanes come to the same line, and count together.
//
// Stricter than hardware: a barrier must not open for nobody, nor be left half full at the block's
// end, and no warp may come twice before it opens.
#pragma once

#include <cstdint>
#include <string>

#include "kernels/simt/check.h"
#include "kernels/simt/place.h"

namespace simt {

struct Thread;

constexpr int kNamedBarriers = 16;

struct NamedBarrier {
    int threads = 0;  // that it is for, this time
    int arrived = 0;
    Place place;  // of the first
    uint32_t arrived_warps = 0, waiting_warps = 0;
    check::Seen seen;  // by those who arrived
};

// Arrives, and if it `waits`, goes on when `threads` threads have. All of them must say the same
// number, a multiple of 32.
void named_barrier(int id, int threads, bool waits, Place place);
// For the scheduler: the barrier that a thread waits at; before a block; all threads have returned.
std::string awaited_barrier_text(const Thread& thread);
void forget_named_barriers();
void check_named_barriers_left();

}  // namespace simt
