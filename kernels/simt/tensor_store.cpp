#include "kernels/simt/tensor_store.h"

#include <fmt/core.h>

#include <cstring>

#include "kernels/simt/block.h"
#include "kernels/simt/check.h"
#include "kernels/simt/tensor_copy.h"

namespace simt {
namespace {

int current_thread() { return static_cast<int>(block->current - block->threads); }

void note_accesses(const BulkStore& store, const StoreGroups& groups) {
    check::EngineWork work{
        .engine = groups.reader, .clock = store.group + 1, .is_shared = true, .place = store.place};
    for_chunks(store.box, [&](const BoxChunk& chunk) {
        check::engine_access(work, chunk.shared, Box::kChunk, check::Kind::read);
    });
    work.engine = groups.writer;
    work.is_shared = false;
    for_chunks(store.box, [&](const BoxChunk& chunk) {
        if (chunk.bytes == 0) return;
        check::engine_access(work, chunk.global, chunk.bytes, check::Kind::write);
        (void)*static_cast<const volatile unsigned char*>(chunk.global);  // strays fault here
    });
}

void begin(const Box& box, uintptr_t alignment, Place place) {
    StoreGroups& groups = block->current->stores;
    check_box(box, alignment, "stores from", place);
    if (groups.reader == 0) {
        groups.reader = check::add_engine();
        groups.writer = check::add_engine();
    }
    BulkStore store{
        .thread = current_thread(), .group = groups.committed, .box = box, .place = place};
    groups.begun = store.group + 1;
    groups.place = place;
    note_accesses(store, groups);
    block->bulk_stores.push_back(std::move(store));
}

void read(BulkStore& store) {
    if (store.is_read) return;
    store.is_read = true;
    store.values.assign(store.box.shared, store.box.shared + store.box.bytes());
}

void write(BulkStore& store) {
    read(store);
    for_chunks(store.box, [&](const BoxChunk& chunk) {
        const unsigned char* values =
            &store.values[static_cast<size_t>(chunk.shared - store.box.shared)];
        if (chunk.bytes > 0) std::memcpy(chunk.global, values + chunk.offset, chunk.bytes);
    });
}

// Calls body for the stores of the thread that runs, of groups before `group`.
template <typename Body>
void for_stores_before(uint32_t group, const Body& body) {
    for (BulkStore& store : block->bulk_stores)
        if (store.thread == current_thread() && store.group < group) body(store);
}

// As many of the thread's groups are to be over.
uint32_t groups_before(int groups_left) {
    const uint32_t committed = block->current->stores.committed;
    const auto left = static_cast<uint32_t>(groups_left);
    return left < committed ? committed - left : 0;
}

}  // namespace

void store_bytes(void* to, const void* from, uint32_t bytes, Place place) {
    const check::Inside emulator;
    check_run(to, bytes, "stores", place);
    begin(box_of_run(from, to, bytes), Box::kChunk, place);
}

void store_box(const TensorMap& map, int column, int row, const void* from, Place place) {
    const check::Inside emulator;
    const Box box{.shared = static_cast<unsigned char*>(const_cast<void*>(from)),
                  .map = map,
                  .row = row,
                  .column = column};
    begin(box, box.alignment(), place);
}

void commit_stores() { ++block->current->stores.committed; }

void wait_stores_read(int groups_left) {
    const check::Inside emulator;
    StoreGroups& groups = block->current->stores;
    const uint32_t before = groups_before(groups_left);
    for_stores_before(before, read);
    groups.read = std::max(groups.read, before);
    if (groups.reader != 0) check::learn(groups.reader, before);
}

void wait_stores(int groups_left) {
    const check::Inside emulator;
    wait_stores_read(groups_left);
    const uint32_t before = groups_before(groups_left);
    for_stores_before(before, write);
    std::erase_if(block->bulk_stores, [&](const BulkStore& store) {
        return store.thread == current_thread() && store.group < before;
    });
    if (block->current->stores.writer != 0) check::learn(block->current->stores.writer, before);
}

void advance_a_bulk_store(uint32_t random) {
    const auto at = block->bulk_stores.begin() + random % block->bulk_stores.size();
    if (!at->is_read) return read(*at);
    write(*at);
    block->bulk_stores.erase(at);
}

void check_no_stores_left(const Thread& leaver) {
    const StoreGroups& groups = leaver.stores;
    if (groups.begun <= groups.read) return;
    fail(fmt::format("{} returns without {} for the store begun at {}", name_of(leaver),
                     groups.begun <= groups.committed ? "a wait" : "a commit",
                     groups.place.text()));
}

void finish_bulk_stores() {
    while (!block->bulk_stores.empty())
        advance_a_bulk_store(block->random == 0 ? 0 : next_random());
}

}  // namespace simt
