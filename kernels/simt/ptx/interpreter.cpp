#include "kernels/simt/ptx/interpreter.h"

#include <algorithm>
#include <atomic>
#include <cstring>
#include <memory>
#include <mutex>
#include <utility>

#include "kernels/core/check.h"
#include "kernels/simt/block.h"
#include "kernels/simt/check.h"
#include "kernels/simt/cluster.h"
#include "kernels/simt/grid.h"
#include "kernels/simt/ptx/library.h"
#include "kernels/simt/ptx/program.h"
#include "kernels/simt/simt.h"

namespace simt::ptx {
namespace {

std::mutex mutex;
std::unique_ptr<Library> library;  // null: launches run the host's code
std::atomic<bool> interpreting{false};

std::unique_ptr<Library> exchange_library(std::unique_ptr<Library> next) {
    const std::lock_guard lock(mutex);
    interpreting = next != nullptr;
    return std::exchange(library, std::move(next));
}

// ---- one launch ----

struct Run {
    const Program& program;
    const unsigned char* parameters;
    std::atomic<uint64_t> instructions{0};
};
std::atomic<uint64_t> all_instructions_run{0};

size_t words_of_thread(const Program& program) {
    const size_t words = program.registers.size() + program.local_bytes / 8 + 4;
    return (words + 7) / 8 * 8 + (words % 512 == 0 ? 8 : 0);  // not all on the same cache lines
}

uint64_t value_of(Special::Kind kind, const Run& run, const Frame& frame) {
    const auto& [x, y, z] = block->current->index;
    const on_simt::uint3 by_kind[] = {
        {x, y, z},
        {on_simt::blockDim.x, on_simt::blockDim.y, on_simt::blockDim.z},
        on_simt::blockIdx,
        {on_simt::gridDim.x, on_simt::gridDim.y, on_simt::gridDim.z}};
    const uint32_t bit = 1u << frame.lane, below = bit - 1;
    if (kind < Special::laneid) {
        const on_simt::uint3& value = by_kind[kind / 3];
        return kind % 3 == 0 ? value.x : kind % 3 == 1 ? value.y : value.z;
    }
    switch (kind) {
        case Special::laneid:
            return frame.lane;
        case Special::warpid:
            return block->current->warp;
        case Special::lanemask_eq:
            return bit;
        case Special::lanemask_lt:
            return below;
        case Special::lanemask_le:
            return below | bit;
        case Special::lanemask_gt:
            return ~(below | bit);
        case Special::lanemask_ge:
            return ~below;
        case Special::cluster_ctarank:
            return cluster_rank();
        case Special::cluster_nctarank:
            return cluster_size();
        case Special::parameters:
            return reinterpret_cast<uint64_t>(run.parameters);
        default:
            return reinterpret_cast<uint64_t>(frame.local);
    }
}

// The current thread, from its first instruction to its last.
void run_thread(void* of) {
    const check::Inside emulator;  // a check build judges compiled kernels, not interpreted ones
    Run& run = *static_cast<Run*>(of);
    const Program& program = run.program;
    const size_t words = words_of_thread(program);
    const size_t needed = words * static_cast<size_t>(block->num_threads);
    auto& memory = block->registers;
    if (memory.size() < needed) memory.resize(needed);  // the block's first thread: nobody has any
    uint64_t* const registers =
        memory.data() + words * static_cast<size_t>(block->current - block->threads);

    auto local = reinterpret_cast<uintptr_t>(registers + program.registers.size());
    local = (local + 15) / 16 * 16;
    Frame frame{.program = &program,
                .shared = dynamic_shared(),
                .shared_bytes = block->grid.shared_bytes,
                .local = reinterpret_cast<unsigned char*>(local),
                .local_bytes = program.local_bytes,
                .lane = block->current->lane};
    std::memset(frame.local, 0xff, frame.local_bytes);  // NaNs: what was never written must show
    std::copy(program.registers.begin(), program.registers.end(), registers);
    for (const Special& special : program.specials)
        registers[special.slot] = value_of(special.kind, run, frame) + special.offset;

    uint64_t count = 0;
    for (const Instruction* next = program.code.data(); next != nullptr; ++count) {
        const std::atomic_ref<uint32_t> reached(next->reached);
        if (reached.load(std::memory_order_relaxed) == 0) reached.store(1);
        next = next->run(next, registers, frame);
    }
    run.instructions.fetch_add(count, std::memory_order_relaxed);
}

void check_launch(const Program& program, on_simt::dim3 threads,
                  const std::vector<Argument>& arguments) {
    const Entry& entry = program.entry();
    const size_t expected = entry.parameters.size();
    ENSURE(arguments.size() == expected, "kernel {}: {} arguments, expected {} as in its PTX",
           entry.name, arguments.size(), expected);
    for (size_t i = 0; i < expected; ++i)
        ENSURE(arguments[i].bytes == entry.parameters[i].bytes,
               "kernel {}: argument {} has {} bytes, expected {} as in its PTX", entry.name, i,
               arguments[i].bytes, entry.parameters[i].bytes);
    uint64_t most = 1;
    for (const unsigned extent : entry.most_threads) most *= extent;
    const uint64_t count = uint64_t{threads.x} * threads.y * threads.z;
    ENSURE(entry.most_threads.empty() || count <= most,
           "kernel {}: a block of {} threads, expected at most {} as in its __launch_bounds__",
           entry.name, count, most);
}

}  // namespace

void interpret_from(const std::string& folder) {
    exchange_library(folder.empty() ? nullptr : std::make_unique<Library>(folder));
}

InterpretedFrom::InterpretedFrom(const std::string& folder)
    : before_(exchange_library(std::make_unique<Library>(folder))) {}
InterpretedFrom::~InterpretedFrom() { exchange_library(std::move(before_)); }

bool is_interpreting() { return interpreting.load(std::memory_order_relaxed); }

std::string folder() {
    const std::lock_guard lock(mutex);
    return library == nullptr ? "" : library->folder();
}

void launch(const void* kernel, on_simt::dim3 blocks, on_simt::dim3 threads, size_t shared_bytes,
            const std::vector<Argument>& arguments, unsigned cluster) {
    const auto find = [&]() -> const Program& {
        const std::lock_guard lock(mutex);
        return library->program_of(kernel);
    };
    launch(find(), blocks, threads, shared_bytes, arguments, cluster);
}

void launch(const Program& program, on_simt::dim3 blocks, on_simt::dim3 threads,
            size_t shared_bytes, const std::vector<Argument>& arguments, unsigned cluster) {
    check_launch(program, threads, arguments);
    struct alignas(128) Chunk {
        unsigned char bytes[128];
    };
    std::vector<Chunk> parameters(program.parameter_bytes / sizeof(Chunk) + 1);
    auto* const first = reinterpret_cast<unsigned char*>(parameters.data());
    for (size_t i = 0; i < arguments.size(); ++i)
        std::memcpy(first + program.parameter_offsets[i], arguments[i].value, arguments[i].bytes);
    Run run{.program = program, .parameters = first};
    const check::Unjudged interpreted;
    run_grid({blocks, threads, program.shared_bytes + shared_bytes, cluster, run_thread, &run,
              sizeof run});
    all_instructions_run += run.instructions;
}

Coverage coverage() {
    const std::lock_guard lock(mutex);
    return library == nullptr ? Coverage() : library->coverage();
}

uint64_t instructions_run() { return all_instructions_run; }

}  // namespace simt::ptx
