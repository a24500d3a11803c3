// Asynchronous copies and mbarriers: the emulator's own (kernels/simt/copies.h, mbarrier.h,
// tensor_copy.h, tensor_store.h).
#include <fmt/core.h>

#include "kernels/simt/copies.h"
#include "kernels/simt/mbarrier.h"
#include "kernels/simt/ptx/instruction.h"
#include "kernels/simt/ptx/program.h"
#include "kernels/simt/tensor_copy.h"
#include "kernels/simt/tensor_store.h"
#include "kernels/simt/warpgroup_matrix.h"

namespace simt::ptx {
namespace {

uint32_t word(const Instruction* i, const uint64_t* registers, int n) {
    return static_cast<uint32_t>(registers[i->slots[n]]);
}
unsigned char* shared_slot(const Instruction* i, const uint64_t* registers, const Frame& frame,
                           int slot, size_t bytes, size_t alignment) {
    const uint64_t address = registers[i->slots[slot]] + static_cast<uint64_t>(i->immediate);
    return shared_at(i, frame, address, bytes, alignment);
}

// to, from, bytes, bytes that are read
const Instruction* copy(const Instruction* i, uint64_t* registers, Frame& frame) {
    const uint32_t bytes = word(i, registers, 2), from_bytes = word(i, registers, 3);
    if (bytes != 4 && bytes != 8 && bytes != 16)
        fail_at(frame, i, fmt::format("a copy of {} bytes, expected 4, 8 or 16", bytes));
    copy_async(shared_slot(i, registers, frame, 0, bytes, bytes),
               reinterpret_cast<const void*>(registers[i->slots[1]]), static_cast<int>(bytes),
               static_cast<int>(from_bytes), frame.program->place_of(i));
    return i + 1;
}

// ---- mbarriers ----

uint64_t* mbarrier_at(const Instruction* i, const uint64_t* registers, const Frame& frame,
                      int slot) {
    constexpr size_t kBytes = sizeof(uint64_t);
    return reinterpret_cast<uint64_t*>(shared_slot(i, registers, frame, slot, kBytes, kBytes));
}
// the address, a number
template <void (*f)(uint64_t*, uint32_t, Place)>
const Instruction* change(const Instruction* i, uint64_t* registers, Frame& frame) {
    f(mbarrier_at(i, registers, frame, 0), word(i, registers, 1), frame.program->place_of(i));
    return i + 1;
}
// a state that is not kept, the address
const Instruction* arrive(const Instruction* i, uint64_t* registers, Frame& frame) {
    mbarrier_arrive(mbarrier_at(i, registers, frame, 1), frame.program->place_of(i));
    return i + 1;
}
const Instruction* arrive_expect(const Instruction* i, uint64_t* registers, Frame& frame) {
    mbarrier_arrive_expect_bytes(mbarrier_at(i, registers, frame, 1), word(i, registers, 2),
                                 frame.program->place_of(i));
    return i + 1;
}
// whether it is over, the address, the parity
template <bool (*f)(uint64_t*, uint32_t, Place)>
const Instruction* ask(const Instruction* i, uint64_t* registers, Frame& frame) {
    registers[i->slots[0]] = to_slot(
        f(mbarrier_at(i, registers, frame, 1), word(i, registers, 2), frame.program->place_of(i)));
    return i + 1;
}
const Instruction* invalidate(const Instruction* i, uint64_t* registers, Frame& frame) {
    mbarrier_invalidate(mbarrier_at(i, registers, frame, 0), frame.program->place_of(i));
    return i + 1;
}

// to, from, bytes, mbarrier
const Instruction* copy_bulk(const Instruction* i, uint64_t* registers, Frame& frame) {
    const uint32_t bytes = word(i, registers, 2);
    load_bytes(shared_slot(i, registers, frame, 0, bytes, 16),
               reinterpret_cast<const void*>(registers[i->slots[1]]), bytes,
               mbarrier_at(i, registers, frame, 3), frame.program->place_of(i));
    return i + 1;
}

// The one that the host made for the emulator.
const TensorMap& map_at(const Instruction* i, const uint64_t* registers, const Frame& frame,
                        int slot) {
    const uint64_t address = registers[i->slots[slot]];
    if (address % alignof(TensorMap) != 0)
        fail_at(frame, i,
                fmt::format("a tensor map at {:#x}, expected a multiple of {}", address,
                            alignof(TensorMap)));
    return *reinterpret_cast<const TensorMap*>(address);
}
uint32_t bytes_of(const TensorMap& map) { return Box{.map = map}.bytes(); }

// to, map, column, row, mbarrier
const Instruction* copy_box(const Instruction* i, uint64_t* registers, Frame& frame) {
    const TensorMap& map = map_at(i, registers, frame, 1);
    load_box(shared_slot(i, registers, frame, 0, bytes_of(map), 16), map,
             static_cast<int>(word(i, registers, 2)), static_cast<int>(word(i, registers, 3)),
             mbarrier_at(i, registers, frame, 4), frame.program->place_of(i));
    return i + 1;
}

// to, from, bytes
const Instruction* store_bulk(const Instruction* i, uint64_t* registers, Frame& frame) {
    const uint32_t bytes = word(i, registers, 2);
    store_bytes(reinterpret_cast<void*>(registers[i->slots[0]]),
                shared_slot(i, registers, frame, 1, bytes, 16), bytes, frame.program->place_of(i));
    return i + 1;
}
// map, column, row, from
const Instruction* store_bulk_box(const Instruction* i, uint64_t* registers, Frame& frame) {
    const TensorMap& map = map_at(i, registers, frame, 0);
    store_box(map, static_cast<int>(word(i, registers, 1)), static_cast<int>(word(i, registers, 2)),
              shared_slot(i, registers, frame, 3, bytes_of(map), 16), frame.program->place_of(i));
    return i + 1;
}
const Instruction* prefetch_map(const Instruction* i, uint64_t* registers, Frame& frame) {
    map_at(i, registers, frame, 0);
    return i + 1;
}

template <void (*f)()>
const Instruction* plain(const Instruction* i, uint64_t*, Frame&) {
    f();
    return i + 1;
}
template <void (*f)(int)>
const Instruction* wait_for_groups(const Instruction* i, uint64_t* registers, Frame&) {
    f(static_cast<int>(word(i, registers, 0)));
    return i + 1;
}

void add_mbarriers(Table& table) {
    const std::string shared = ".shared::cta.b64";
    table.add("mbarrier.init" + shared, change<mbarrier_init>, 2, 0);
    table.add("mbarrier.expect_tx.relaxed.cta" + shared, change<mbarrier_expect_bytes>, 2, 0);
    table.add("mbarrier.arrive" + shared, arrive, 2, 1);
    table.add("mbarrier.arrive.expect_tx" + shared, arrive_expect, 3, 1);
    table.add("mbarrier.test_wait.parity" + shared, ask<mbarrier_test_wait>, 3, 1);
    table.add("mbarrier.try_wait.parity" + shared, ask<mbarrier_try_wait>, 3, 1);
    table.add("mbarrier.inval" + shared, invalidate, 1, 0);
    table.add("fence.mbarrier_init.release.cluster", plain<fence_mbarrier_init>, 0, 0);
}

void add_bulk_copies(Table& table) {
    table.add("cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::bytes", copy_bulk, 4, 0);
    table.add("cp.async.bulk.tensor.2d.shared::cluster.global.mbarrier::complete_tx::bytes",
              copy_box, 5, 0);
    table.add("cp.async.bulk.global.shared::cta.bulk_group", store_bulk, 3, 0);
    table.add("cp.async.bulk.tensor.2d.global.shared::cta.bulk_group", store_bulk_box, 4, 0);
    table.add("cp.async.bulk.commit_group", plain<commit_stores>, 0, 0);
    table.add("cp.async.bulk.wait_group", wait_for_groups<wait_stores>, 1, 0);
    table.add("cp.async.bulk.wait_group.read", wait_for_groups<wait_stores_read>, 1, 0);
    table.add("fence.proxy.async", plain<fence_async_proxy>, 0, 0);
    table.add("fence.proxy.async.shared::cta", plain<fence_async_proxy>, 0, 0);
    table.add("prefetch.tensormap", prefetch_map, 1, 0);
}

}  // namespace

void add_copies(Table& table) {
    for (const char* cache : {"ca", "cg"})
        for (const char* space : {"shared", "shared::cta"})
            table.add(fmt::format("cp.async.{}.{}.global", cache, space), copy, 4, 0);
    table.add("cp.async.commit_group", plain<commit_copies>, 0, 0);
    table.add("cp.async.wait_group", wait_for_groups<wait_for_copies>, 1, 0);
    table.add("cp.async.wait_all", plain<wait_for_all_copies>, 0, 0);
    add_mbarriers(table);
    add_bulk_copies(table);
}

}  // namespace simt::ptx
