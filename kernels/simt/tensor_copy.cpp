#include "kernels/simt/tensor_copy.h"

#include <fmt/core.h>

#include <cstring>

#include "kernels/simt/block.h"
#include "kernels/simt/check.h"

namespace simt {
namespace {

void note_accesses(const BulkCopy& copy, const Mbarrier& m) {
    check::EngineWork work{
        .engine = m.engine, .clock = m.phase + 1, .is_shared = false, .place = copy.place};
    for_chunks(copy.box, [&](const BoxChunk& chunk) {
        if (chunk.bytes == 0) return;
        check::engine_access(work, chunk.global, chunk.bytes, check::Kind::read);
        (void)*static_cast<const volatile unsigned char*>(chunk.global);  // strays fault here
    });
    work.is_shared = true;
    for_chunks(copy.box, [&](const BoxChunk& chunk) {
        check::engine_access(work, chunk.shared, Box::kChunk, check::Kind::write);
    });
}

void finish(const BulkCopy& copy) {
    for_chunks(copy.box, [](const BoxChunk& chunk) {
        std::memset(chunk.shared, 0, Box::kChunk);
        if (chunk.bytes > 0) std::memcpy(chunk.shared + chunk.offset, chunk.global, chunk.bytes);
    });
    complete_bytes(copy.mbarrier, copy.box.bytes());
}

void begin(const BulkCopy& copy, uintptr_t alignment) {
    check_box(copy.box, alignment, "loads to", copy.place);
    note_accesses(copy, begin_bytes(copy.mbarrier, copy.box.bytes(), copy.place));
    std::memset(copy.box.shared, 0xff, copy.box.bytes());  // NaNs
    block->bulk_copies.push_back(copy);
}

}  // namespace

void load_bytes(void* to, const void* from, uint32_t bytes, uint64_t* mbarrier, Place place) {
    const check::Inside emulator;
    check_run(from, bytes, "loads", place);
    begin({.mbarrier = mbarrier, .box = box_of_run(to, from, bytes), .place = place}, Box::kChunk);
}

void load_box(void* to, const TensorMap& map, int column, int row, uint64_t* mbarrier,
              Place place) {
    const check::Inside emulator;
    const Box box{
        .shared = static_cast<unsigned char*>(to), .map = map, .row = row, .column = column};
    begin({.mbarrier = mbarrier, .box = box, .place = place}, box.alignment());
}

void finish_a_bulk_copy(uint32_t random) {
    const auto at = block->bulk_copies.begin() + random % block->bulk_copies.size();
    const BulkCopy copy = *at;
    block->bulk_copies.erase(at);
    finish(copy);
}

void check_no_bulk_copies_left() {
    if (block->bulk_copies.empty()) return;
    const BulkCopy& first = block->bulk_copies.front();
    fail(fmt::format("{} returns as the last of its block while a copy begun at {} is under way",
                     name_of(*block->current), first.place.text()));
}

void check_box(const Box& box, uintptr_t alignment, const char* does, Place place) {
    const Thread& thread = *block->current;
    if (reinterpret_cast<uintptr_t>(box.shared) % alignment != 0)
        fail(fmt::format("misaligned: {} at {} {} {}, expected {}-byte alignment", name_of(thread),
                         place.text(), does, static_cast<void*>(box.shared), alignment));
    if (box.map.is_swizzled && box.row_bytes() != 128)
        fail(
            fmt::format("swizzle: {} at {} {} a box of {} bytes a row; expected 128, as narrower "
                        "ones have no layout that is written down",
                        name_of(thread), place.text(), does, box.row_bytes()));
    check_shared_range(box.shared, box.bytes(), thread, place);
}

void check_run(const void* global, uint32_t bytes, const char* does, Place place) {
    if (bytes % Box::kChunk == 0 && bytes > 0 && bytes < (1u << 31) &&
        reinterpret_cast<uintptr_t>(global) % Box::kChunk == 0)
        return;
    fail(
        fmt::format("misaligned: {} at {} {} {} bytes at {} of device memory, expected multiples "
                    "of 16",
                    name_of(*block->current), place.text(), does, bytes, global));
}

}  // namespace simt
