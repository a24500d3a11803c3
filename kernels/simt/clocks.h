// Who knows of what, for check.cpp: each thread of the block has a clock that barriers advance, and
// knows up to which clock it has seen each other thread (vector clocks).
//
// Beside the threads there are engines, which read and write memory by themselves: the copies that
// complete at an mbarrier, the stores of a thread. What an engine does, from its beginning on, is
// at a clock that a thread learns of when it has waited for the end, or from another thread that
// has. So an access that is not ordered with it is found whether or not the bytes were there yet.
//
// Beside what it has seen each thread knows up to which clock others' stores were fenced for
// asynchronous access (fence.proxy.async); that spreads by the same barriers.
#pragma once

#include <cstdint>

namespace simt::check {

// Threads have the numbers that they have in the block, engines those from there on.
uint32_t now(int thread);
bool has_seen(int thread, int actor, uint32_t clock);
bool has_seen_fence(int thread, int other, uint32_t clock);
void begin_clocks();  // of `block`
void enter_clocks();  // `block` is another one that has begun

}  // namespace simt::check
