#include "kernels/simt/mbarrier.h"

#include <fmt/core.h>

#include <algorithm>

#include "kernels/simt/block.h"
#include "kernels/simt/check.h"

namespace simt {
namespace {

constexpr uint32_t kMaxCount = (1u << 20) - 1;  // of arrivals, and of bytes either way

int current_thread() { return static_cast<int>(block->current - block->threads); }

// What the object in shared memory holds: no layout that hardware has.
uint64_t image_of(const Mbarrier& m) {
    const uint64_t bytes = static_cast<uint64_t>(m.bytes) & 0x1fffff;
    return uint64_t{m.phase & 1} << 63 | uint64_t{1} << 62 | bytes << 40 |
           uint64_t{m.pending} << 20 | m.expected;
}

std::string text_of(const Mbarrier& m) {
    return fmt::format("phase {}, {} of {} arrivals pending, {} bytes pending, initialised at {}",
                       m.phase, m.pending, m.expected, m.bytes, m.place.text());
}

std::string user_text(const char* use, Place place) {
    return fmt::format("{} at {} {}", name_of(*block->current), place.text(), use);
}

Mbarrier& find(const uint64_t* object, const char* use, Place place) {
    const auto found = block->mbarriers.find(object);
    if (found == block->mbarriers.end())
        fail(fmt::format("uninitialised mbarrier: {} an mbarrier that no thread initialised",
                         user_text(use, place)));
    if (*object != image_of(found->second))
        fail(fmt::format("mbarrier: {} an mbarrier that a store overwrote ({})",
                         user_text(use, place), text_of(found->second)));
    return found->second;
}

// As find, for an instruction that uses what the initialisation wrote.
Mbarrier& use(uint64_t* object, const char* use, Place place) {
    Mbarrier& m = find(object, use, place);
    check::shared_access(current_thread(), object, sizeof *object, check::Kind::atomic, place);
    return m;
}

void wake_waiters(const uint64_t* object) {
    for (int i = 0; i < block->num_threads; ++i) {
        const Thread& thread = block->threads[i];
        if (thread.waiting == Waiting::for_mbarrier && thread.awaited == object)
            block->warps[thread.warp].ready |= 1u << thread.lane;
    }
}

// A wait for a parity cannot tell phases from those two before.
void check_seen(const Mbarrier& m) {
    if (m.waited_phase < m.phase)
        fail(
            fmt::format("mbarrier: {} is running when a phase ends, and no thread waited for the "
                        "phase before it; is it initialised for too few arrivals? ({})",
                        name_of(*block->current), text_of(m)));
}

// An arrival or a copy has changed `m`.
void update(uint64_t* object, Mbarrier& m) {
    if (m.pending == 0 && m.bytes == 0) {
        check_seen(m);
        m.completed = m.arriving;
        m.pending = m.expected;
        m.expected_bytes = m.begun_bytes = 0;
        ++m.phase;
        wake_waiters(object);
    }
    *object = image_of(m);
}

// With no arrivals pending the phase may end as soon as the expected bytes are there.
void check_bytes(const Mbarrier& m, const char* use, Place place) {
    if (m.pending == 0 && m.begun_bytes > m.expected_bytes)
        fail(
            fmt::format("mbarrier: {} an mbarrier whose phase may end before its copies: they are "
                        "{} bytes, {} are expected ({})",
                        user_text(use, place), m.begun_bytes, m.expected_bytes, text_of(m)));
}

void arrive(uint64_t* object, Mbarrier& m, Place place) {
    if (m.pending == 0)
        fail(fmt::format("mbarrier: {} an mbarrier whose arrivals have all come ({})",
                         user_text("arrives at", place), text_of(m)));
    check::release(current_thread(), m.arriving);
    --m.pending;
    check_bytes(m, "arrives at", place);
    update(object, m);
}

void expect(Mbarrier& m, uint32_t bytes, Place place) {
    m.bytes += bytes;
    m.expected_bytes += bytes;
    if (m.bytes > int64_t{kMaxCount})
        fail(fmt::format("mbarrier: {} an mbarrier that then expects {} bytes, at most {} can be",
                         user_text("raises the bytes of", place), m.bytes, kMaxCount));
}

void check_parity(uint32_t parity, Place place) {
    if (parity > 1)
        fail(fmt::format("mbarrier: {} the parity {}, expected 0 or 1",
                         user_text("waits for", place), parity));
}

bool is_over(const Mbarrier& m, uint32_t parity) { return (m.phase & 1) != parity; }

}  // namespace

void mbarrier_init(uint64_t* object, uint32_t count, Place place) {
    const check::Inside emulator;
    if (reinterpret_cast<uintptr_t>(object) % sizeof *object != 0)
        fail(fmt::format("misaligned: {} an mbarrier at {}, expected 8-byte alignment",
                         user_text("initialises", place), static_cast<void*>(object)));
    if (count == 0 || count > kMaxCount)
        fail(fmt::format("mbarrier: {} an mbarrier for {} arrivals, expected 1 to {}",
                         user_text("initialises", place), count, kMaxCount));
    const auto [at, is_new] = block->mbarriers.try_emplace(object);
    if (!is_new)
        fail(fmt::format("mbarrier: {} an mbarrier a second time ({})",
                         user_text("initialises", place), text_of(at->second)));
    check::shared_access(current_thread(), object, sizeof *object, check::Kind::write, place);
    Mbarrier& m = at->second;
    m.place = place;
    m.thread = current_thread();
    m.expected = m.pending = count;
    m.engine = check::add_engine();
    *object = image_of(m);
}

void mbarrier_invalidate(uint64_t* object, Place place) {
    const check::Inside emulator;
    Mbarrier& m = use(object, "invalidates", place);
    const bool is_awaited =
        std::any_of(block->threads, block->threads + block->num_threads, [&](const Thread& thread) {
            return thread.waiting == Waiting::for_mbarrier && thread.awaited == object;
        });
    if (is_awaited || m.begun_bytes > 0 || m.bytes != 0 || m.copies_phase > m.waited_phase)
        fail(
            fmt::format("mbarrier: {} an mbarrier that threads wait for, or for whose copies none "
                        "waited ({})",
                        user_text("invalidates", place), text_of(m)));
    check::shared_access(current_thread(), object, sizeof *object, check::Kind::write, place);
    block->mbarriers.erase(object);
}

void mbarrier_arrive(uint64_t* object, Place place) {
    const check::Inside emulator;
    arrive(object, use(object, "arrives at", place), place);
}

void mbarrier_expect_bytes(uint64_t* object, uint32_t bytes, Place place) {
    const check::Inside emulator;
    Mbarrier& m = use(object, "raises the bytes of", place);
    expect(m, bytes, place);
    update(object, m);
}

void mbarrier_arrive_expect_bytes(uint64_t* object, uint32_t bytes, Place place) {
    const check::Inside emulator;
    Mbarrier& m = use(object, "arrives at", place);
    expect(m, bytes, place);
    arrive(object, m, place);
}

bool mbarrier_test_wait(uint64_t* object, uint32_t parity, Place place) {
    const check::Inside emulator;
    check_parity(parity, place);
    Mbarrier& m = use(object, "tests", place);
    if (!is_over(m, parity)) return false;
    m.waited_phase = m.phase;
    check::acquire(m.completed);
    return true;
}

bool mbarrier_try_wait(uint64_t* object, uint32_t parity, Place place) {
    const check::Inside emulator;
    check_parity(parity, place);
    Mbarrier* m = &use(object, "waits for", place);
    while (!is_over(*m, parity)) {
        block->current->awaited = object;
        wait_for_others(Waiting::for_mbarrier, place);
        m = &find(object, "waits for", place);
    }
    m->waited_phase = m->phase;
    check::acquire(m->completed);
    return true;
}

void fence_mbarrier_init() {
    const check::Inside emulator;
    for (auto& [object, m] : block->mbarriers)
        if (m.thread == current_thread() && !m.is_fenced) {
            m.is_fenced = true;
            m.fence = check::mark();
        }
}

const Mbarrier& begin_bytes(uint64_t* object, uint32_t bytes, Place place) {
    const char* const what = "begins a copy for";
    Mbarrier& m = use(object, what, place);
    if (!m.is_fenced || !check::knows_mark(m.thread, m.fence))
        fail(
            fmt::format("missing fence: {} an mbarrier with no fence.mbarrier_init since its "
                        "initialisation that this thread knows of ({})",
                        user_text(what, place), text_of(m)));
    m.begun_bytes += bytes;
    check_bytes(m, what, place);
    return m;
}

void complete_bytes(uint64_t* object, uint32_t bytes) {
    Mbarrier& m = block->mbarriers.at(object);
    m.bytes -= bytes;
    m.copies_phase = m.phase + 1;
    check::release_engine(m.engine, m.copies_phase, m.arriving);
    if (m.bytes < -int64_t{kMaxCount})
        fail(fmt::format("mbarrier: {} more bytes came than were expected ({})", -m.bytes,
                         text_of(m)));
    update(object, m);
}

std::string awaited_text(const Thread& thread) {
    return fmt::format("an mbarrier ({})", text_of(block->mbarriers.at(thread.awaited)));
}

void check_mbarriers_left() {
    for (const auto& [object, m] : block->mbarriers) {
        if (m.bytes != 0 || m.copies_phase > m.waited_phase)
            fail(
                fmt::format("mbarrier: {} returns as the last of its block, and no thread waited "
                            "for a phase in which copies completed ({})",
                            name_of(*block->current), text_of(m)));
        if (m.pending != m.expected)
            fail(
                fmt::format("mbarrier: {} returns as the last of its block, and only some of the "
                            "arrivals of a phase came ({})",
                            name_of(*block->current), text_of(m)));
    }
}

void forget_mbarriers() {
    block->mbarriers.clear();
    block->bulk_copies.clear();
    block->bulk_stores.clear();
}

}  // namespace simt
