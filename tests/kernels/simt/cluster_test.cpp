// Clusters: right use in any order of blocks and threads, and planted bugs.

#include "kernels/simt/cluster.h"

#include <string>
#include <vector>

#include "tests/support/devices.h"
#include "tests/support/doctest.h"
#include "tests/support/emulated.h"
#include "tests/support/planted_bugs.h"

namespace on_simt {
namespace {

constexpr unsigned kThreads = 64;  // of a block
constexpr unsigned kCluster = 4;

__device__ unsigned next_rank() { return (cluster_rank() + 1) % cluster_size(); }
__device__ unsigned grid_thread() { return blockIdx.x * kThreads + threadIdx.x; }

// Each block takes what the next one of its cluster has, back to front.
__global__ void from_the_next(int* out) {
    FETTLE_DYNAMIC_SHARED(int, values);
    values[threadIdx.x] = int(grid_thread());
    cluster_sync();
    out[grid_thread()] = cluster_map(values, next_rank())[kThreads - 1 - threadIdx.x];
    cluster_sync();
}

// Sums numbers of all threads of the cluster: of a block in its memory, of the blocks in that of the
// first, one at a time, each behind the block before it.
__global__ void sum_in_order(int* out) {
    FETTLE_DYNAMIC_SHARED(int, sums);
    sums[threadIdx.x] = int(threadIdx.x);
    cluster_sync();
    for (unsigned rank = 1; rank < cluster_size(); ++rank) {
        if (cluster_rank() == rank) cluster_map(sums, 0)[threadIdx.x] += int(100 * rank);
        cluster_sync();
    }
    out[grid_thread()] = cluster_map(sums, 0)[threadIdx.x];
    cluster_sync();
}

// Work lies between arrival and wait; atomics meet in the memory of the last block; half of the
// threads of each block return early.
__global__ void count_visitors(int* out) {
    FETTLE_DYNAMIC_SHARED(int, visitors);
    if (threadIdx.x == 0) visitors[0] = 0;
    cluster_sync();
    atomicAdd(cluster_map(visitors, cluster_size() - 1), 1);
    cluster_arrive();
    const int mine = 2 * int(threadIdx.x);
    cluster_wait();
    if (threadIdx.x % 2 == 1) return;
    __syncwarp(0x55555555u);
    out[grid_thread()] = *cluster_map(visitors, cluster_size() - 1) + mine;
    cluster_sync();
}

__global__ void sizes(int* out) { out[grid_thread()] = int(10 * cluster_size() + cluster_rank()); }

// __syncthreads and static shared memory are a block's own.
__global__ void own_barriers(int* out) {
    __shared__ int mine[kThreads];
    FETTLE_DYNAMIC_SHARED(int, values);
    for (unsigned round = 0; round <= cluster_rank(); ++round) {
        mine[threadIdx.x] = int(grid_thread() + round);
        __syncthreads();
        values[threadIdx.x] = mine[threadIdx.x ^ 32];
        __syncthreads();
    }
    cluster_sync();
    out[grid_thread()] = cluster_map(values, next_rank())[threadIdx.x];
    cluster_sync();
}

// ---- wrong ----
__global__ void arrives_twice(int*) {
    cluster_arrive();
    cluster_arrive();  // BUG arrives_twice
    cluster_wait();
}
__global__ void waits_without_arrival(int*) {
    cluster_wait();  // BUG waits_without_arrival
}
__global__ void returns_between(int*) { cluster_arrive(); }
__global__ void no_such_rank(int* out) {
    FETTLE_DYNAMIC_SHARED(int, values);
    out[0] = *cluster_map(values, cluster_size());  // BUG no_such_rank
}
__global__ void static_memory(int* out) {
    __shared__ int mine[kThreads];
    out[0] = cluster_map(mine, 0)[0];  // BUG static_memory
}
// A block waits at its own barrier for threads that wait for the cluster.
__global__ void waits_for_ever(int*) {
    if (cluster_rank() == 1 && threadIdx.x == 0)
        __syncthreads();  // BUG at_the_block
    else
        cluster_sync();  // BUG at_the_cluster
}

#if defined(FETTLE_CHECK)
__global__ void before_they_began(int* out) {
    FETTLE_DYNAMIC_SHARED(int, values);
    values[threadIdx.x] = 1;  // BUG stored_late
    if (cluster_rank() == 0)
        out[threadIdx.x] = cluster_map(values, 1)[threadIdx.x];  // BUG before_they_began
    cluster_sync();
}
// A barrier of each block orders nothing between them.
__global__ void barrier_of_the_block(int* out) {
    FETTLE_DYNAMIC_SHARED(int, values);
    values[threadIdx.x] = 0;
    cluster_sync();
    cluster_map(values, next_rank())[threadIdx.x] = 1;  // BUG stored_remotely
    __syncthreads();
    out[grid_thread()] = values[threadIdx.x];  // BUG barrier_of_the_block
    cluster_sync();
}
// Who arrives has not seen what others did before they arrive.
__global__ void reads_before_the_wait(int* out) {
    FETTLE_DYNAMIC_SHARED(int, values);
    values[threadIdx.x] = 0;
    cluster_sync();
    values[threadIdx.x] = 1;  // BUG stored_before_arrival
    cluster_arrive();
    const int theirs = cluster_map(values, next_rank())[threadIdx.x];  // BUG read_before_the_wait
    cluster_wait();
    out[grid_thread()] = theirs;
    cluster_sync();
}
__global__ void overwrites_what_is_read(int* out) {
    FETTLE_DYNAMIC_SHARED(int, values);
    values[threadIdx.x] = 1;
    cluster_sync();
    out[grid_thread()] = cluster_map(values, next_rank())[threadIdx.x];  // BUG still_read
    values[threadIdx.x] = 2;                                             // BUG overwritten
    cluster_sync();
}
__global__ void leaves_too_early(int* out) {
    FETTLE_DYNAMIC_SHARED(int, values);
    values[threadIdx.x] = 1;
    cluster_sync();
    out[grid_thread()] = cluster_map(values, next_rank())[threadIdx.x];  // BUG leaves_too_early
}
__global__ void never_stored(int* out) {
    FETTLE_DYNAMIC_SHARED(int, values);
    if (cluster_rank() != 2) values[threadIdx.x] = 1;
    cluster_sync();
    out[grid_thread()] = cluster_map(values, next_rank())[threadIdx.x];  // BUG never_stored
    cluster_sync();
}
__global__ void beyond_their_memory(int* out) {
    FETTLE_DYNAMIC_SHARED(int, values);
    values[threadIdx.x] = 1;
    cluster_sync();
    out[grid_thread()] = cluster_map(values, next_rank())[threadIdx.x + 1];  // BUG beyond
    cluster_sync();
}
// Blocks of two clusters share nothing but device memory, and no barrier.
__global__ void race_between_clusters(int* out) {
    if (cluster_rank() == 0 && threadIdx.x == 0) out[0] = 1;  // BUG between_clusters
    cluster_sync();
}
// Within a cluster device memory is ordered by its barrier, and only by that.
__global__ void race_within_a_cluster(int* out) {
    if (threadIdx.x == 0) out[blockIdx.x / kCluster] = 1;  // BUG within_a_cluster
    cluster_sync();
}
#endif

}  // namespace
}  // namespace on_simt

namespace {

using Kernel = void (*)(int*);
using on_simt::kThreads, on_simt::kCluster;
constexpr unsigned kBlocks = 6 * kCluster;

std::vector<int> run(Kernel kernel, uint32_t seed, unsigned cluster = kCluster) {
    const Buffer<int> out(Device::simt, kBlocks * kThreads);
    with_schedule(seed, [&] {
        on_simt::launch(kernel,
                        {.grid = kBlocks,
                         .block = kThreads,
                         .shared_bytes = kThreads * sizeof(int),
                         .cluster = cluster},
                        out.data());
    });
    return out.to_host();
}

std::string report_of(Kernel kernel, uint32_t seed) {
    try {
        run(kernel, seed);
    } catch (const Error& error) {
        return error.what();
    }
    return "";
}

constexpr uint32_t kSeeds[] = {0, 1, 2, 3, 77};

// Every order must name `kind` and one of the lines.
void check_reported(Kernel kernel, const std::string& kind, const std::string& line,
                    const std::string& or_line = "") {
    for (const uint32_t seed : kSeeds) {
        const std::string text = report_of(kernel, seed);
        CAPTURE(text);
        CAPTURE(line);
        CHECK(contains(text, kind));
        CHECK((contains(text, line_of(line, __FILE__)) ||
               (!or_line.empty() && contains(text, line_of(or_line, __FILE__)))));
    }
}

template <typename Expected>
void check_result(Kernel kernel, unsigned cluster, const Expected& expected) {
    for (const uint32_t seed : kSeeds) {
        const auto out = run(kernel, seed, cluster);
        for (unsigned i = 0; i < out.size(); ++i) {
            const unsigned block = i / kThreads, rank = block % cluster;
            CHECK(out[i] == expected(block - rank, rank, i % kThreads));
        }
    }
}

}  // namespace

TEST_CASE("simt cluster: a block reads what another one of its cluster stored") {
    for (const unsigned cluster : {1u, 2u, 4u, 8u})
        check_result(on_simt::from_the_next, cluster,
                     [&](unsigned first, unsigned rank, unsigned thread) {
                         const unsigned next = first + (rank + 1) % cluster;
                         return int(next * kThreads + kThreads - 1 - thread);
                     });
}

TEST_CASE("simt cluster: blocks take turns in the memory of one") {
    for (const unsigned cluster : {1u, 3u, 8u})
        check_result(on_simt::sum_in_order, cluster, [&](unsigned, unsigned, unsigned thread) {
            return int(thread + 100 * (cluster * (cluster - 1) / 2));
        });
}

TEST_CASE("simt cluster: atomics of all blocks meet, and who has returned is not waited for") {
    check_result(on_simt::count_visitors, kCluster, [](unsigned, unsigned, unsigned thread) {
        return thread % 2 == 1 ? 0 : int(kCluster * kThreads + 2 * thread);
    });
}

TEST_CASE("simt cluster: a block knows its rank and how many there are; alone it is a cluster") {
    for (const unsigned cluster : {1u, 2u, 3u, 6u, 8u})
        check_result(on_simt::sizes, cluster,
                     [&](unsigned, unsigned rank, unsigned) { return int(10 * cluster + rank); });
}

TEST_CASE("simt cluster: barriers and static shared memory of the blocks stay their own") {
    check_result(on_simt::own_barriers, kCluster,
                 [](unsigned first, unsigned rank, unsigned thread) {
                     const unsigned next = (rank + 1) % kCluster;
                     return int((first + next) * kThreads + (thread ^ 32) + next);
                 });
}

TEST_CASE("simt cluster: misuse is an error that names the line") {
    check_reported(on_simt::arrives_twice, "for the second time", "arrives_twice");
    check_reported(on_simt::waits_without_arrival, "did not arrive", "waits_without_arrival");
    check_reported(on_simt::no_such_rank, "rank 4, expected 0 to 3", "no_such_rank");
    check_reported(on_simt::static_memory, "FETTLE_DYNAMIC_SHARED", "static_memory");
    for (const uint32_t seed : kSeeds)
        CHECK(contains(report_of(on_simt::returns_between, seed), "between arrival and wait"));
}

TEST_CASE("simt cluster: a wait without end names the blocks and who waits where") {
    check_reported(on_simt::waits_for_ever, "1 thread(s) wait for __syncthreads", "at_the_block");
    check_reported(on_simt::waits_for_ever, "63 thread(s) wait for its cluster's barrier",
                   "at_the_cluster");
}

TEST_CASE("simt cluster: a grid is of whole clusters of at most eight blocks") {
    for (const unsigned cluster : {0u, 5u, 9u, 12u}) {
        CAPTURE(cluster);
        CHECK_THROWS_WITH_AS(
            run(on_simt::sizes, 0, cluster),
            doctest::Contains(("clusters of " + std::to_string(cluster) + " blocks").c_str()),
            Error);
    }
}

#if defined(FETTLE_CHECK)
TEST_CASE("simt cluster: its barrier orders, nothing else does") {
    // If the other block has not even begun, there is nothing to read.
    check_reported(on_simt::before_they_began, "", "before_they_began", "stored_late");
    check_reported(on_simt::barrier_of_the_block, "shared race", "barrier_of_the_block",
                   "stored_remotely");
    check_reported(on_simt::reads_before_the_wait, "shared race", "read_before_the_wait",
                   "stored_before_arrival");
    check_reported(on_simt::overwrites_what_is_read, "shared race", "overwritten", "still_read");
    check_reported(on_simt::race_between_clusters, "race between blocks", "between_clusters");
    check_reported(on_simt::race_within_a_cluster, "global race", "within_a_cluster");
}

TEST_CASE("simt cluster: what others have must be there: stored, within bounds, not yet over") {
    check_reported(on_simt::leaves_too_early, "block is over", "leaves_too_early");
    check_reported(on_simt::never_stored, "uninitialised", "never_stored");
    check_reported(on_simt::beyond_their_memory, "out of bounds", "beyond");
}
#endif
