// Branches, and what threads do together: the emulator's own barriers, shuffles and votes.
#include <fmt/core.h>

#include "kernels/simt/block.h"
#include "kernels/simt/cluster.h"
#include "kernels/simt/named_barrier.h"
#include "kernels/simt/ptx/instruction.h"
#include "kernels/simt/ptx/program.h"
#include "kernels/simt/simt.h"

namespace simt::ptx {

const Instruction* branch(const Instruction* i, uint64_t*, Frame&) { return i + i->immediate; }

const Instruction* branch_if(const Instruction* i, uint64_t* registers, Frame&) {
    return i + (registers[i->slots[0]] != 0 ? i->immediate : 1);
}

const Instruction* branch_unless(const Instruction* i, uint64_t* registers, Frame&) {
    return i + (registers[i->slots[0]] == 0 ? i->immediate : 1);
}

// Behind it stand as many branches as it has targets, slots[1] says how many.
const Instruction* branch_by_index(const Instruction* i, uint64_t* registers, Frame& frame) {
    const auto index = static_cast<uint32_t>(registers[i->slots[0]]);
    const uint64_t targets = registers[i->slots[1]];
    if (index >= targets) fail_at(frame, i, fmt::format("target {} of {} targets", index, targets));
    return i + 1 + index;
}

const Instruction* exit_thread(const Instruction*, uint64_t*, Frame&) { return nullptr; }

namespace {

const Instruction* trap(const Instruction* i, uint64_t*, Frame& frame) {
    fail_at(frame, i, "the kernel gives up");
}

// Its number, and how many threads come to it; 0: all of the block.
template <bool waits>
const Instruction* barrier(const Instruction* i, uint64_t* registers, Frame& frame) {
    const auto operand = [&](int n) { return static_cast<int>(registers[i->slots[n]]); };
    const Place place = frame.program->place_of(i);
    const int all = block->num_threads, threads = operand(1) == 0 ? all : operand(1);
    if (operand(0) == 0 && waits && threads == all)
        sync_threads(place);
    else
        named_barrier(operand(0), threads, waits, place);
    return i + 1;
}

const Instruction* warp_barrier(const Instruction* i, uint64_t* registers, Frame& frame) {
    sync_warp(static_cast<uint32_t>(registers[i->slots[0]]), frame.program->place_of(i));
    return i + 1;
}

template <void (*f)(Place)>
const Instruction* cluster_barrier(const Instruction* i, uint64_t*, Frame& frame) {
    f(frame.program->place_of(i));
    return i + 1;
}

// d, a generic address, rank
const Instruction* map_to_cluster(const Instruction* i, uint64_t* registers, Frame& frame) {
    auto* const mine = reinterpret_cast<void*>(registers[i->slots[1]]);
    const auto rank = static_cast<uint32_t>(registers[i->slots[2]]);
    registers[i->slots[0]] =
        reinterpret_cast<uint64_t>(cluster_map(mine, rank, frame.program->place_of(i)));
    return i + 1;
}

// Which lane a shuffle reads, and whether that is within bounds: c holds the last lane of a
// segment, and above it a mask of the bits in which segments differ.
struct Source {
    unsigned lane;
    bool within;
};
Source source_of(Shuffle kind, unsigned lane, uint32_t b, uint32_t c) {
    const uint32_t operand = b & 31, segments = c >> 8 & 31;
    const uint32_t last = (lane & segments) | (c & 31 & ~segments);
    const auto own = static_cast<int>(lane), by = static_cast<int>(operand);
    int source = static_cast<int>((lane & segments) | (operand & ~segments));  // index
    if (kind == Shuffle::up) source = own - by;
    if (kind == Shuffle::down) source = own + by;
    if (kind == Shuffle::exclusive_or) source = own ^ by;
    const auto bound = static_cast<int>(last);
    const bool within = kind == Shuffle::up ? source >= bound : source <= bound;
    return {within ? static_cast<unsigned>(source) : lane, within};
}

// d|p, a, b, c, lanes
template <Shuffle kind>
const Instruction* shuffle_lanes(const Instruction* i, uint64_t* registers, Frame& frame) {
    const auto operand = [&](int n) { return static_cast<uint32_t>(registers[i->slots[n]]); };
    const Source source = source_of(kind, frame.lane, operand(3), operand(4));
    const uint64_t value = shuffle(operand(5), operand(2), Shuffle::index,
                                   static_cast<int>(source.lane), 32, frame.program->place_of(i));
    registers[i->slots[0]] = value;
    registers[i->slots[1]] = source.within;
    return i + 1;
}

// d, vote, lanes: f(votes, lanes)
template <typename F>
const Instruction* vote(const Instruction* i, uint64_t* registers, Frame& frame) {
    const auto lanes = static_cast<uint32_t>(registers[i->slots[2]]);
    const bool own = registers[i->slots[1]] != 0;
    const uint32_t votes = ballot(lanes, own, frame.program->place_of(i));
    registers[i->slots[0]] = F{}(votes, lanes);
    return i + 1;
}
template <typename F>
void add_vote(Table& table, const std::string& name, F) {
    table.add("vote.sync." + name, vote<F>, 3, 1);
}

}  // namespace

void add_control(Table& table) {
    table.add("ret", exit_thread, 0, 0);
    table.add("exit", exit_thread, 0, 0);
    table.add("trap", trap, 0, 0);
    for (const char* name : {"bar.", "bar.cta.", "barrier.", "barrier.cta."})
        for (const char* aligned : {"", ".aligned"}) {
            table.add(fmt::format("{}sync{}", name, aligned), barrier<true>, 2, 0);
            table.add(fmt::format("{}arrive{}", name, aligned), barrier<false>, 2, 0);
        }
    table.add("bar.warp.sync", warp_barrier, 1, 0);
    table.add("barrier.cluster.arrive.release", cluster_barrier<cluster_arrive>, 0, 0);
    table.add("barrier.cluster.wait.acquire", cluster_barrier<cluster_wait>, 0, 0);
    table.add("mapa.u64", map_to_cluster, 3, 1);
    table.add("shfl.sync.up.b32", shuffle_lanes<Shuffle::up>, 6, 2);
    table.add("shfl.sync.down.b32", shuffle_lanes<Shuffle::down>, 6, 2);
    table.add("shfl.sync.bfly.b32", shuffle_lanes<Shuffle::exclusive_or>, 6, 2);
    table.add("shfl.sync.idx.b32", shuffle_lanes<Shuffle::index>, 6, 2);
    add_vote(table, "ballot.b32", [](uint32_t votes, uint32_t) { return votes; });
    add_vote(table, "any.pred", [](uint32_t votes, uint32_t) { return votes != 0; });
    add_vote(table, "all.pred", [](uint32_t votes, uint32_t lanes) { return votes == lanes; });
    add_vote(table, "uni.pred",
             [](uint32_t votes, uint32_t lanes) { return votes == 0 || votes == lanes; });
}

}  // namespace simt::ptx
