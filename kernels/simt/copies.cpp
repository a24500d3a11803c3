#include "kernels/simt/copies.h"

#include <fmt/core.h>

#include <algorithm>
#include <cstring>
#include <utility>

#include "kernels/simt/block.h"
#include "kernels/simt/check.h"
#include "kernels/simt/simt.h"

namespace simt {
namespace {

std::vector<Copy>& copies_of(const Thread& thread) {
    return block->copies[&thread - block->threads];
}

void land(Copy& copy) {
    if (std::exchange(copy.landed, true)) return;
    --block->num_flying;
    const auto copied = static_cast<size_t>(copy.from_bytes);
    if (copied > 0) std::memcpy(copy.to, copy.from, copied);
    std::memset(copy.to + copied, 0, static_cast<size_t>(copy.bytes) - copied);
}

void check_arguments(const Copy& copy, const Thread& thread) {
    const auto bits = reinterpret_cast<uintptr_t>(copy.to) | reinterpret_cast<uintptr_t>(copy.from);
    if (bits % static_cast<uintptr_t>(copy.bytes) != 0)
        fail(fmt::format(
            "misaligned: {} at {} copies {} bytes from {} to {}; expected both to be "
            "aligned to {}",
            name_of(thread), copy.place.text(), copy.bytes, static_cast<const void*>(copy.from),
            static_cast<const void*>(copy.to), copy.bytes));
    if (copy.from_bytes < 0 || copy.from_bytes > copy.bytes)
        fail(fmt::format("{} at {} fills {} bytes with {} of its source", name_of(thread),
                         copy.place.text(), copy.bytes, copy.from_bytes));
    check_shared_range(copy.to, static_cast<size_t>(copy.bytes), thread, copy.place);
}

// A stray source faults here, where the thread that named it runs.
void touch(const Copy& copy) {
    if (copy.from_bytes == 0) return;
    const volatile unsigned char* from = copy.from;
    (void)from[0];
    (void)from[copy.from_bytes - 1];
}

// The thread's copies of groups before `group` are done.
void finish_copies_before(uint32_t group) {
    auto& copies = copies_of(*block->current);
    const auto first_left = std::stable_partition(
        copies.begin(), copies.end(), [&](const Copy& copy) { return copy.group < group; });
    if (block->random != 0)  // of those still flying to one place, any may be the last
        for (auto end = first_left; end > copies.begin() + 1; --end)
            std::swap(end[-1], copies[next_random() % static_cast<size_t>(end - copies.begin())]);
    for (auto copy = copies.begin(); copy != first_left; ++copy) {
        land(*copy);
        check::end_copy(*copy);
    }
    copies.erase(copies.begin(), first_left);
}

}  // namespace

void copy_async(void* to, const void* from, int bytes, int from_bytes, Place place) {
    const check::Inside emulator;
    const Thread& thread = *block->current;
    Copy copy{.to = static_cast<unsigned char*>(to),
              .from = static_cast<const unsigned char*>(from),
              .bytes = bytes,
              .from_bytes = from_bytes,
              .group = thread.copy_groups,
              .place = place};
    check_arguments(copy, thread);
    check::begin_copy(copy);
    touch(copy);
    ++block->num_flying;
    if (block->random != 0 && next_random() % 8 == 0) land(copy);
    copies_of(thread).push_back(copy);
}

void commit_copies() { ++block->current->copy_groups; }

void wait_for_copies(int groups) {
    const check::Inside emulator;
    const uint32_t committed = block->current->copy_groups;
    if (static_cast<uint32_t>(groups) < committed)
        finish_copies_before(committed - static_cast<uint32_t>(groups));
}

void wait_for_all_copies() {
    const check::Inside emulator;
    finish_copies_before(++block->current->copy_groups);
}

void forget_copies() {
    for (auto& copies : block->copies) copies.clear();
    block->num_flying = 0;
}

void land_a_copy(uint32_t random) {
    const auto threads = static_cast<uint32_t>(block->num_threads);
    for (uint32_t i = 0; i < threads; ++i) {
        auto& copies = block->copies[(random + i) % threads];
        const auto flying = std::find_if(copies.begin(), copies.end(),
                                         [](const Copy& copy) { return !copy.landed; });
        if (flying == copies.end()) continue;
        const auto left = static_cast<uint32_t>(copies.end() - flying);
        return land(flying[random / threads % left]);  // or nothing, if that one has landed
    }
}

void check_no_copies_left(const Thread& leaver) {
    const auto& copies = copies_of(leaver);
    if (copies.empty()) return;
    fail(fmt::format("{} returns without a wait for {} copies, the first begun at {}",
                     name_of(leaver), copies.size(), copies.front().place.text()));
}

}  // namespace simt
