// Probes: clusters, whose blocks use each other's shared memory.

#include "kernels/core/cluster.cuh"

#include "tests/kernels/probes/probe_launch.cuh"

namespace FETTLE_DEVICE {
namespace {

constexpr unsigned kBlocks = 8, kCluster = 4, kLanes = 32;
constexpr size_t kSharedBytes = 3 * kLanes * sizeof(uint32_t);

// out [kBlocks, 4, 32]: rank and size; what the next block of the cluster loaded, backwards; the
// cluster's sum, by atomics in the first block's memory; what the neighbour stored here.
// in [kBlocks, 32]
__global__ void probe_cluster(uint32_t* out, const uint32_t* in) {
    FETTLE_DYNAMIC_SHARED(uint32_t, words);
    uint32_t *sums = words + kLanes, *inbox = sums + kLanes;
    const uint32_t rank = cluster_rank(), size = cluster_size(), lane = threadIdx.x;
    words[lane] = in[blockIdx.x * kLanes + lane];
    sums[lane] = 0;
    cluster_sync();
    atomicAdd(cluster_map(sums + lane, 0), words[lane]);
    cluster_map(inbox, rank ^ 1)[lane] = 3 * words[lane];
    cluster_arrive();
    uint32_t* of_block = out + blockIdx.x * 4 * kLanes;
    of_block[lane] = rank << 8 | size;
    cluster_wait();
    of_block[kLanes + lane] = cluster_map(words, (rank + 1) % size)[kLanes - 1 - lane];
    of_block[2 * kLanes + lane] = cluster_map(sums, 0)[lane];
    of_block[3 * kLanes + lane] = inbox[lane];
    cluster_sync();
}

void run_cluster(uint32_t* out, const uint32_t* in, StreamView stream) {
    launch(probe_cluster,
           {.grid = kBlocks,
            .block = kLanes,
            .shared_bytes = kSharedBytes,
            .stream = stream,
            .cluster = kCluster},
           out, in);
}

}  // namespace

ProbeKernels cluster_probes() { return {{"cluster", run_cluster, true}}; }

}  // namespace FETTLE_DEVICE
