// Every two bytes that kernels share have a shadow: who wrote them last, who read them since. Two
// accesses of which one is a write must be ordered: a thread's own, or by a barrier that both
// passed, as clocks.h says (FastTrack, Flanagan and Freund, PLDI 2009). Blocks of a grid are never
// ordered.
//
// Of several blocks that read a cell only the last two are remembered, and of several threads that
// read a cell of global memory only the last: a write that races with an earlier reader alone is
// missed there. In shared memory all readers are remembered.
//
// A cp.async writes its destination and reads its source at a clock that nobody has seen,
// until the thread that began it waits for it: then both happen at that thread's clock.
#if defined(FETTLE_CHECK)
#include "kernels/simt/check.h"

#include <fmt/core.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstring>
#include <iterator>
#include <map>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "kernels/core/check.h"
#include "kernels/simt/block.h"
#include "kernels/simt/clocks.h"
#include "kernels/simt/profile.h"
#include "kernels/simt/simt.h"

extern "C" char __executable_start, _end;

namespace simt::check {
namespace {

constexpr size_t kCellBytes = 2;                 // the smallest element is a bf16
constexpr uint32_t kFlying = 0xffffffffu;        // a clock that nobody has seen
constexpr size_t kGuard = 4096;                  // behind dynamic shared memory
constexpr size_t kHeapBytes = size_t{16} << 30;  // of address space, never used twice

struct Stamp {
    uint32_t block = 0;  // serial number; 0: nobody yet
    uint32_t clock = 0;
    uint32_t pc = 0;     // the program is linked at a fixed address below 4 GiB
    uint16_t actor = 0;  // a thread or an engine
};
struct Cell {
    Stamp write, update, read;    // the last ones; an update is an atomic
    uint32_t earlier_reader = 0;  // another block that read before read.block did
    uint32_t readers = 0;         // index + 1 into the block's reader lists; 0: only `read`
};
struct BufferName {
    size_t bytes;
    std::string name;
};
struct Readers {
    std::vector<uint32_t> clocks;  // by actor; 0: has not read
    std::vector<uint32_t> pcs;
};

char* heap = nullptr;
char* heap_end_of_use = nullptr;
Cell* heap_cells = nullptr;
bool* heap_is_buffer = nullptr;             // of each cell
std::map<const char*, BufferName> buffers;  // by first byte

char *static_begin = nullptr, *static_end = nullptr;

// What is known of one of the blocks that are alive.
struct BlockState {
    uint32_t serial = 0;
    std::vector<Readers> readers;
    std::vector<uint32_t> free_readers;  // index + 1
    std::vector<Cell> shared_cells;      // of dynamic shared memory, from its end down
    std::vector<Cell> static_cells;      // of the thread-local variables
};
BlockState states[kMaxTeam];  // by slot
BlockState* state = states;   // of `block`
uint32_t first_of_grid = 1;   // serial numbers of blocks
uint32_t next_serial = 1;

bool inside = true;  // one OS thread runs all kernels
bool judging = true;

int current_thread() { return static_cast<int>(block->current - block->threads); }

// ---- where ----

struct Place {
    Cell* cell = nullptr;  // null: private to the thread, or unchecked
    enum { local, global, shared } space = local;
};

bool within(const char* address, const void* begin, size_t bytes) {
    return address >= begin && address < static_cast<const char*>(begin) + bytes;
}

bool is_built_in(const char* address) {
    return within(address, &on_simt::threadIdx, sizeof on_simt::threadIdx) ||
           within(address, &on_simt::blockIdx, sizeof on_simt::blockIdx) ||
           within(address, &on_simt::blockDim, sizeof on_simt::blockDim) ||
           within(address, &on_simt::gridDim, sizeof on_simt::gridDim);
}

unsigned char* shared_begin() { return block->shared_end - block->shared_capacity; }

Place find(const char* address) {
    if (within(address, heap, kHeapBytes))
        return {heap_cells + (address - heap) / static_cast<ptrdiff_t>(kCellBytes), Place::global};
    if (within(address, shared_begin(), state->shared_cells.size() * kCellBytes))
        return {&state->shared_cells[static_cast<size_t>(address -
                                                         reinterpret_cast<char*>(shared_begin())) /
                                     kCellBytes],
                Place::shared};
    if (address >= static_begin && address < static_end && !is_built_in(address))
        return {&state->static_cells[static_cast<size_t>(address - static_begin) / kCellBytes],
                Place::shared};
    return {};
}

// Its own stack, the kernel's arguments, constants of the program.
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
    if (within(address, shared_begin(), state->shared_cells.size() * kCellBytes))
        return fmt::format("byte {} of dynamic shared memory ({} bytes)",
                           address - reinterpret_cast<char*>(dynamic_shared()),
                           block->grid.shared_bytes);
    if (address >= static_begin && address < static_end) return "static shared memory";
    return fmt::format("{}", static_cast<const void*>(address));
}

[[noreturn]] void report(const char* kind, const char* address, uint32_t pc,
                         const std::string& what) {
    team->error = fmt::format("{}: {} at {} {} {}", kind, name_of(*block->current), line_of(pc),
                              what, name_of_address(address));
    end_block();
}

// ---- happens-before ----

bool knows_of(int thread, const Stamp& stamp) {
    return stamp.clock != kFlying && has_seen(thread, stamp.actor, stamp.clock);
}
bool is_by_engine(const Stamp& stamp) { return stamp.actor >= block->num_threads; }

struct Access {
    const char* address;
    uint32_t pc;
    Kind kind;
    int thread;
    uint32_t clock;
    int engine = 0;  // that the thread gave the work to; 0: none
    bool is_shared = false;

    Stamp stamp() const {
        return {state->serial, clock, pc, static_cast<uint16_t>(engine > 0 ? engine : thread)};
    }
    const char* verb() const {
        return kind == Kind::read ? "reads" : kind == Kind::write ? "writes" : "updates";
    }
};

[[noreturn]] void report_race(const Access& by, const Stamp& other, const char* other_did) {
    const char* kind = by.is_shared ? "shared race" : "global race";
    if (other.block != state->serial)
        report("race between blocks", by.address, by.pc,
               fmt::format("{}, while another block {} at {},", by.verb(), other_did,
                           line_of(other.pc)));
    if (other.clock == kFlying)
        report(kind, by.address, by.pc,
               fmt::format("{}, while the copy that thread {} began at {} is under way,", by.verb(),
                           other.actor, line_of(other.pc)));
    if (is_by_engine(other))
        report(kind, by.address, by.pc,
               fmt::format("{}, with no wait for the copy begun at {},", by.verb(),
                           line_of(other.pc)));
    report(kind, by.address, by.pc,
           fmt::format("{}, with no synchronisation since thread {} {} at {},", by.verb(),
                       other.actor, other_did, line_of(other.pc)));
}

void check_against_write(const Stamp& write, const Access& by, const char* verb) {
    if (write.block < first_of_grid) return;
    if (write.block != state->serial ? !by.is_shared : !knows_of(by.thread, write))
        report_race(by, write, verb);
}

void check_against_reads(const Cell& cell, const Access& by) {
    if (by.is_shared && cell.read.block != state->serial) return;
    if (cell.read.block < first_of_grid) return;
    if (cell.read.block != state->serial) report_race(by, cell.read, "read");
    if (cell.earlier_reader >= first_of_grid && !by.is_shared) {
        Stamp earlier = cell.read;
        earlier.block = cell.earlier_reader;
        report_race(by, earlier, "read");
    }
    if (cell.readers == 0) {
        if (!knows_of(by.thread, cell.read)) report_race(by, cell.read, "read");
        return;
    }
    const Readers& all = state->readers[cell.readers - 1];
    for (size_t t = 0; t < all.clocks.size(); ++t) {
        const Stamp stamp{state->serial, all.clocks[t], all.pcs[t], static_cast<uint16_t>(t)};
        if (stamp.clock != 0 && !knows_of(by.thread, stamp)) report_race(by, stamp, "read");
    }
}

// An empty list: index + 1.
uint32_t take_readers() {
    if (state->free_readers.empty()) {
        state->readers.emplace_back();
        return static_cast<uint32_t>(state->readers.size());
    }
    const uint32_t taken = state->free_readers.back();
    state->free_readers.pop_back();
    auto& clocks = state->readers[taken - 1].clocks;
    std::fill(clocks.begin(), clocks.end(), 0);
    return taken;
}

void add_reader(Readers& all, const Stamp& stamp) {
    if (stamp.actor >= all.clocks.size()) {
        const size_t threads = static_cast<size_t>(block->num_threads), actors = stamp.actor + 1u;
        all.clocks.resize(std::max(threads, actors));
        all.pcs.resize(all.clocks.size());
    }
    all.clocks[stamp.actor] = stamp.clock;
    all.pcs[stamp.actor] = stamp.pc;
}

void note_read(Cell& cell, const Access& by) {
    if (cell.read.block != state->serial) {
        cell.earlier_reader = cell.read.block;
        cell.readers = 0;
    } else if (cell.read.clock == kFlying && by.clock != kFlying) {
        return;
    } else if (!knows_of(by.thread, cell.read)) {
        if (!by.is_shared && is_by_engine(cell.read)) return;
        if (by.is_shared && cell.readers == 0) {
            cell.readers = take_readers();
            add_reader(state->readers[cell.readers - 1], cell.read);
        }
    }
    cell.read = by.stamp();
    if (cell.readers > 0) add_reader(state->readers[cell.readers - 1], cell.read);
}

void note_write(Cell& cell, const Access& by) {
    (by.kind == Kind::atomic ? cell.update : cell.write) = by.stamp();
    if (cell.readers != 0 && cell.read.block == state->serial)
        state->free_readers.push_back(cell.readers);
    cell.read = {};
    cell.readers = cell.earlier_reader = 0;
}

bool is_inside_buffer(const Cell& cell, const char* address, const Access& by) {
    if (!by.is_shared) return heap_is_buffer[&cell - heap_cells];
    return !within(address, shared_begin(), state->shared_cells.size() * kCellBytes) ||
           within(address, block->dynamic_shared(), block->grid.shared_bytes);
}

void check_fenced(const Stamp& write, const Access& by) {
    if (write.block != state->serial || is_by_engine(write)) return;
    if (by.is_shared && has_seen_fence(by.thread, write.actor, write.clock)) return;
    report("missing proxy fence", by.address, by.pc,
           fmt::format("{} asynchronously, with no fence.proxy.async since thread {} wrote at {},",
                       by.verb(), write.actor, line_of(write.pc)));
}

void check_cell(Cell& cell, const Access& by) {
    if (!is_inside_buffer(cell, by.address, by))
        report("out of bounds", by.address, by.pc, by.verb());
    if (by.is_shared && by.kind != Kind::write && cell.write.block != state->serial &&
        cell.update.block != state->serial)
        report("uninitialised", by.address, by.pc, "reads, though no thread wrote it yet,");
    check_against_write(cell.write, by, "wrote");
    if (by.kind != Kind::atomic) check_against_write(cell.update, by, "updated");
    if (by.engine > 0) {
        check_fenced(cell.write, by);
        check_fenced(cell.update, by);
    }
    if (by.kind == Kind::read) return note_read(cell, by);
    check_against_reads(cell, by);
    note_write(cell, by);
}

// by.address is behind the bytes then.
void check_access(Access& by, size_t bytes) {
    const Place place = find(by.address);
    if (place.cell == nullptr) {
        const RegisterUse use = note_register_access(by.address, bytes, by.pc);
        if (use.kind != nullptr)
            report(use.kind, by.address, by.pc,
                   fmt::format("{}, with no wait for the product at {},", by.verb(),
                               use.product->text()));
        if (is_private(by.address)) return;
        report("host memory", by.address, by.pc, by.kind == Kind::read ? "reads" : "writes");
    }
    if ((bytes & (bytes - 1)) == 0 && reinterpret_cast<uintptr_t>(by.address) % bytes != 0)
        report("misaligned", by.address, by.pc,
               fmt::format("{} {} bytes that begin at", by.kind == Kind::read ? "reads" : "writes",
                           bytes));
    by.is_shared = place.space == Place::shared;
    Cell* cell = place.cell;
    for (size_t done = 0; done < bytes; done += kCellBytes, ++cell, by.address += kCellBytes)
        check_cell(*cell, by);
}

// Moves what the current thread's copy did from nobody's clock to this moment's.
void land(Stamp& stamp) {
    const int thread = current_thread();
    if (stamp.block == state->serial && stamp.clock == kFlying && stamp.actor == thread)
        stamp.clock = now(thread);
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

Inside::Inside() : before_(std::exchange(inside, true)) {}
Inside::~Inside() { inside = before_; }
Outside::Outside() { inside = false; }
Outside::~Outside() { inside = true; }
Unjudged::Unjudged() { judging = false; }
Unjudged::~Unjudged() { judging = true; }

void access(const void* pointer, size_t bytes, Kind kind, const void* return_address) {
    if (inside || block == nullptr || block->current == nullptr) return;
    const Inside emulator;
    const auto pc = static_cast<uint32_t>(reinterpret_cast<uintptr_t>(return_address));
    Access by{.address = static_cast<const char*>(pointer),
              .pc = pc,
              .kind = kind,
              .thread = current_thread(),
              .clock = now(current_thread())};
    check_access(by, bytes);
    if (!profile::is_on()) return;
    const Place place = find(static_cast<const char*>(pointer));
    if (place.cell != nullptr)
        profile::note(current_thread(), pointer, bytes, kind != Kind::read,
                      place.space == Place::shared, pc);
}

void shared_access(int thread, const void* pointer, size_t bytes, Kind kind, simt::Place place) {
    if (!judging) return;
    Thread* const current = std::exchange(block->current, &block->threads[thread]);
    const auto* address = static_cast<const char*>(pointer);
    const uint32_t pc = pc_of(place);
    if (find(address).space != Place::shared)
        report("not shared memory", address, pc, kind == Kind::write ? "writes" : "reads");
    Access by{.address = address, .pc = pc, .kind = kind, .thread = thread, .clock = now(thread)};
    check_access(by, bytes);
    block->current = current;
}

void engine_access(const EngineWork& work, const void* pointer, size_t bytes, Kind kind) {
    if (!judging) return;
    Access by{.address = static_cast<const char*>(pointer),
              .pc = pc_of(work.place),
              .kind = kind,
              .thread = current_thread(),
              .clock = work.clock,
              .engine = work.engine};
    const auto space = find(by.address).space;
    const bool is_shared = space == Place::shared;
    if (space == Place::local || is_shared != work.is_shared)
        report(work.is_shared ? "not shared memory" : "not device memory", by.address, by.pc,
               by.verb());
    profile::note(by.thread, pointer, bytes, kind == Kind::write, is_shared, by.pc);
    for (size_t i = 0; i < bytes; i += kCellBytes) check_access(by, kCellBytes);
}

void begin_copy(const Copy& copy) {
    if (!judging) return;
    const auto bytes = static_cast<size_t>(copy.from_bytes);
    const uint32_t pc = pc_of(copy.place);
    if (bytes > 0) profile::note(current_thread(), copy.from, bytes, false, false, pc);
    profile::note(current_thread(), copy.to, static_cast<size_t>(copy.bytes), true, true, pc);
    Access by{.address = reinterpret_cast<const char*>(copy.from),
              .pc = pc,
              .kind = Kind::read,
              .thread = current_thread(),
              .clock = kFlying};
    if (copy.from_bytes > 0 && find(by.address).space != Place::global)
        report("not device memory", by.address, by.pc, "copies from");
    for (int i = 0; i < copy.from_bytes; i += 2) check_access(by, 2);
    by.address = reinterpret_cast<const char*>(copy.to);
    by.kind = Kind::write;
    if (find(by.address).space != Place::shared)
        report("not shared memory", by.address, by.pc, "copies to");
    check_access(by, static_cast<size_t>(copy.bytes));
}

void end_copy(const Copy& copy) {
    if (!judging) return;
    const auto cells = [](const void* address) {
        return find(static_cast<const char*>(address)).cell;
    };
    for (int i = 0; i < copy.bytes; i += 2) land(cells(copy.to)[i / 2].write);
    for (int i = 0; i < copy.from_bytes; i += 2) land(cells(copy.from)[i / 2].read);
}

void atomic_access(const void* address, size_t bytes) {
    access(address, bytes, Kind::atomic, __builtin_return_address(0));
}

void begin_grid() { first_of_grid = next_serial; }

void enter_block() {
    state = &states[block->slot];
    enter_clocks();
}

void begin_block() {
    const std::span<char> static_memory = team->static_shared.of_program();
    static_begin = static_memory.data();
    static_end = static_begin + static_memory.size();
    enter_block();
    state->static_cells.resize(static_memory.size() / kCellBytes + 1);
    state->shared_cells.resize((block->shared_capacity + kGuard) / kCellBytes);
    state->serial = next_serial++;
    state->readers.clear();
    state->free_readers.clear();
    begin_clocks();
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
