// What the warpgroups of sm_90 do together: wgmma and setmaxnreg, the emulator's own
// (kernels/simt/warpgroup_matrix.h, register_pool.h). Shape, registers, descriptors and
// transpositions are those of the text.
#include <fmt/core.h>

#include "kernels/simt/ptx/instruction.h"
#include "kernels/simt/ptx/program.h"
#include "kernels/simt/register_pool.h"
#include "kernels/simt/warpgroup_matrix.h"

namespace simt::ptx {
namespace {

// A descriptor counts from the block's window of shared memory, the emulator's from where all
// shared memory begins.
uint64_t descriptor(const Instruction* i, const Frame& frame, uint64_t bits) {
    constexpr uint64_t kStart = 0x3fff, kUnit = 16;  // of the field, in bytes
    const uint64_t start = (bits & kStart) * kUnit;
    shared_at(i, frame, start, kUnit, kUnit);
    const uint64_t window = address_in_shared(frame.shared, frame.program->place_of(i));
    return (bits & ~kStart) | (window + start) / kUnit;
}

// sums[4 fragments], a descriptor or registers[4] of the left operand, a descriptor of the right
// one, whether the sums before count; factors of both operands; transpositions, of the left one
// only if it has a descriptor.
template <int fragments, bool has_left_registers>
const Instruction* multiply(const Instruction* i, uint64_t* registers, Frame& frame) {
    const uint16_t* const slots = many_slots(i, frame);
    const uint16_t* next = slots + 4 * fragments;
    const auto take = [&] { return registers[*next++]; };
    uint32_t left[4] = {};
    ProductCall call{.sums = {.first = registers, .words = slots}, .fragments = fragments};
    if (has_left_registers) {
        for (uint32_t& pair : left) pair = static_cast<uint32_t>(take());
        call.left_registers = left;
    } else {
        call.left = descriptor(i, frame, take());
    }
    call.right = descriptor(i, frame, take());
    call.adds = take() != 0;
    for (const char* operand : {"left", "right"})
        if (const auto factor = static_cast<int64_t>(take()); factor != 1)
            fail_at(frame, i,
                    fmt::format("the {} operand times {}, expected 1, which is all that is known "
                                "here",
                                operand, factor));
    if (!has_left_registers && take() != 0)
        fail_at(frame, i, "a transposed left operand, which is not known here");
    call.is_right_transposed = take() != 0;
    warpgroup_multiply(call, frame.program->place_of(i));
    return i + 1;
}

template <void (*f)(Place)>
const Instruction* together(const Instruction* i, uint64_t*, Frame& frame) {
    f(frame.program->place_of(i));
    return i + 1;
}
const Instruction* wait_for_groups(const Instruction* i, uint64_t* registers, Frame& frame) {
    const uint64_t groups_left = registers[i->slots[0]];
    if (groups_left > 7)
        fail_at(frame, i, fmt::format("a wait but for {} groups, expected 0 to 7", groups_left));
    warpgroup_wait(static_cast<int>(groups_left), frame.program->place_of(i));
    return i + 1;
}
template <bool is_up>
const Instruction* change_registers(const Instruction* i, uint64_t* registers, Frame& frame) {
    const uint64_t count = registers[i->slots[0]];
    if (count < 24 || count > 256 || count % 8 != 0)
        fail_at(frame, i,
                fmt::format("{} registers, expected a multiple of 8 from 24 to 256", count));
    set_registers(static_cast<int>(count), is_up, frame.program->place_of(i));
    return i + 1;
}

template <int fragments>
void add_products(Table& table) {
    const std::string name =
        fmt::format("wgmma.mma_async.sync.aligned.m64n{}k16.f32.bf16.bf16", 8 * fragments);
    constexpr int kSums = 4 * fragments;
    table.add(name, multiply<fragments, false>, kSums + 7, kSums);
    table.add(name + ".registers", multiply<fragments, true>, kSums + 9, kSums);
}

}  // namespace

void add_warpgroup(Table& table) {
    add_products<8>(table);
    add_products<16>(table);
    table.add("wgmma.fence.sync.aligned", together<warpgroup_arrive>, 0, 0);
    table.add("wgmma.commit_group.sync.aligned", together<warpgroup_commit>, 0, 0);
    table.add("wgmma.wait_group.sync.aligned", wait_for_groups, 1, 0);
    table.add("setmaxnreg.inc.sync.aligned.u32", change_registers<true>, 1, 0);
    table.add("setmaxnreg.dec.sync.aligned.u32", change_registers<false>, 1, 0);
}

}  // namespace simt::ptx
