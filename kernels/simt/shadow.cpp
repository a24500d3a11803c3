#if defined(FETTLE_CHECK)
#include "kernels/simt/shadow.h"

#include <fmt/core.h>
#include <sys/mman.h>

#include <algorithm>
#include <iterator>
#include <map>
#include <span>
#include <utility>

#include "kernels/core/check.h"
#include "kernels/simt/block.h"
#include "kernels/simt/check.h"
#include "kernels/simt/grid_order.h"
#include "kernels/simt/simt.h"

extern "C" char __executable_start, _end;

namespace simt::check {

ClusterState of_first_slots[kMaxTeam];  // by the slot of a cluster's first block
ClusterState* cluster = of_first_slots;

namespace {

constexpr size_t kGuard = 4096;                  // behind dynamic shared memory
constexpr size_t kHeapBytes = size_t{16} << 30;  // of address space, never used twice

struct BufferName {
    size_t bytes;
    std::string name;
};

char* heap = nullptr;
char* heap_end_of_use = nullptr;
Cell* heap_cells = nullptr;
bool* heap_is_buffer = nullptr;             // of each cell
std::map<const char*, BufferName> buffers;  // by first byte

char *static_begin = nullptr, *static_end = nullptr;

// The shadow of a block's shared memory.
struct SharedShadow {
    std::vector<Cell> dynamic_cells;  // from its end down
    std::vector<Cell> static_cells;   // of the thread-local variables
};
SharedShadow of_slots[kMaxTeam];

uint32_t first_of_grid = 1;  // serial numbers of clusters
uint32_t next_serial = 1;

bool within(const char* address, const void* begin, size_t bytes) {
    return address >= begin && address < static_cast<const char*>(begin) + bytes;
}

bool is_built_in(const char* address) {
    return within(address, &on_simt::threadIdx, sizeof on_simt::threadIdx) ||
           within(address, &on_simt::blockIdx, sizeof on_simt::blockIdx) ||
           within(address, &on_simt::blockDim, sizeof on_simt::blockDim) ||
           within(address, &on_simt::gridDim, sizeof on_simt::gridDim);
}

bool is_dynamic(const Block& of, const char* address) {
    return within(address, of.shared_end - of.shared_capacity, of.shared_capacity + kGuard);
}

// The block of the cluster whose dynamic shared memory, or what is around it, is at an address.
const Block* owner_of(const char* address) {
    for (int rank = 0; rank < block->cluster_size(); ++rank)
        if (is_dynamic(block->peer(rank), address)) return &block->peer(rank);
    return nullptr;
}

void reserve_heap() {
    const auto map = [](size_t bytes, int protection) {
        void* start =
            mmap(nullptr, bytes, protection, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        ENSURE(start != MAP_FAILED, "simt: no address space for {} bytes", bytes);
        return start;
    };
    heap = heap_end_of_use = static_cast<char*>(map(kHeapBytes, PROT_NONE));
    heap_cells =
        static_cast<Cell*>(map(kHeapBytes / kCellBytes * sizeof(Cell), PROT_READ | PROT_WRITE));
    heap_is_buffer = static_cast<bool*>(map(kHeapBytes / kCellBytes, PROT_READ | PROT_WRITE));
}

// The buffer's cells: [first, end).
std::pair<size_t, size_t> cells_of(const void* start, size_t bytes) {
    const auto first = static_cast<size_t>(static_cast<const char*>(start) - heap) / kCellBytes;
    return {first, first + (bytes + kCellBytes - 1) / kCellBytes};
}

// Gives the memory of whole pages back. Their addresses are never used again.
void forget(Cell* begin, Cell* end) {
    constexpr uintptr_t kPage = 4096;
    const uintptr_t first = (reinterpret_cast<uintptr_t>(begin) + kPage - 1) / kPage * kPage;
    const uintptr_t last = reinterpret_cast<uintptr_t>(end) / kPage * kPage;
    if (first < last) madvise(reinterpret_cast<void*>(first), last - first, MADV_DONTNEED);
}

}  // namespace

Location find(const char* address) {
    if (within(address, heap, kHeapBytes))
        return {heap_cells + (address - heap) / static_cast<ptrdiff_t>(kCellBytes),
                Location::global};
    if (const Block* owner = owner_of(address)) {
        const char* begin = reinterpret_cast<char*>(owner->shared_end - owner->shared_capacity);
        auto& cells = of_slots[owner->slot].dynamic_cells;
        return {&cells[static_cast<size_t>(address - begin) / kCellBytes], Location::shared, owner};
    }
    if (address >= static_begin && address < static_end && !is_built_in(address)) {
        auto& cells = of_slots[block->slot].static_cells;
        return {&cells[static_cast<size_t>(address - static_begin) / kCellBytes], Location::shared,
                block};
    }
    return {};
}

const char* first_stray(const Location& at, const char* address, size_t bytes) {
    const Cell* cell = at.cell;
    for (size_t done = 0; done < bytes; done += kCellBytes, ++cell)
        if (at.space == Location::global && !heap_is_buffer[cell - heap_cells])
            return address + done;
    if (at.space == Location::global || !is_dynamic(*at.owner, address)) return nullptr;
    const auto* begin = reinterpret_cast<const char*>(at.owner->dynamic_shared());
    const char* end = begin + block->grid.shared_bytes;
    if (address < begin) return address;
    return address + bytes <= end ? nullptr : std::max(address, end);
}

bool is_private(const char* address) {
    const Context& stack = block->current->fiber->context();
    return within(address, stack.stack, stack.stack_bytes) ||
           within(address, block->grid.arguments, block->grid.argument_bytes) ||
           within(address, &__executable_start, static_cast<size_t>(&_end - &__executable_start)) ||
           (address >= static_begin && address < static_end);
}

std::string name_of_address(const char* address) {
    if (within(address, heap, kHeapBytes)) {
        const auto after = buffers.upper_bound(address);
        if (after == buffers.begin()) return "device memory before every buffer";
        const auto& [start, buffer] = *std::prev(after);
        const auto offset = static_cast<size_t>(address - start);
        if (offset < buffer.bytes)
            return fmt::format("byte {} of {} ({} bytes)", offset, buffer.name, buffer.bytes);
        return fmt::format("{} bytes behind the end of {} ({} bytes)", offset - buffer.bytes,
                           buffer.name, buffer.bytes);
    }
    if (const Block* owner = owner_of(address))
        return fmt::format("byte {} of dynamic shared memory{} ({} bytes)",
                           address - reinterpret_cast<char*>(owner->dynamic_shared()),
                           owner == block ? "" : " of " + owner->name(), block->grid.shared_bytes);
    if (address >= static_begin && address < static_end) return "static shared memory";
    return fmt::format("{}", static_cast<const void*>(address));
}

uint32_t first_cluster_of_grid() { return first_of_grid; }

void begin_grid() {
    first_of_grid = next_serial;
    forget_words();
}

void enter_shadow() { cluster = &of_first_slots[block->peer(0).slot]; }

void begin_shadow() {
    const std::span<char> static_memory = team->static_shared.of_program();
    static_begin = static_memory.data();
    static_end = static_begin + static_memory.size();
    enter_shadow();
    SharedShadow& own = of_slots[block->slot];
    own.static_cells.resize(static_memory.size() / kCellBytes + 1);
    own.dynamic_cells.resize((block->shared_capacity + kGuard) / kCellBytes);
    if (block->rank != 0) return;
    cluster->serial = next_serial++;
    cluster->readers.clear();
    cluster->free_readers.clear();
}

void* reserve(size_t bytes) {
    if (heap == nullptr) reserve_heap();
    if (bytes > static_cast<size_t>(heap + kHeapBytes - heap_end_of_use)) return nullptr;
    return std::exchange(heap_end_of_use, heap_end_of_use + bytes);
}

void add_buffer(const void* start, size_t bytes, const char* name) {
    const auto [first, end] = cells_of(start, bytes);
    std::fill(heap_is_buffer + first, heap_is_buffer + end, true);
    buffers[static_cast<const char*>(start)] = {bytes, name};
}

void remove_buffer(const void* start) {
    const auto found = buffers.find(static_cast<const char*>(start));
    if (found == buffers.end()) return;
    const auto [first, end] = cells_of(start, found->second.bytes);
    std::fill(heap_is_buffer + first, heap_is_buffer + end, false);
    forget(heap_cells + first, heap_cells + end);
    buffers.erase(found);
}

}  // namespace simt::check
#endif
