// Every two bytes that kernels share have a shadow: who wrote them last, who read them since. Two
// accesses of which one is a write must be ordered: a thread's own, or by a barrier that both
// passed. Each thread has a clock that barriers advance, and knows up to which clock it has seen
// each other thread (vector clocks; FastTrack, Flanagan and Freund, PLDI 2009). Blocks of a grid
// are never ordered.
//
// Of several blocks that read a cell only the last two are remembered, and of several threads that
// read a cell of global memory only the last: a write that races with an earlier reader alone is
// missed there. In shared memory all readers are remembered.
//
// An asynchronous copy writes its destination and reads its source at a clock that nobody has seen,
// until the thread that began it waits for it: then both happen at that thread's clock.
#if defined(FETTLE_CHECK)
#include "kernels/simt/check.h"

#include <fmt/core.h>
#include <link.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstring>
#include <iterator>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "kernels/core/check.h"
#include "kernels/simt/block.h"
#include "kernels/simt/simt.h"

extern "C" char __executable_start, _end;

namespace simt::check {
namespace {

constexpr size_t kCellBytes = 2;                 // the smallest element is a bf16
constexpr uint32_t kFlying = 0xffffffffu;        // a clock that nobody has seen
constexpr uint32_t kAtPlace = 0x80000000u;       // pc: an index into places instead
constexpr size_t kGuard = 4096;                  // behind dynamic shared memory
constexpr size_t kHeapBytes = size_t{16} << 30;  // of address space, never used twice

struct Stamp {
    uint32_t block = 0;  // serial number; 0: nobody yet
    uint32_t clock = 0;
    uint32_t pc = 0;  // the program is linked at a fixed address below 4 GiB
    uint16_t thread = 0;
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
    std::vector<uint32_t> clocks;  // by thread; 0: has not read
    std::vector<uint32_t> pcs;
};

char* heap = nullptr;
char* heap_end_of_use = nullptr;
Cell* heap_cells = nullptr;
bool* heap_is_buffer = nullptr;             // of each cell
std::map<const char*, BufferName> buffers;  // by first byte

std::vector<Cell> shared_cells;  // of dynamic shared memory, from its end down
std::vector<Cell> static_cells;  // of the OS thread's thread-local variables
char *static_begin = nullptr, *static_end = nullptr;

uint32_t serial = 0, first_of_grid = 1;  // of blocks
std::vector<uint32_t> knowledge;         // [thread, other thread]  clock up to which it has seen
std::vector<uint32_t> clocks;            // [thread]
std::vector<Readers> readers;
std::vector<simt::Place> places;  // of instructions that are emulated

bool inside = true;  // one OS thread runs all kernels

uint32_t& known(int thread, int other) {
    return knowledge[static_cast<size_t>(thread) * static_cast<size_t>(block->num_threads) +
                     static_cast<size_t>(other)];
}

int current_thread() { return static_cast<int>(block->current - block->threads); }

// ---- where ----

// Stands for a place where a pc is expected.
uint32_t pc_of(simt::Place place) {
    auto found = std::find(places.rbegin(), places.rend(), place);
    if (found == places.rend()) places.push_back(place), found = places.rbegin();
    return kAtPlace | static_cast<uint32_t>(&*found - places.data());
}

std::string source_line(uint32_t pc) {
    if ((pc & kAtPlace) != 0) {
        const std::string text = places[pc & ~kAtPlace].text();
        return text.substr(text.rfind('/') + 1);
    }
    const std::string command =
        fmt::format("addr2line -i -e /proc/{}/exe {:#x}", getpid(), pc - 1);  // the call itself
    std::string best = "an unknown line";
    FILE* lines = popen(command.c_str(), "r");
    if (lines == nullptr) return best;
    char line[1024];
    // Inlined functions come first; the wrappers of instructions say less than who called them.
    for (bool found = false; std::fgets(line, sizeof line, lines) != nullptr;) {
        std::string text(line);
        text = text.substr(0, text.find_first_of(" \n"));
        const bool wrapper = text.find("kernels/simt/") != std::string::npos &&
                             text.find("tests/") == std::string::npos;
        if (found || wrapper || text.find("kernels/core/") != std::string::npos) continue;
        best = text.substr(text.rfind('/') + 1);
        found = true;
    }
    pclose(lines);
    return best;
}

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
    if (within(address, shared_begin(), shared_cells.size() * kCellBytes))
        return {
            &shared_cells[static_cast<size_t>(address - reinterpret_cast<char*>(shared_begin())) /
                          kCellBytes],
            Place::shared};
    if (address >= static_begin && address < static_end && !is_built_in(address))
        return {&static_cells[static_cast<size_t>(address - static_begin) / kCellBytes],
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
    if (within(address, shared_begin(), shared_cells.size() * kCellBytes))
        return fmt::format("byte {} of dynamic shared memory ({} bytes)",
                           address - reinterpret_cast<char*>(dynamic_shared()),
                           block->grid.shared_bytes);
    if (address >= static_begin && address < static_end) return "static shared memory";
    return fmt::format("{}", static_cast<const void*>(address));
}

[[noreturn]] void report(const char* kind, const char* address, uint32_t pc,
                         const std::string& what) {
    block->error = fmt::format("{}: {} at {} {} {}", kind, name_of(*block->current),
                               source_line(pc), what, name_of_address(address));
    end_block();
}

// ---- happens-before ----

bool has_seen(int thread, const Stamp& stamp) {
    if (stamp.clock == kFlying) return false;
    return stamp.thread == thread || known(thread, stamp.thread) >= stamp.clock;
}

struct Access {
    const char* address;
    uint32_t pc;
    Kind kind;
    int thread;
    uint32_t clock;
    bool is_shared = false;

    const char* verb() const {
        return kind == Kind::read ? "reads" : kind == Kind::write ? "writes" : "updates";
    }
};

[[noreturn]] void report_race(const Access& by, const Stamp& other, const char* other_did) {
    const char* kind = by.is_shared ? "shared race" : "global race";
    if (other.block != serial)
        report("race between blocks", by.address, by.pc,
               fmt::format("{}, while another block {} at {},", by.verb(), other_did,
                           source_line(other.pc)));
    if (other.clock == kFlying)
        report(kind, by.address, by.pc,
               fmt::format("{}, while the copy that thread {} began at {} is under way,", by.verb(),
                           other.thread, source_line(other.pc)));
    report(kind, by.address, by.pc,
           fmt::format("{}, with no synchronisation since thread {} {} at {},", by.verb(),
                       other.thread, other_did, source_line(other.pc)));
}

void check_against_write(const Stamp& write, const Access& by, const char* verb) {
    if (write.block < first_of_grid) return;
    if (write.block != serial ? !by.is_shared : !has_seen(by.thread, write))
        report_race(by, write, verb);
}

void check_against_reads(const Cell& cell, const Access& by) {
    if (by.is_shared && cell.read.block != serial) return;
    if (cell.read.block < first_of_grid) return;
    if (cell.read.block != serial) report_race(by, cell.read, "read");
    if (cell.earlier_reader >= first_of_grid && !by.is_shared) {
        Stamp earlier = cell.read;
        earlier.block = cell.earlier_reader;
        report_race(by, earlier, "read");
    }
    if (cell.readers == 0) {
        if (!has_seen(by.thread, cell.read)) report_race(by, cell.read, "read");
        return;
    }
    const Readers& all = readers[cell.readers - 1];
    for (size_t t = 0; t < all.clocks.size(); ++t) {
        const Stamp stamp{serial, all.clocks[t], all.pcs[t], static_cast<uint16_t>(t)};
        if (stamp.clock != 0 && !has_seen(by.thread, stamp)) report_race(by, stamp, "read");
    }
}

void note_read(Cell& cell, const Access& by) {
    const Stamp now{serial, by.clock, by.pc, static_cast<uint16_t>(by.thread)};
    if (cell.read.block == serial && cell.read.clock == kFlying && by.clock != kFlying) return;
    if (cell.read.block != serial) {
        cell.earlier_reader = cell.read.block;
        cell.readers = 0;
    } else if (by.is_shared && cell.readers == 0 && !has_seen(by.thread, cell.read)) {
        const auto threads = static_cast<size_t>(block->num_threads);
        readers.push_back({std::vector<uint32_t>(threads), std::vector<uint32_t>(threads)});
        cell.readers = static_cast<uint32_t>(readers.size());
        readers.back().clocks[cell.read.thread] = cell.read.clock;
        readers.back().pcs[cell.read.thread] = cell.read.pc;
    }
    cell.read = now;
    if (cell.readers == 0) return;
    readers[cell.readers - 1].clocks[now.thread] = now.clock;
    readers[cell.readers - 1].pcs[now.thread] = now.pc;
}

void note_write(Cell& cell, const Access& by) {
    (by.kind == Kind::atomic ? cell.update : cell.write) = {serial, by.clock, by.pc,
                                                            static_cast<uint16_t>(by.thread)};
    cell.read = {};
    cell.readers = cell.earlier_reader = 0;
}

bool is_inside_buffer(const Cell& cell, const char* address, const Access& by) {
    if (!by.is_shared) return heap_is_buffer[&cell - heap_cells];
    return !within(address, shared_begin(), shared_cells.size() * kCellBytes) ||
           within(address, dynamic_shared(), block->grid.shared_bytes);
}

void check_cell(Cell& cell, const Access& by) {
    if (!is_inside_buffer(cell, by.address, by))
        report("out of bounds", by.address, by.pc, by.verb());
    if (by.is_shared && by.kind != Kind::write && cell.write.block != serial &&
        cell.update.block != serial)
        report("uninitialised", by.address, by.pc, "reads, though no thread wrote it yet,");
    check_against_write(cell.write, by, "wrote");
    if (by.kind != Kind::atomic) check_against_write(cell.update, by, "updated");
    if (by.kind == Kind::read) return note_read(cell, by);
    check_against_reads(cell, by);
    note_write(cell, by);
}

void check_access(Access by, size_t bytes) {
    const Place place = find(by.address);
    if (place.cell == nullptr) {
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
    const auto thread = static_cast<size_t>(current_thread());
    if (stamp.block == serial && stamp.clock == kFlying && stamp.thread == thread)
        stamp.clock = clocks[thread];
}

void find_static_memory() {
    std::pair<size_t, size_t> size_and_alignment{0, 1};
    dl_iterate_phdr(
        [](dl_phdr_info* program, size_t, void* out) {
            auto& [size, alignment] = *static_cast<std::pair<size_t, size_t>*>(out);
            for (int i = 0; i < program->dlpi_phnum; ++i) {
                if (program->dlpi_phdr[i].p_type != PT_TLS) continue;
                size = program->dlpi_phdr[i].p_memsz;
                alignment = program->dlpi_phdr[i].p_align;
            }
            return 1;  // the first is the executable itself
        },
        &size_and_alignment);
    const auto [size, alignment] = size_and_alignment;
    static_end = static_cast<char*>(__builtin_thread_pointer());
    static_begin = static_end - (size + alignment - 1) / alignment * alignment;
    static_cells.resize(static_cast<size_t>(static_end - static_begin) / kCellBytes + 1);
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

void access(const void* pointer, size_t bytes, Kind kind, const void* return_address) {
    if (inside || block == nullptr || block->current == nullptr) return;
    const Inside emulator;
    const auto pc = static_cast<uint32_t>(reinterpret_cast<uintptr_t>(return_address));
    check_access({.address = static_cast<const char*>(pointer),
                  .pc = pc,
                  .kind = kind,
                  .thread = current_thread(),
                  .clock = clocks[static_cast<size_t>(current_thread())]},
                 bytes);
}

void shared_access(int thread, const void* pointer, size_t bytes, Kind kind, simt::Place place) {
    Thread* const current = std::exchange(block->current, &block->threads[thread]);
    const auto* address = static_cast<const char*>(pointer);
    const uint32_t pc = pc_of(place);
    if (find(address).space != Place::shared)
        report("not shared memory", address, pc, kind == Kind::read ? "reads" : "writes");
    check_access({.address = address,
                  .pc = pc,
                  .kind = kind,
                  .thread = thread,
                  .clock = clocks[static_cast<size_t>(thread)]},
                 bytes);
    block->current = current;
}

void begin_copy(const Copy& copy) {
    Access by{.address = reinterpret_cast<const char*>(copy.from),
              .pc = pc_of(copy.place),
              .kind = Kind::read,
              .thread = current_thread(),
              .clock = kFlying};
    if (copy.from_bytes > 0 && find(by.address).space != Place::global)
        report("not device memory", by.address, by.pc, "copies from");
    for (int i = 0; i < copy.from_bytes; i += 2, by.address += 2) check_access(by, 2);
    by.address = reinterpret_cast<const char*>(copy.to);
    by.kind = Kind::write;
    if (find(by.address).space != Place::shared)
        report("not shared memory", by.address, by.pc, "copies to");
    check_access(by, static_cast<size_t>(copy.bytes));
}

void end_copy(const Copy& copy) {
    const auto cells = [](const void* address) {
        return find(static_cast<const char*>(address)).cell;
    };
    for (int i = 0; i < copy.bytes; i += 2) land(cells(copy.to)[i / 2].write);
    for (int i = 0; i < copy.from_bytes; i += 2) land(cells(copy.from)[i / 2].read);
}

void atomic_access(const void* address, size_t bytes) {
    access(address, bytes, Kind::atomic, __builtin_return_address(0));
}

void begin_grid() { first_of_grid = serial + 1; }

void begin_block() {
    if (static_begin == nullptr) find_static_memory();
    shared_cells.resize((block->shared_capacity + kGuard) / kCellBytes);
    ++serial;
    const auto threads = static_cast<size_t>(block->num_threads);
    clocks.assign(threads, 1);
    knowledge.assign(threads * threads, 0);
    readers.clear();
}

void order_block() {
    const int threads = block->num_threads;
    for (int t = 0; t < threads; ++t) std::copy(clocks.begin(), clocks.end(), &known(t, 0));
    for (uint32_t& clock : clocks) ++clock;
}

void order_lanes(int warp, uint32_t mask) {
    std::vector<uint32_t> all(static_cast<size_t>(block->num_threads));
    const int first = warp * kLanesPerWarp;
    for (int lane = 0; lane < kLanesPerWarp; ++lane) {
        if ((mask >> lane & 1) == 0) continue;
        const int thread = first + lane;
        for (int other = 0; other < block->num_threads; ++other) {
            auto& seen = all[static_cast<size_t>(other)];
            seen = std::max(seen, known(thread, other));
        }
        all[static_cast<size_t>(thread)] = clocks[static_cast<size_t>(thread)];
    }
    for (int lane = 0; lane < kLanesPerWarp; ++lane) {
        if ((mask >> lane & 1) == 0) continue;
        std::copy(all.begin(), all.end(), &known(first + lane, 0));
        ++clocks[static_cast<size_t>(first + lane)];
    }
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
