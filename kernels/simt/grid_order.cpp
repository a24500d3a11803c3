#if defined(FETTLE_CHECK)
#include "kernels/simt/grid_order.h"

#include <algorithm>
#include <map>
#include <vector>

#include "kernels/simt/block.h"
#include "kernels/simt/check.h"
#include "kernels/simt/clocks.h"

namespace simt::check {
namespace {

struct Fence {
    Seen seen = {};
    bool is_for_grid = false;  // false: for threads of the block
};
struct Publication {
    size_t position;  // in the order of the updates of its word
    Fence fence;
};
struct Word {
    size_t updates = 0;
    std::map<uint32_t, std::vector<Publication>> by_cluster;
};

std::map<const void*, Word> words;  // of this grid
// [cluster] of those that are alive or were
std::map<uint32_t, std::map<int, Fence>> fences;                // of each actor, the last
std::map<uint32_t, std::map<const Word*, size_t>> known_words;  // how many updates of them

// What the thread's own fence said, and of others whose fences it knows what they did themselves.
Fence fences_known(const std::map<int, Fence>& of_cluster) {
    const int self = current_actor();
    const auto own = of_cluster.find(self);
    Fence known = own == of_cluster.end() ? Fence{} : own->second;
    for (const auto& [actor, fence] : of_cluster) {
        const auto column = static_cast<size_t>(actor);
        const uint32_t moment = fence.seen[column];
        if (actor == self || !fence.is_for_grid || !has_seen(self, actor, moment)) continue;
        if (known.seen.empty()) known.seen.resize(fence.seen.size());
        known.seen[column] = std::max(known.seen[column], moment);
        known.is_for_grid = true;
    }
    return known;
}

}  // namespace

void fence_memory(bool is_for_grid) {
    if (block == nullptr || block->current == nullptr || !is_judging()) return;
    const int actor = current_actor();
    Fence& fence = fences[cluster->serial][actor];
    if (fence.is_for_grid && !is_for_grid) return;  // which the grid's fence is not undone by
    fence.is_for_grid = is_for_grid;
    release(actor - actor_of(0), fence.seen);
}

void update_word(const void* address) {
    const auto own = fences.find(cluster->serial);
    const auto found = words.find(address);
    const Fence told = own == fences.end() ? Fence{} : fences_known(own->second);
    if (told.seen.empty() && found == words.end()) return;
    Word& word = found == words.end() ? words[address] : found->second;
    for (const Publication& publication : word.by_cluster[cluster->serial])
        acquire(publication.fence.seen);
    known_words[cluster->serial][&word] = ++word.updates;
    if (!told.seen.empty()) word.by_cluster[cluster->serial].push_back({word.updates, told});
}

bool was_published(const Stamp& stamp) {
    const auto known = known_words.find(cluster->serial);
    if (known == known_words.end()) return false;
    for (const auto& [word, updates] : known->second) {
        const auto published = word->by_cluster.find(stamp.cluster);
        if (published == word->by_cluster.end()) continue;
        for (const auto& [position, fence] : published->second)
            if (position <= updates && fence.is_for_grid &&
                tells_of(fence.seen, stamp.actor, stamp.clock))
                return true;
    }
    return false;
}

bool has_published(uint32_t other) {
    const auto known = known_words.find(cluster->serial);
    if (known == known_words.end()) return false;
    for (const auto& [word, updates] : known->second) {
        const auto published = word->by_cluster.find(other);
        if (published != word->by_cluster.end() && !published->second.empty() &&
            published->second.front().position <= updates)
            return true;
    }
    return false;
}

void forget_words() {
    words.clear();
    fences.clear();
    known_words.clear();
}

}  // namespace simt::check
#endif
