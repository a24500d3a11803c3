// mbarriers: counters in shared memory that threads and bulk copies arrive at. PTX ISA, "mbarrier".
//
// A phase is over when no arrivals are pending and the count of bytes, which expect_tx raises and
// each finished copy lowers, is zero. Then the next phase begins with all arrivals pending. A wait
// for a parity is for the end of the phase of that parity: the current phase, or the one before it,
// which is over; so a wait for parity 1 passes an mbarrier on which nothing has happened yet.
//
// Stricter than hardware: no phase may end before a thread waited for the one before it, and at the
// block's end all arrivals of a phase must have come, or none, unless it was invalidated.
//
// The counters lie in the emulator. The object itself holds an image of them, by which a store over
// it is noticed.
#pragma once

#include <cstdint>
#include <string>

#include "kernels/simt/check.h"
#include "kernels/simt/place.h"

namespace simt {

struct Thread;

struct Mbarrier {
    Place place;             // of its initialisation
    int thread = 0;          // which did that
    bool is_fenced = false;  // since then, by that thread: copies may use it, for those who know
    uint32_t fence = 0;      // when that was
    int engine = 0;          // what its copies do: clock n + 1 for phase n
    uint32_t expected = 0;   // arrivals in each phase
    uint32_t pending = 0;    // of them in this phase
    int64_t bytes = 0;       // the tx-count
    int64_t expected_bytes = 0, begun_bytes = 0;  // in this phase, by expect_tx and by copies
    uint32_t phase = 0;
    uint32_t copies_phase = 0;  // number of phases when the last copy completed here
    uint32_t waited_phase = 0;  // likewise, of phases that a thread saw end
    check::Seen arriving;       // by those who arrived so far
    check::Seen completed;      // likewise, when the phase before ended
};

void mbarrier_init(uint64_t* mbarrier, uint32_t count, Place place);
// mbarrier.inval: from here on it is memory like any other.
void mbarrier_invalidate(uint64_t* mbarrier, Place place);
void mbarrier_arrive(uint64_t* mbarrier, Place place);
void mbarrier_expect_bytes(uint64_t* mbarrier, uint32_t bytes, Place place);
void mbarrier_arrive_expect_bytes(uint64_t* mbarrier, uint32_t bytes, Place place);
bool mbarrier_test_wait(uint64_t* mbarrier, uint32_t parity, Place place);
// try_wait may suspend the thread for as long as the hardware likes. Here it is until the phase is
// over: the answer is always yes.
bool mbarrier_try_wait(uint64_t* mbarrier, uint32_t parity, Place place);
// fence.mbarrier_init: bulk copies may use what this thread initialised.
void fence_mbarrier_init();

// For copies: called when one for this mbarrier begins, and when it has ended.
const Mbarrier& begin_bytes(uint64_t* mbarrier, uint32_t bytes, Place place);
void complete_bytes(uint64_t* mbarrier, uint32_t bytes);
// For the scheduler: the mbarrier that a thread waits for; before a block.
std::string awaited_text(const Thread& thread);
void forget_mbarriers();
// All threads have returned: no copy may be left that nobody waited for, no phase be half full.
void check_mbarriers_left();

}  // namespace simt
