#include "kernels/simt/grid.h"

#include <sys/mman.h>

#include <atomic>
#include <cstring>
#include <mutex>

#include "kernels/core/check.h"
#include "kernels/core/parallel.h"
#include "kernels/simt/block.h"
#include "kernels/simt/check.h"
#include "kernels/simt/simt.h"

namespace simt {
namespace {

uint32_t seed = 0;

// Each worker may need 1,024 stacks of two mappings each; Linux allows a process 65,530 mappings.
constexpr int kMaxWorkers = check::kOn ? 1 : 16;
constexpr size_t kPage = 4096;
constexpr size_t kSharedBytes = (kMaxSharedBytes + kPage - 1) / kPage * kPage;

// One grid on its way through the OS threads.
struct Run {
    const Grid& grid;
    uint64_t num_blocks;
    std::atomic<uint64_t> next{0};
    std::atomic<bool> failed{false};
    std::mutex mutex;
    std::string error;  // the first one
};

// A bijection of the blocks' numbers: backwards for odd seeds, from any block on.
uint64_t shuffled(uint64_t number, uint64_t num_blocks) {
    const uint64_t position = (number + seed * uint64_t{2654435761}) % num_blocks;
    return seed % 2 == 1 ? num_blocks - 1 - position : position;
}

void run_numbered_block(Run& run, uint64_t number) {
    const on_simt::dim3 blocks = run.grid.blocks;
    on_simt::blockIdx = {static_cast<unsigned>(number % blocks.x),
                         static_cast<unsigned>(number / blocks.x % blocks.y),
                         static_cast<unsigned>(number / blocks.x / blocks.y)};
    block->random = seed == 0 ? 0 : (seed * 2654435761u ^ static_cast<uint32_t>(number)) | 1u;
    std::memset(dynamic_shared(), 0xff, run.grid.shared_bytes);  // NaNs: stale data must show
    run_block();
    if (block->error.empty()) return;
    run.failed = true;
    const std::lock_guard lock(run.mutex);
    if (run.error.empty()) run.error = block->error;
}

// What each OS thread does: takes blocks until there are no more.
void take_blocks(Run& run) {
    static thread_local const std::unique_ptr<Block> own = std::make_unique<Block>();
    block = own.get();
    prepare_thread_for_faults();
    block->grid = run.grid;
    on_simt::gridDim = run.grid.blocks;
    on_simt::blockDim = run.grid.threads;
    for (uint64_t i = run.next++; i < run.num_blocks && !run.failed; i = run.next++)
        run_numbered_block(run, seed == 0 ? i : shuffled(i, run.num_blocks));
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
}

}  // namespace

Block::Block() : host(host_context()) {
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
    return block->shared_end - (block->grid.shared_bytes + 15) / 16 * 16;
}

void set_schedule_seed(uint32_t value) { seed = value; }
uint32_t schedule_seed() { return seed; }

void run_grid(const Grid& grid) {
    check_launch(grid);
    watch_for_faults();
    check::begin_grid();
    Run run{.grid = grid,
            .num_blocks = uint64_t{grid.blocks.x} * grid.blocks.y * grid.blocks.z,
            .mutex = {},
            .error = {}};
    [[maybe_unused]] const int threads = static_cast<int>(std::min<uint64_t>(
        run.num_blocks, static_cast<uint64_t>(std::min(num_threads(), kMaxWorkers))));
#pragma omp parallel num_threads(threads)
    take_blocks(run);
    ENSURE(!run.failed, "simt: {}", run.error);
}

}  // namespace simt
