#if defined(FETTLE_CHECK)
#include "kernels/simt/clocks.h"

#include <algorithm>
#include <numeric>
#include <utility>
#include <vector>

#include "kernels/simt/block.h"
#include "kernels/simt/check.h"

namespace simt::check {
namespace {

constexpr size_t kFirstEngines = 16;  // there is room for; more are made when needed
constexpr int kMaxActors = 0xffff;    // check.cpp has 16 bits for one

// Of a cluster.
struct Clocks {
    // [thread, other]  clocks up to which it has seen: other threads, the fences of other threads,
    // engines. A row may be longer than what is in use.
    std::vector<uint32_t> knowledge;
    std::vector<uint32_t> known_to_all;  // [thread]  likewise, of what the last barrier told
    std::vector<uint32_t> clocks;        // [thread]
    size_t num_engines = 0, row_length = 0;
    bool has_fences = false;

    size_t threads() const { return clocks.size(); }
    size_t known_length() const { return 2 * threads() + num_engines; }
    uint32_t* row(int thread) { return &knowledge[static_cast<size_t>(thread) * row_length]; }
    uint32_t& clock_of(int thread) { return clocks[static_cast<size_t>(thread)]; }
    uint32_t& known(int thread, int actor) {
        const auto column = static_cast<size_t>(actor);
        return row(thread)[column < threads() ? column : column + threads()];
    }
    uint32_t& known_fence(int thread, int other) {
        return row(thread)[static_cast<size_t>(other) + threads()];
    }

    void lengthen_rows() {
        const size_t length = 2 * row_length;
        std::vector<uint32_t> longer(threads() * length);
        for (size_t t = 0; t < threads(); ++t)
            std::copy_n(&knowledge[t * row_length], row_length, &longer[t * length]);
        knowledge = std::move(longer);
        row_length = length;
    }

    bool has_seen(int thread, int actor, uint32_t clock) {
        const auto column = static_cast<size_t>(actor);
        return (column < threads() && known_to_all[column] >= clock) ||
               known(thread, actor) >= clock;
    }

    void join(std::vector<uint32_t>& all, int thread) {
        const uint32_t* seen = row(thread);
        for (uint32_t& clock : all) clock = std::max(clock, *seen++);
        for (size_t t = 0; t < threads(); ++t) all[t] = std::max(all[t], known_to_all[t]);
    }

    // The threads know all that one of them knew, and what each did until now.
    template <typename Threads>
    void order(const Threads& which) {
        std::vector<uint32_t> all(known_length());
        for (const int t : which) join(all, t);
        for (const int t : which) all[static_cast<size_t>(t)] = clock_of(t);
        for (const int t : which) {
            std::copy(all.begin(), all.end(), row(t));
            ++clock_of(t);
        }
    }
    void order_all() {
        known_to_all = clocks;
        for (uint32_t& clock : clocks) ++clock;
        if (!has_fences && num_engines == 0) return;
        const size_t rest = known_length() - threads();
        std::vector<uint32_t> all(rest);
        for (size_t t = 0; t < threads(); ++t) {
            const uint32_t* seen = row(static_cast<int>(t)) + threads();
            for (uint32_t& clock : all) clock = std::max(clock, *seen++);
        }
        for (size_t t = 0; t < threads(); ++t)
            std::copy(all.begin(), all.end(), row(static_cast<int>(t)) + threads());
    }
};

Clocks of_first_slots[kMaxTeam];  // by the slot of a cluster's first block
Clocks* own = of_first_slots;     // of the cluster of `block`

}  // namespace

int actor_of(int thread) { return block->rank * block->num_threads + thread; }
int current_actor() { return actor_of(static_cast<int>(block->current - block->threads)); }

uint32_t now(int thread) { return own->clock_of(thread); }

bool has_seen(int thread, int actor, uint32_t clock) {
    return actor == thread || own->has_seen(thread, actor, clock);
}

bool has_seen_fence(int thread, int other, uint32_t clock) {
    return own->known_fence(thread, other) >= clock;
}

bool tells_of(const Seen& seen, int actor, uint32_t clock) {
    const auto column = static_cast<size_t>(actor);
    const size_t at = column < own->threads() ? column : column + own->threads();
    return clock != 0xffffffffu && at < seen.size() && seen[at] >= clock;
}

void begin_clocks() {
    const auto threads = static_cast<size_t>(block->num_threads * block->cluster_size());
    enter_clocks();
    own->num_engines = 0;
    own->has_fences = false;
    own->row_length = 2 * threads + kFirstEngines;
    own->clocks.assign(threads, 1);
    own->known_to_all.assign(threads, 0);
    own->knowledge.assign(threads * own->row_length, 0);
}

void enter_clocks() { own = &of_first_slots[block->peer(0).slot]; }

int add_engine() {
    if (own->known_length() == own->row_length) own->lengthen_rows();
    const auto engine = static_cast<int>(own->threads() + own->num_engines++);
    if (engine > kMaxActors)
        fail("simt: more mbarriers in a cluster than a check build can tell apart");
    return engine;
}

void learn(int engine, uint32_t clock) {
    uint32_t& seen = own->known(current_actor(), engine);
    seen = std::max(seen, clock);
}

uint32_t mark() { return own->clock_of(current_actor())++; }
bool knows_mark(int other, uint32_t mark) {
    return has_seen(current_actor(), actor_of(other), mark);
}

void order_block() {
    if (block->cluster_size() == 1) return own->order_all();
    std::vector<int> threads(static_cast<size_t>(block->num_threads));
    std::iota(threads.begin(), threads.end(), actor_of(0));
    own->order(threads);
}

void order_lanes(int warp, uint32_t mask) {
    std::vector<int> threads;
    for (int lane = 0; lane < kLanesPerWarp; ++lane)
        if ((mask >> lane & 1) != 0) threads.push_back(actor_of(warp * kLanesPerWarp + lane));
    own->order(threads);
}

void release(int thread, Seen& into) {
    const int actor = actor_of(thread);
    into.resize(own->known_length());
    own->join(into, actor);
    into[static_cast<size_t>(actor)] = own->clock_of(actor)++;
}

void release_engine(int engine, uint32_t clock, Seen& into) {
    into.resize(own->known_length());
    into[static_cast<size_t>(engine) + own->threads()] = clock;
}

void acquire(const Seen& from) {
    uint32_t* seen = own->row(current_actor());
    for (const uint32_t clock : from) *seen = std::max(*seen, clock), ++seen;
}

void fence_async_proxy() {
    const int thread = current_actor();
    own->has_fences = true;
    for (int other = 0; other < static_cast<int>(own->threads()); ++other) {
        uint32_t& fence = own->known_fence(thread, other);
        fence = std::max(
            {fence, own->known(thread, other), own->known_to_all[static_cast<size_t>(other)]});
    }
    own->known_fence(thread, thread) = mark();
}

}  // namespace simt::check
#endif
