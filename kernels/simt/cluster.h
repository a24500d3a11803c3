// Clusters: blocks of a grid that are alive together, read and write each other's shared memory,
// and have a barrier. PTX ISA, "mapa", "barrier.cluster".
//
// A thread arrives, and later waits until all threads of the cluster have arrived or returned.
// Stricter than hardware: it must have waited before it arrives again, or returns; and only dynamic
// shared memory can be another block's.
#pragma once

#include <cstdint>

#include "kernels/simt/check.h"
#include "kernels/simt/place.h"

namespace simt {

struct Block;
struct Thread;

struct ClusterBarrier {
    int arrived = 0;
    uint32_t phase = 0;
    check::Seen arriving;   // by those who arrived so far
    check::Seen completed;  // likewise, when the phase before ended
};

unsigned cluster_rank();
unsigned cluster_size();
// The same place of the dynamic shared memory of the block `rank`.
void* cluster_map(void* address, unsigned rank, Place place);
void cluster_arrive(Place place);
void cluster_wait(Place place);

// For the scheduler: a thread of `block` returns; another block of its cluster that can go on, if
// there is one.
void leave_cluster(const Thread& leaver);
Block* peer_that_can_go_on();

}  // namespace simt
