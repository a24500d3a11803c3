// Which thread runs next. A thread runs until it must wait for others; then the first ready lane of
// the same warp is taken, else of the next warp that has one. When nobody is ready and somebody is
// alive, another block of the cluster goes on; if none can, they never will, and the message says
// who waits where.
//
// With a seed every choice is random, atomics are places to change threads too, and now and then
// another block of the team goes on where it stood.
#include <fmt/core.h>

#include <bit>
#include <map>

#include "kernels/simt/block.h"
#include "kernels/simt/check.h"
#include "kernels/simt/profile.h"
#include "kernels/simt/simt.h"

namespace on_simt {
constinit thread_local uint3 threadIdx{}, blockIdx{};
constinit thread_local dim3 blockDim{}, gridDim{};
}  // namespace on_simt

namespace simt {

constinit thread_local Block* block = nullptr;
constinit thread_local Team* team = nullptr;

namespace {

// Of the places where another thread may go on, every so many is one where another block does.
constexpr uint32_t kTurnOfBlock = 64;
// After so many atomics a thread may be spinning: in order, others go on. After so many more with
// nobody who waits or returns, what it spins for will not come.
constexpr uint32_t kTurnOfThread = 1024, kMostAtomics = 1u << (check::kOn ? 24 : 26);

Thread* take(int warp, int lane) {
    block->current_warp = warp;
    return &block->threads[warp * kLanesPerWarp + lane];
}

// A ready thread, or null.
Thread* pick() {
    const bool in_order = block->random == 0;
    const int first_warp =
        in_order ? block->current_warp : static_cast<int>(next_random() % block->num_warps);
    for (int i = 0; i < block->num_warps; ++i) {
        const int warp = (first_warp + i) % block->num_warps;
        const uint32_t ready = block->warps[warp].ready;
        if (ready == 0) continue;
        const int first_lane = in_order ? 0 : static_cast<int>(next_random() % kLanesPerWarp);
        const int lane = (std::countr_zero(std::rotr(ready, first_lane)) + first_lane);
        return take(warp, lane % kLanesPerWarp);
    }
    return nullptr;
}

// The next thread that is ready, from this one on.
Thread* pick_next() {
    const auto self = static_cast<int>(block->current - block->threads);
    for (int i = 1; i < block->num_threads; ++i) {
        const int next = (self + i) % block->num_threads;
        const Warp& warp = block->warps[next / kLanesPerWarp];
        if ((warp.ready >> next % kLanesPerWarp & 1) != 0)
            return take(next / kLanesPerWarp, next % kLanesPerWarp);
    }
    return block->current;
}

std::string awaited(const Thread& thread) {
    switch (thread.waiting) {
        case Waiting::for_warp:
            return "its warp";
        case Waiting::for_block:
            return "__syncthreads";
        case Waiting::for_named_barrier:
            return awaited_barrier_text(thread);
        case Waiting::for_registers:
            return fmt::format("registers ({} are free)", block->registers_left.free);
        case Waiting::for_cluster:
            return "its cluster's barrier";
        default:
            return awaited_text(thread);
    }
}

// Of `block`.
std::string waiting_text() {
    std::map<std::string, int> groups;
    for (int i = 0; i < block->num_threads; ++i) {
        const Thread& thread = block->threads[i];
        if (thread.waiting == Waiting::exited) continue;
        ++groups[fmt::format("{} at {}", awaited(thread), thread.place.text())];
    }
    std::string text;
    for (const auto& [group, count] : groups)
        text += fmt::format(" {} thread(s) wait for {};", count, group);
    if (!text.empty()) text.pop_back();
    return text;
}

std::string deadlock_message() {
    std::string message = block->name() + " cannot go on:" + waiting_text();
    Block* const stuck = block;
    for (int rank = 0; rank < stuck->cluster_size(); ++rank) {
        if (rank == stuck->rank) continue;
        enter_block(&stuck->peer(rank));
        message += fmt::format(". In {}{}", block->name(),
                               block->is_over ? " all have returned" : waiting_text());
    }
    return message;
}

void make_current(Thread* thread) {
    block->current = thread;
    if (thread != nullptr) on_simt::threadIdx = thread->index;
}

void run_threads();

Fiber* take_fiber() {
    if (team->idle_fibers.empty()) {
        team->fibers.push_back(std::make_unique<Fiber>(run_threads));
        return team->fibers.back().get();
    }
    Fiber* fiber = team->idle_fibers.back();
    team->idle_fibers.pop_back();
    return fiber;
}

// Leaves `from` and goes on with `thread`, or with the host if that is null.
void switch_to(Context& from, Thread* thread, bool for_good = false) {
    make_current(thread);
    if (thread == nullptr) return switch_context(from, team->host, for_good);
    if (thread->fiber == nullptr) thread->fiber = take_fiber();
    switch_context(from, thread->fiber->context(), for_good);
}

// A block of the team that is not over: from `slot` on, the first. Null if there is none.
Block* living_block(int slot) {
    for (int i = 0; i < team->size; ++i) {
        Block* candidate = team->blocks[(slot + i) % team->size].get();
        if (!candidate->is_over) return candidate;
    }
    return nullptr;
}

// A thread of `block` that is ready; null when all have returned, or wait for other blocks.
Thread* pick_in_block() {
    if (block->num_flying > 0 && block->random != 0 && next_random() % 4 == 0)
        land_a_copy(next_random());
    if (!block->bulk_copies.empty() && block->random != 0 && next_random() % 4 == 0)
        finish_a_bulk_copy(next_random());
    if (!block->bulk_stores.empty() && block->random != 0 && next_random() % 4 == 0)
        advance_a_bulk_store(next_random());
    if (block->num_products > 0 && block->random != 0 && next_random() % 4 == 0)
        compute_a_product(next_random());
    Thread* next = pick();
    while (next == nullptr && !block->bulk_copies.empty()) {
        finish_a_bulk_copy(block->random == 0 ? 0 : next_random());
        next = pick();
    }
    return next;
}

// Null when all blocks of the team are over.
Thread* pick_or_fail() {
    if (team->num_living > 1 && team->random != 0 && next_random(team->random) % kTurnOfBlock == 0)
        enter_block(living_block(static_cast<int>(next_random(team->random) % kMaxTeam)));
    for (;;) {
        if (Thread* next = pick_in_block()) return next;
        if (block->num_living > 0) {
            Block* const peer = peer_that_can_go_on();
            if (peer == nullptr) fail(deadlock_message());
            enter_block(peer);
            continue;
        }
        finish_bulk_stores();
        check_no_bulk_copies_left();
        check_mbarriers_left();
        check_named_barriers_left();
        check_no_products_left();
        check_registers_left();
        check::end_visits();
        block->is_over = true;
        if (--team->num_living == 0) {
            profile::end_cluster();
            return nullptr;
        }
        enter_block(living_block(block->slot));
    }
}

void leave(Thread& thread) {
    if (block->barrier.arrived > 0)
        fail(fmt::format("{} returns while {} thread(s) wait in __syncthreads at {}",
                         name_of(thread), block->barrier.arrived, block->barrier.place.text()));
    Warp& warp = block->warps[thread.warp];
    const uint32_t bit = 1u << thread.lane;
    for (const Meeting& meeting : warp.meetings)
        if (meeting.arrived != 0 && (meeting.mask & bit) != 0)
            fail(fmt::format("{} returns while its warp waits for it at {}", name_of(thread),
                             meeting.place.text()));
    check_no_copies_left(thread);
    check_no_stores_left(thread);
    thread.waiting = Waiting::exited;
    block->atomics = 0;
    warp.ready &= ~bit;
    warp.living &= ~bit;
    --block->num_living;
    leave_cluster(thread);
}

// The current thread from its first statement to its last, then the choice of the next one.
Thread* run_thread_then_pick() {
    {
        const check::Outside kernel;
        block->grid.call(block->grid.arguments);
    }
    leave(*block->current);
    return pick_or_fail();
}

// What every fiber runs: threads of the block, one after another. A thread that never waited leaves
// its stack to the next one, so that a kernel without barriers costs no switch.
void run_threads() {
    fiber_started();
    for (;;) {
        Fiber* fiber = block->current->fiber;
        Thread* next = nullptr;
        bool failed = false;
        try {
            next = run_thread_then_pick();
        } catch (const BlockFailed&) {
            failed = true;  // the switch waits until the exception is over: it is the OS thread's
        }
        if (failed) end_block();
        if (next != nullptr && next->fiber == nullptr) {
            next->fiber = fiber;
            make_current(next);
            continue;
        }
        team->idle_fibers.push_back(fiber);
        switch_to(fiber->context(), next);  // returns when a thread is to start on this fiber
    }
}

void prepare_threads() {
    const on_simt::dim3 shape = block->grid.threads;
    block->num_threads = static_cast<int>(shape.x * shape.y * shape.z);
    block->num_warps = (block->num_threads + kLanesPerWarp - 1) / kLanesPerWarp;
    block->num_living = block->num_threads;
    block->atomics = 0;
    block->is_over = false;
    block->current = nullptr;
    block->current_warp = 0;
    block->barrier = {};
    block->cluster_barrier = {};
    forget_mbarriers();
    forget_named_barriers();
    forget_products();
    fill_register_pool();
    for (int warp = 0; warp < block->num_warps; ++warp) {
        const int lanes = std::min(block->num_threads - warp * kLanesPerWarp, kLanesPerWarp);
        const uint32_t all = 0xffffffffu >> (kLanesPerWarp - lanes);
        block->warps[warp].ready = block->warps[warp].living = all;
        for (Meeting& meeting : block->warps[warp].meetings) meeting.arrived = 0;
    }
    for (int i = 0; i < block->num_threads; ++i) {
        const auto n = static_cast<unsigned>(i);
        block->threads[i] = {.index = {n % shape.x, n / shape.x % shape.y, n / shape.x / shape.y},
                             .warp = static_cast<uint8_t>(i / kLanesPerWarp),
                             .lane = static_cast<uint8_t>(i % kLanesPerWarp)};
    }
}

}  // namespace

uint32_t next_random(uint32_t& state) {  // xorshift32
    state ^= state << 13;
    state ^= state >> 17;
    state ^= state << 5;
    return state;
}

uint32_t next_random() { return next_random(block->random); }

Block& Block::peer(int of_rank) const { return *team->blocks[slot - rank + of_rank]; }

std::string Block::name() const {
    return fmt::format("block ({},{},{})", index.x, index.y, index.z);
}

std::string name_of(const Thread& thread) {
    const auto& t = thread.index;
    return fmt::format("{} thread ({},{},{})", block->name(), t.x, t.y, t.z);
}

void wait_for_others(Waiting waiting, Place place) {
    Thread* thread = block->current;
    thread->waiting = waiting;
    thread->place = place;
    block->atomics = 0;
    block->warps[thread->warp].ready &= ~(1u << thread->lane);
    Thread* const next = pick_or_fail();  // it itself, if a copy has ended meanwhile
    if (next != thread) switch_to(thread->fiber->context(), next);
    thread->waiting = Waiting::for_nothing;
}

void yield() {
    if (block == nullptr || block->current == nullptr) return;
    const check::Inside emulator;
    Thread* const thread = block->current;
    if (++block->atomics == kMostAtomics)
        fail(
            fmt::format("{} spins: {} atomics of its block, while nobody waits or returns. What "
                        "it waits for does not come: another block may not have begun",
                        name_of(*thread), kMostAtomics));
    const bool in_order = block->random == 0;
    if (in_order ? block->atomics % kTurnOfThread != 0 : next_random() % 2 == 0) return;
    Thread* const next = in_order ? pick_next() : pick_or_fail();
    if (next != thread) switch_to(thread->fiber->context(), next);
}

void enter_block(Block* chosen) {
    if (chosen == block) return;
    team->static_shared.save(block->static_shared);
    team->static_shared.restore(chosen->static_shared);
    block = chosen;
    on_simt::blockIdx = chosen->index;
    check::enter_block();
}

void fail(const std::string& message) {
    team->error = message;
    throw BlockFailed{};
}

void end_block() {
    switch_to(block->current->fiber->context(), nullptr, /*for_good=*/true);
    __builtin_unreachable();  // run_block restarts the fiber
}

// Every block begins with what its OS thread has in static shared memory.
void run_team() {
    const check::Inside emulator;  // a fault leaves the kernel without an end
    team->error.clear();
    team->num_living = team->size;
    for (int slot = team->size - 1; slot >= 0; --slot) {
        block = team->blocks[slot].get();
        on_simt::blockIdx = block->index;
        prepare_threads();
        check::begin_block();
        if (team->size > 1) team->static_shared.save(block->static_shared);
    }
    switch_to(team->host, pick());
    block->current = nullptr;
    if (team->error.empty()) return;
    for (int slot = 0; slot < team->size; ++slot) {
        block = team->blocks[slot].get();
        forget_copies();
    }
    team->idle_fibers.clear();
    for (const auto& fiber : team->fibers) {
        fiber->restart();
        team->idle_fibers.push_back(fiber.get());
    }
}

}  // namespace simt
