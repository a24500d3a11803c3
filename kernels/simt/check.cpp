// Two accesses to the same bytes of which one is a write must be ordered: a thread's own, or by a
// barrier that both passed, as clocks.h says (FastTrack, Flanagan and Freund, PLDI 2009). Clusters
// of a grid, most of which are a single block, are ordered only by what grid_order.h says.
//
// Of several clusters that read a cell only the last two are remembered, and of several threads
// that read a cell of global memory only the last: a write that races with an earlier reader alone
// is missed there. In shared memory all readers are remembered.
//
// Threads that write one byte each of a cell do not meet; only the last of them is remembered.
//
// A block's shared memory ends with the block: other blocks of its cluster have used it before that
// only if one of its threads knew so when it returned.
//
// A cp.async writes its destination and reads its source at a clock that nobody has seen,
// until the thread that began it waits for it: then both happen at that thread's clock.
#if defined(FETTLE_CHECK)
#include "kernels/simt/check.h"

#include <fmt/core.h>

#include <algorithm>
#include <cstring>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "kernels/core/check.h"
#include "kernels/simt/block.h"
#include "kernels/simt/clocks.h"
#include "kernels/simt/grid_order.h"
#include "kernels/simt/profile.h"
#include "kernels/simt/shadow.h"
#include "kernels/simt/simt.h"

namespace simt::check {
namespace {

constexpr uint32_t kFlying = 0xffffffffu;  // a clock that nobody has seen

bool inside = true;  // one OS thread runs all kernels
bool judging = true;
// The last use that a thread of another block made of this one's shared memory, and its address.
std::map<uint16_t, std::pair<Stamp, const char*>> visits[kMaxTeam];  // by slot

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
bool is_by_engine(const Stamp& stamp) {
    return stamp.actor >= block->num_threads * block->cluster_size();
}

std::string name_of_actor(int actor) {
    const int thread = actor % block->num_threads;
    if (block->cluster_size() == 1) return fmt::format("thread {}", thread);
    return fmt::format("thread {} of {}", thread, block->peer(actor / block->num_threads).name());
}

struct Access {
    const char* address;
    uint32_t pc;
    Kind kind;
    int thread;  // an actor
    uint32_t clock;
    int engine = 0;  // that the thread gave the work to; 0: none
    bool is_shared = false;
    uint8_t bytes = 3;  // of a cell

    Stamp stamp() const {
        return {cluster->serial, clock, pc, static_cast<uint16_t>(engine > 0 ? engine : thread),
                bytes};
    }
    // The stamp for a cell in which this actor's last one may be of the other byte.
    Stamp stamp_after(const Stamp& before) const {
        Stamp now = stamp();
        if (before.cluster == now.cluster && before.actor == now.actor && before.clock == clock)
            now.bytes |= before.bytes;
        return now;
    }
    const char* verb() const {
        return kind == Kind::read ? "reads" : kind == Kind::write ? "writes" : "updates";
    }
};

[[noreturn]] void report_race(const Access& by, const Stamp& other, const char* other_did) {
    const char* kind = by.is_shared ? "shared race" : "global race";
    if (other.cluster != cluster->serial)
        report("race between blocks", by.address, by.pc,
               fmt::format("{}, while another block {} at {},", by.verb(), other_did,
                           line_of(other.pc)));
    if (other.clock == kFlying)
        report(kind, by.address, by.pc,
               fmt::format("{}, while the copy that {} began at {} is under way,", by.verb(),
                           name_of_actor(other.actor), line_of(other.pc)));
    if (is_by_engine(other))
        report(kind, by.address, by.pc,
               fmt::format("{}, with no wait for the copy begun at {},", by.verb(),
                           line_of(other.pc)));
    report(kind, by.address, by.pc,
           fmt::format("{}, with no synchronisation since {} {} at {},", by.verb(),
                       name_of_actor(other.actor), other_did, line_of(other.pc)));
}

void check_against_write(const Stamp& write, const Access& by, const char* verb) {
    if (write.cluster < first_cluster_of_grid()) return;
    if ((write.bytes & by.bytes) == 0) return;
    if (write.cluster != cluster->serial ? !by.is_shared && !was_published(write)
                                         : !knows_of(by.thread, write))
        report_race(by, write, verb);
}

void check_against_reads(const Cell& cell, const Access& by) {
    if (by.is_shared && cell.read.cluster != cluster->serial) return;
    if (cell.read.cluster < first_cluster_of_grid()) return;
    const bool overlaps = (cell.read.bytes & by.bytes) != 0;
    const bool is_others = cell.read.cluster != cluster->serial;
    if (is_others && overlaps && !was_published(cell.read)) report_race(by, cell.read, "read");
    if (cell.earlier_reader >= first_cluster_of_grid() && !by.is_shared && by.bytes == 3 &&
        cell.earlier_reader != cluster->serial && !has_published(cell.earlier_reader)) {
        Stamp earlier = cell.read;
        earlier.cluster = cell.earlier_reader;
        report_race(by, earlier, "read");
    }
    if (is_others) return;
    if (cell.readers == 0) {
        if (overlaps && !knows_of(by.thread, cell.read)) report_race(by, cell.read, "read");
        return;
    }
    const Readers& all = cluster->readers[cell.readers - 1];
    for (size_t t = 0; t < all.clocks.size(); ++t) {
        const Stamp stamp{cluster->serial, all.clocks[t], all.pcs[t], static_cast<uint16_t>(t)};
        if (stamp.clock != 0 && (all.bytes[t] & by.bytes) != 0 && !knows_of(by.thread, stamp))
            report_race(by, stamp, "read");
    }
}

// An empty list: index + 1.
uint32_t take_readers() {
    if (cluster->free_readers.empty()) {
        cluster->readers.emplace_back();
        return static_cast<uint32_t>(cluster->readers.size());
    }
    const uint32_t taken = cluster->free_readers.back();
    cluster->free_readers.pop_back();
    auto& clocks = cluster->readers[taken - 1].clocks;
    std::fill(clocks.begin(), clocks.end(), 0);
    return taken;
}

void add_reader(Readers& all, const Stamp& stamp) {
    if (stamp.actor >= all.clocks.size()) {
        const auto threads = static_cast<size_t>(block->num_threads * block->cluster_size());
        const size_t actors = stamp.actor + 1u;
        all.clocks.resize(std::max(threads, actors));
        all.pcs.resize(all.clocks.size());
        all.bytes.resize(all.clocks.size());
    }
    all.clocks[stamp.actor] = stamp.clock;
    all.pcs[stamp.actor] = stamp.pc;
    all.bytes[stamp.actor] = stamp.bytes;
}

void note_read(Cell& cell, const Access& by) {
    if (cell.read.cluster != cluster->serial) {
        cell.earlier_reader = cell.read.cluster;
        cell.readers = 0;
    } else if (cell.read.clock == kFlying && by.clock != kFlying) {
        return;
    } else if (!knows_of(by.thread, cell.read)) {
        if (!by.is_shared && is_by_engine(cell.read)) return;
        if (by.is_shared && cell.readers == 0) {
            cell.readers = take_readers();
            add_reader(cluster->readers[cell.readers - 1], cell.read);
        }
    }
    cell.read = by.stamp_after(cell.read);
    if (cell.readers > 0) add_reader(cluster->readers[cell.readers - 1], cell.read);
}

void note_write(Cell& cell, const Access& by) {
    Stamp& last = by.kind == Kind::atomic ? cell.update : cell.write;
    last = by.stamp_after(last);
    if (by.bytes != 3) return;  // readers of the other byte stay
    if (cell.readers != 0 && cell.read.cluster == cluster->serial)
        cluster->free_readers.push_back(cell.readers);
    cell.read = {};
    cell.readers = cell.earlier_reader = 0;
}

void check_fenced(const Stamp& write, const Access& by) {
    if (write.cluster != cluster->serial || is_by_engine(write)) return;
    if (by.is_shared && has_seen_fence(by.thread, write.actor, write.clock)) return;
    report("missing proxy fence", by.address, by.pc,
           fmt::format("{} asynchronously, with no fence.proxy.async since {} wrote at {},",
                       by.verb(), name_of_actor(write.actor), line_of(write.pc)));
}

void check_cell(Cell& cell, const Access& by) {
    if (by.is_shared && by.kind != Kind::write && cell.write.cluster != cluster->serial &&
        cell.update.cluster != cluster->serial)
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

void note_visit(const Block& owner, const Access& by) {
    if (owner.is_over)
        report("block is over", by.address, by.pc,
               fmt::format("{}, though all threads of {} have returned,", by.verb(), owner.name()));
    visits[owner.slot][static_cast<uint16_t>(by.thread)] = {by.stamp(), by.address};
}

// by.address is behind the bytes then.
void check_access(Access& by, size_t bytes) {
    const Location at = find(by.address);
    if (at.cell == nullptr) {
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
    if (const char* stray = first_stray(at, by.address, bytes))
        report("out of bounds", stray, by.pc, by.verb());
    by.is_shared = at.space == Location::shared;
    if (bytes == 1) by.bytes = reinterpret_cast<uintptr_t>(by.address) % kCellBytes == 0 ? 1 : 2;
    if (by.is_shared && at.owner != block) note_visit(*at.owner, by);
    Cell* cell = at.cell;
    for (size_t done = 0; done < bytes; done += kCellBytes, ++cell, by.address += kCellBytes)
        check_cell(*cell, by);
}

// Moves what the current thread's copy did from nobody's clock to this moment's.
void land(Stamp& stamp) {
    const int thread = current_actor();
    if (stamp.cluster == cluster->serial && stamp.clock == kFlying && stamp.actor == thread)
        stamp.clock = now(thread);
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
              .thread = current_actor(),
              .clock = now(current_actor())};
    check_access(by, bytes);
    if (!profile::is_on()) return;
    const Location at = find(static_cast<const char*>(pointer));
    if (at.cell != nullptr)
        profile::note(pointer, bytes, kind != Kind::read, at.space == Location::shared, pc);
}

void shared_access(int thread, const void* pointer, size_t bytes, Kind kind, Place place) {
    if (!judging) return;
    Thread* const current = std::exchange(block->current, &block->threads[thread]);
    const auto* address = static_cast<const char*>(pointer);
    const uint32_t pc = pc_of(place);
    if (find(address).owner != block)
        report("not shared memory", address, pc, kind == Kind::write ? "writes" : "reads");
    Access by{.address = address,
              .pc = pc,
              .kind = kind,
              .thread = actor_of(thread),
              .clock = now(actor_of(thread))};
    check_access(by, bytes);
    block->current = current;
}

void engine_access(const EngineWork& work, const void* pointer, size_t bytes, Kind kind) {
    if (!judging) return;
    Access by{.address = static_cast<const char*>(pointer),
              .pc = pc_of(work.place),
              .kind = kind,
              .thread = current_actor(),
              .clock = work.clock,
              .engine = work.engine};
    const Location at = find(by.address);
    const bool is_shared = at.owner == block;
    if (is_shared != work.is_shared || (!is_shared && at.space != Location::global))
        report(work.is_shared ? "not shared memory" : "not device memory", by.address, by.pc,
               by.verb());
    profile::note(pointer, bytes, kind == Kind::write, is_shared, by.pc);
    for (size_t i = 0; i < bytes; i += kCellBytes) check_access(by, kCellBytes);
}

void begin_copy(const Copy& copy) {
    if (!judging) return;
    const auto bytes = static_cast<size_t>(copy.from_bytes);
    const uint32_t pc = pc_of(copy.place);
    if (bytes > 0) profile::note(copy.from, bytes, false, false, pc);
    profile::note(copy.to, static_cast<size_t>(copy.bytes), true, true, pc);
    Access by{.address = reinterpret_cast<const char*>(copy.from),
              .pc = pc,
              .kind = Kind::read,
              .thread = current_actor(),
              .clock = kFlying};
    if (copy.from_bytes > 0 && find(by.address).space != Location::global)
        report("not device memory", by.address, by.pc, "copies from");
    for (int i = 0; i < copy.from_bytes; i += 2) check_access(by, 2);
    by.address = reinterpret_cast<const char*>(copy.to);
    by.kind = Kind::write;
    if (find(by.address).owner != block)
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

void atomic_access(const void* address, size_t bytes, Place place) {
    if (inside || block == nullptr || block->current == nullptr) return;
    access(address, bytes, Kind::atomic, reinterpret_cast<const void*>(uintptr_t{pc_of(place)}));
    const Inside emulator;
    update_word(address);
}

bool is_judging() { return judging; }

void enter_block() {
    enter_shadow();
    enter_clocks();
}

void begin_block() {
    begin_shadow();
    if (block->rank == 0) begin_clocks();
    visits[block->slot].clear();
}

void end_visits() {
    for (const auto& [actor, visit] : visits[block->slot]) {
        const auto& [stamp, address] = visit;
        bool is_known = false;
        for (int thread = 0; thread < block->num_threads && !is_known; ++thread)
            is_known = has_seen(actor_of(thread), actor, stamp.clock);
        if (is_known) continue;
        fail(fmt::format(
            "block is over: {} at {} uses {} of {}, which may have returned: it does "
            "not wait for that use",
            name_of_actor(actor), line_of(stamp.pc), name_of_address(address), block->name()));
    }
}

}  // namespace simt::check
#endif
