// The state of a block, and of the blocks that an OS thread keeps alive: its team. One thread of
// one block runs at a time; the others of the team stand where they wait. Internal to kernels/simt.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "kernels/simt/cluster.h"
#include "kernels/simt/fiber.h"
#include "kernels/simt/grid.h"
#include "kernels/simt/mbarrier.h"
#include "kernels/simt/named_barrier.h"
#include "kernels/simt/place.h"
#include "kernels/simt/register_pool.h"
#include "kernels/simt/static_shared.h"
#include "kernels/simt/tensor_copy.h"
#include "kernels/simt/tensor_store.h"
#include "kernels/simt/types.h"
#include "kernels/simt/warpgroup_matrix.h"

namespace simt {

constexpr int kLanesPerWarp = 32;
constexpr int kMaxWarps = kMaxThreads / kLanesPerWarp;
constexpr int kMaxTeam = kMaxCluster;  // blocks that an OS thread keeps alive

enum class Waiting : uint8_t {
    for_nothing,
    for_warp,
    for_block,
    for_mbarrier,
    for_named_barrier,
    for_registers,
    for_cluster,
    exited
};

struct Thread {
    on_simt::uint3 index;
    uint8_t warp = 0;
    uint8_t lane = 0;
    Waiting waiting = Waiting::for_nothing;
    const uint64_t* awaited = nullptr;   // the mbarrier, if it waits for one
    Place place{};                       // where it waits
    bool is_at_cluster_barrier = false;  // arrived, and has not waited for the end of this phase:
    uint32_t cluster_phase = 0;
    Fiber* fiber = nullptr;    // null: not started
    uint32_t copy_groups = 0;  // that it committed
    StoreGroups stores = {};
};

// An asynchronous copy that its thread has not waited for.
struct Copy {
    unsigned char* to = nullptr;          // shared memory
    const unsigned char* from = nullptr;  // device memory
    int bytes = 0;
    int from_bytes = 0;  // as many are copied, the rest becomes zeros
    uint32_t group = 0;  // of its thread
    bool landed = false;
    Place place;
};

// One meeting of the lanes in `mask`. The last lane to arrive does the work for all: `operation`
// gets each lane's argument.
using WarpOperation = void (*)(uint32_t mask, void** arguments);
struct Meeting {
    uint32_t mask = 0;
    uint32_t arrived = 0;  // 0: free
    WarpOperation operation = nullptr;
    Place place;
    void* arguments[kLanesPerWarp] = {};
};

struct Warp {
    uint32_t ready = 0;   // lanes that can run
    uint32_t living = 0;  // lanes that have not returned
    Meeting meetings[8];  // under way at once, each for other lanes
};

struct Barrier {
    int arrived = 0;
    Place place;
    uint32_t waiting[kMaxWarps] = {};  // lanes of each warp
};

struct Block {
    Grid grid;
    on_simt::uint3 index;
    int slot = 0;  // in its team
    int rank = 0;  // in its cluster, whose blocks have slots in a row
    bool is_over = false;
    int num_threads = 0;
    int num_warps = 0;
    int num_living = 0;
    int current_warp = 0;
    Thread* current = nullptr;  // null: the host runs
    uint32_t random = 0;        // 0: in order
    uint32_t atomics = 0;       // since a thread waited or returned
    Thread threads[kMaxThreads];
    Warp warps[kMaxWarps];
    Barrier barrier;
    ClusterBarrier cluster_barrier;         // of a cluster's first block
    std::vector<Copy> copies[kMaxThreads];  // of each thread
    int num_flying = 0;                     // copies that have not landed
    std::map<const uint64_t*, Mbarrier> mbarriers;
    NamedBarrier named_barriers[kNamedBarriers];
    WarpRegisters registers_of_warps[kMaxWarps];
    RegisterPool registers_left;
    WarpProducts products[kMaxWarps];
    int num_products = 0;  // not yet computed
    std::vector<WarpgroupCall> warpgroup_calls[kMaxWarps / kWarpsPerWarpgroup];
    std::vector<BulkCopy> bulk_copies;  // under way, oldest first
    std::vector<BulkStore> bulk_stores;
    unsigned char* shared_end = nullptr;  // dynamic shared memory ends here, at a guard page
    size_t shared_capacity = 0;           // bytes before it
    std::vector<char> static_shared;      // its contents while another block of the team runs
    // Registers and local memory of the threads of an interpreted kernel. A vector, because a
    // thread that fails leaves its stack without destroying anything.
    std::vector<uint64_t> registers;

    Block();
    ~Block();
    unsigned char* dynamic_shared() const {
        return shared_end - (grid.shared_bytes + 15) / 16 * 16;
    }
    int cluster_size() const { return static_cast<int>(grid.cluster); }
    Block& peer(int of_rank) const;  // of its cluster
    std::string name() const;        // "block (1,0,0)"
};

extern constinit thread_local Block* block;  // null: this OS thread has not run one yet

// The blocks that an OS thread runs at once.
struct Team {
    std::vector<std::unique_ptr<Block>> blocks;
    int size = 0;         // the first so many are of this run
    int num_living = 0;   // of those
    uint32_t random = 0;  // 0: one block after another
    std::string error;    // what ended the run early
    Context host = host_context();
    StaticShared static_shared;
    std::vector<std::unique_ptr<Fiber>> fibers;
    std::vector<Fiber*> idle_fibers;
};
extern constinit thread_local Team* team;

// collective.cpp
// Waits until all lanes in `mask` are here; the last one runs `operation` for all of them.
void meet(uint32_t mask, WarpOperation operation, void* argument, Place place);
// copies.cpp
void forget_copies();               // of a block that failed
void land_a_copy(uint32_t random);  // any one of those under way
void check_no_copies_left(const Thread& leaver);
// scheduler.cpp
uint32_t next_random();  // of a block in random order
uint32_t next_random(uint32_t& state);
void enter_block(Block* chosen);                     // `block` is `chosen` from now on
void run_team();                                     // runs `team`; its error says how it ended
void wait_for_others(Waiting waiting, Place place);  // runs other threads until made ready
// Ends the block from within a thread: notes the message and unwinds to where the thread began.
struct BlockFailed {};
[[noreturn]] void fail(const std::string& message);
[[noreturn]] void end_block();              // goes back to run_block's caller at once
std::string name_of(const Thread& thread);  // "block (1,0,0) thread (33,0,0)"
// fault.cpp
void watch_for_faults();           // before each grid: others may have taken the signal since
void prepare_thread_for_faults();  // once on each OS thread
// Fails if what an instruction uses lies in dynamic shared memory, but not within the block's.
void check_shared_range(const void* address, size_t bytes, const Thread& thread, Place place);

}  // namespace simt
