// Who knows of what, for check.cpp: each thread of a cluster has a clock that barriers advance, and
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

#include "kernels/simt/check.h"

namespace simt::check {

// Actors are the threads of a cluster, those of its first block first, then its engines.
int actor_of(int thread);  // of `block`
int current_actor();
uint32_t now(int thread);
bool has_seen(int thread, int actor, uint32_t clock);
bool has_seen_fence(int thread, int other, uint32_t clock);
// Whether someone who saw that knows of a moment of an actor.
bool tells_of(const Seen& seen, int actor, uint32_t clock);
void begin_clocks();  // of the cluster of `block`
void enter_clocks();  // `block` is another one that has begun

}  // namespace simt::check
