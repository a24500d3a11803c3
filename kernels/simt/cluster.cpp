#include "kernels/simt/cluster.h"

#include <fmt/core.h>

#include <utility>

#include "kernels/simt/block.h"
#include "kernels/simt/check.h"

namespace simt {
namespace {

// Calls body for each block of the cluster.
template <typename Body>
void for_peers(const Body& body) {
    for (int rank = 0; rank < block->cluster_size(); ++rank) body(block->peer(rank));
}

ClusterBarrier& barrier() { return block->peer(0).cluster_barrier; }

void open() {
    barrier().completed = std::exchange(barrier().arriving, {});
    barrier().arrived = 0;
    ++barrier().phase;
    for_peers([](Block& peer) {
        for (int i = 0; i < peer.num_threads; ++i) {
            const Thread& thread = peer.threads[i];
            if (thread.waiting == Waiting::for_cluster)
                peer.warps[thread.warp].ready |= 1u << thread.lane;
        }
    });
}

void open_if_complete() {
    int living = 0;
    for_peers([&](const Block& peer) { living += peer.num_living; });
    if (living > 0 && barrier().arrived == living) open();
}

}  // namespace

unsigned cluster_rank() { return static_cast<unsigned>(block->rank); }
unsigned cluster_size() { return static_cast<unsigned>(block->cluster_size()); }

void* cluster_map(void* address, unsigned rank, Place place) {
    const check::Inside emulator;
    const unsigned char* const mine = block->dynamic_shared();
    const auto offset = static_cast<unsigned char*>(address) - mine;
    if (offset < 0 || offset > block->shared_end - mine)
        fail(
            fmt::format("cluster: {} at {} maps {}, which is not in its block's dynamic shared "
                        "memory; declare it with FETTLE_DYNAMIC_SHARED",
                        name_of(*block->current), place.text(), address));
    if (rank >= cluster_size())
        fail(fmt::format("cluster: {} at {} maps to the block of rank {}, expected 0 to {}",
                         name_of(*block->current), place.text(), rank, cluster_size() - 1));
    return block->peer(static_cast<int>(rank)).dynamic_shared() + offset;
}

void cluster_arrive(Place place) {
    const check::Inside emulator;
    Thread& thread = *block->current;
    if (std::exchange(thread.is_at_cluster_barrier, true))
        fail(
            fmt::format("cluster: {} arrives at the cluster's barrier at {}, for the second time "
                        "without a wait",
                        name_of(thread), place.text()));
    thread.cluster_phase = barrier().phase;
    check::release(static_cast<int>(block->current - block->threads), barrier().arriving);
    ++barrier().arrived;
    open_if_complete();
}

void cluster_wait(Place place) {
    const check::Inside emulator;
    Thread& thread = *block->current;
    if (!thread.is_at_cluster_barrier)
        fail(fmt::format("cluster: {} waits at the cluster's barrier at {}, and did not arrive",
                         name_of(thread), place.text()));
    while (barrier().phase == thread.cluster_phase) wait_for_others(Waiting::for_cluster, place);
    thread.is_at_cluster_barrier = false;
    check::acquire(barrier().completed);
}

void leave_cluster(const Thread& leaver) {
    if (leaver.is_at_cluster_barrier)
        fail(fmt::format("cluster: {} returns between arrival and wait at the cluster's barrier",
                         name_of(leaver)));
    if (block->cluster_size() > 1) open_if_complete();
}

Block* peer_that_can_go_on() {
    for (int i = 1; i < block->cluster_size(); ++i) {
        Block& peer = block->peer((block->rank + i) % block->cluster_size());
        if (peer.is_over) continue;
        if (!peer.bulk_copies.empty()) return &peer;
        for (int warp = 0; warp < peer.num_warps; ++warp)
            if (peer.warps[warp].ready != 0) return &peer;
    }
    return nullptr;
}

}  // namespace simt
