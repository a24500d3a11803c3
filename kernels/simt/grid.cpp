#include "kernels/simt/grid.h"

#include <sys/mman.h>

#include <algorithm>
#include <atomic>
#include <cstring>
#include <mutex>
#include <numeric>

#include "kernels/core/check.h"
#include "kernels/core/parallel.h"
#include "kernels/simt/block.h"
#include "kernels/simt/check.h"
#include "kernels/simt/profile.h"
#include "kernels/simt/simt.h"

namespace simt {
namespace {

uint32_t seed = 0;

// Each thread that is alive may need a stack of two mappings; Linux allows a process 65,530.
constexpr int kMaxLiving = 16 * kMaxThreads;
constexpr int kMaxLivingOfTeam = 2 * kMaxThreads;
constexpr int kMaxWorkers = check::kOn ? 1 : 16;
constexpr uint64_t kMaxJudgedThreads = 4096;  // of a cluster: each knows of each, in 8 bytes
constexpr size_t kPage = 4096;
constexpr size_t kSharedBytes = (kMaxSharedBytes + kPage - 1) / kPage * kPage;

// One grid on its way through the OS threads, each of which takes a team of blocks at a time.
struct Run {
    const Grid& grid;
    uint64_t num_blocks;
    int team_size;
    uint64_t stride;  // from a cluster to the next that is taken, a generator of all numbers
    std::atomic<uint64_t> next{0};
    std::atomic<bool> failed{false};
    std::mutex mutex;
    std::string error;  // the first one
};

// With a seed several blocks of a team take turns, and teams are of clusters that lie far apart.
int team_size_of(const Grid& grid, uint64_t num_blocks, uint64_t threads) {
    if (seed == 0 || profile::is_on() || !StaticShared::kMovable)
        return static_cast<int>(grid.cluster);
    const auto fit = std::clamp<uint64_t>(kMaxLivingOfTeam / threads, 2, 4) / grid.cluster;
    return static_cast<int>(std::min(std::max<uint64_t>(fit, 1) * grid.cluster, num_blocks));
}

uint64_t stride_of(uint64_t num_clusters) {
    if (seed == 0) return 1;
    uint64_t stride = seed * uint64_t{2654435761} % num_clusters;
    while (std::gcd(stride, num_clusters) != 1) ++stride;
    return stride;
}

uint64_t block_at(const Run& run, uint64_t position) {
    __extension__ using Wide = unsigned __int128;
    const uint64_t of_cluster = run.grid.cluster;
    const Wide at = Wide{position / of_cluster} * run.stride + seed;
    const auto cluster = static_cast<uint64_t>(at % (run.num_blocks / of_cluster));
    return cluster * of_cluster + position % of_cluster;
}

void prepare_block(const Run& run, int slot, uint64_t number) {
    const auto [x, y, z] = run.grid.blocks;
    Block& next = *team->blocks[static_cast<size_t>(slot)];
    next.grid = run.grid;
    next.slot = slot;
    next.rank = static_cast<int>(number % run.grid.cluster);
    next.index = {static_cast<unsigned>(number % x), static_cast<unsigned>(number / x % y),
                  static_cast<unsigned>(number / x / y)};
    next.random = seed == 0 ? 0 : (seed * 2654435761u ^ static_cast<uint32_t>(number)) | 1u;
    std::memset(next.dynamic_shared(), 0xff, run.grid.shared_bytes);  // NaNs: stale data must show
}

void run_team_from(Run& run, uint64_t position) {
    team->size = static_cast<int>(
        std::min<uint64_t>(static_cast<uint64_t>(run.team_size), run.num_blocks - position));
    for (int slot = 0; slot < team->size; ++slot)
        prepare_block(run, slot, block_at(run, position + static_cast<uint64_t>(slot)));
    team->random = team->blocks.front()->random;
    run_team();
    if (team->error.empty()) return;
    run.failed = true;
    const std::lock_guard lock(run.mutex);
    if (run.error.empty()) run.error = team->error;
}

// What each OS thread does: takes blocks until there are no more.
void take_blocks(Run& run) {
    static thread_local const std::unique_ptr<Team> own = std::make_unique<Team>();
    team = own.get();
    while (team->blocks.size() < static_cast<size_t>(run.team_size))
        team->blocks.push_back(std::make_unique<Block>());
    prepare_thread_for_faults();
    on_simt::gridDim = run.grid.blocks;
    on_simt::blockDim = run.grid.threads;
    const auto step = static_cast<uint64_t>(run.team_size);
    for (uint64_t i = run.next.fetch_add(step); i < run.num_blocks && !run.failed;
         i = run.next.fetch_add(step))
        run_team_from(run, i);
}

int num_workers(const Run& run) {
    const auto [x, y, z] = run.grid.threads;
    const auto living = static_cast<int>(x * y * z) * run.team_size;
    const int most = std::min({num_threads(), kMaxWorkers, kMaxLiving / living});
    const auto teams = (run.num_blocks - 1) / static_cast<uint64_t>(run.team_size) + 1;
    return static_cast<int>(std::min<uint64_t>(teams, static_cast<uint64_t>(most)));
}

void check_cluster(uint64_t blocks, uint64_t threads) {
    ENSURE(blocks == 1 || StaticShared::kMovable,
           "kernel launch: no clusters in a build with clang's AddressSanitizer");
    ENSURE(!check::kOn || blocks * threads <= kMaxJudgedThreads || blocks == 1,
           "kernel launch: a cluster of {} threads, expected at most {} in a check build",
           blocks * threads, kMaxJudgedThreads);
}

void check_launch(const Grid& grid) {
    const auto [x, y, z] = grid.blocks;
    const uint64_t threads = uint64_t{grid.threads.x} * grid.threads.y * grid.threads.z;
    ENSURE(x > 0 && x <= 0x7fffffffu && y > 0 && y <= 65535 && z > 0 && z <= 65535,
           "kernel launch: a grid of ({},{},{}) blocks, expected 1 to (2^31-1,65535,65535)", x, y,
           z);
    ENSURE(threads > 0 && threads <= kMaxThreads && grid.threads.z <= 64,
           "kernel launch: a block of ({},{},{}) threads, expected 1 to {}", grid.threads.x,
           grid.threads.y, grid.threads.z, kMaxThreads);
    ENSURE(grid.shared_bytes <= kMaxSharedBytes,
           "kernel launch: {} bytes of dynamic shared memory, expected at most {}",
           grid.shared_bytes, kMaxSharedBytes);
    ENSURE(grid.cluster > 0 && grid.cluster <= kMaxCluster && x % grid.cluster == 0,
           "kernel launch: clusters of {} blocks in a grid of ({},{},{}), expected 1 to {}, and a "
           "grid of whole ones along x",
           grid.cluster, x, y, z, kMaxCluster);
    check_cluster(grid.cluster, threads);
}

}  // namespace

Block::Block() {
    void* shared = mmap(nullptr, kSharedBytes + kPage, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    ENSURE(shared != MAP_FAILED, "simt: no memory for {} bytes of shared memory", kSharedBytes);
    shared_capacity = kSharedBytes;
    shared_end = static_cast<unsigned char*>(shared) + kSharedBytes;
    mprotect(shared_end, kPage, PROT_NONE);
}

Block::~Block() { munmap(shared_end - kSharedBytes, kSharedBytes + kPage); }

unsigned char* dynamic_shared() {
    const check::Inside emulator;
    return block->dynamic_shared();
}

void set_schedule_seed(uint32_t value) { seed = value; }
uint32_t schedule_seed() { return seed; }

void run_grid(const Grid& grid) {
    check_launch(grid);
    watch_for_faults();
    check::begin_grid();
    const uint64_t num_blocks = uint64_t{grid.blocks.x} * grid.blocks.y * grid.blocks.z;
    const uint64_t num_threads_of_block =
        uint64_t{grid.threads.x} * grid.threads.y * grid.threads.z;
    Run run{.grid = grid,
            .num_blocks = num_blocks,
            .team_size = team_size_of(grid, num_blocks, num_threads_of_block),
            .stride = stride_of(num_blocks / grid.cluster),
            .mutex = {},
            .error = {}};
    [[maybe_unused]] const int threads = num_workers(run);
#pragma omp parallel num_threads(threads)
    take_blocks(run);
    ENSURE(!run.failed, "simt: {}", run.error);
}

}  // namespace simt
