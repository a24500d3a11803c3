// ldmatrix, stmatrix and mma.sync: the emulator's own (kernels/simt/warp_matrix.h).
#include <fmt/core.h>

#include "kernels/simt/ptx/instruction.h"
#include "kernels/simt/ptx/program.h"
#include "kernels/simt/warp_matrix.h"

namespace simt::ptx {
namespace {

constexpr size_t kRowBytes = 16;

// The row that the lane names, null if its address does not count.
unsigned char* row_of(const Instruction* i, const uint64_t* registers, const Frame& frame, int slot,
                      int count) {
    if (frame.lane >= 8 * static_cast<unsigned>(count)) return nullptr;
    const uint64_t address = registers[i->slots[slot]] + static_cast<uint64_t>(i->immediate);
    return shared_at(i, frame, address, kRowBytes, kRowBytes);
}

// Results: a register a matrix. Then the address.
template <int count, bool transposed>
const Instruction* load(const Instruction* i, uint64_t* registers, Frame& frame) {
    uint32_t values[count];
    load_matrices(values, count, transposed, row_of(i, registers, frame, count, count),
                  frame.program->place_of(i));
    for (int m = 0; m < count; ++m) registers[i->slots[m]] = values[m];
    return i + 1;
}

// The address, then a register a matrix.
template <int count, bool transposed>
const Instruction* store(const Instruction* i, uint64_t* registers, Frame& frame) {
    uint32_t values[count];
    for (int m = 0; m < count; ++m) values[m] = static_cast<uint32_t>(registers[i->slots[1 + m]]);
    store_matrices(row_of(i, registers, frame, 0, count), values, count, transposed,
                   frame.program->place_of(i));
    return i + 1;
}

// d[4], a[4], b[2], c[4]
constexpr int kMultiplySlots = 14;
const Instruction* multiply(const Instruction* i, uint64_t* registers, Frame& frame) {
    const uint16_t* const slots = many_slots(i, frame);
    const auto word = [&](int n) { return static_cast<uint32_t>(registers[slots[n]]); };
    const uint32_t a[4] = {word(4), word(5), word(6), word(7)}, b[2] = {word(8), word(9)};
    float sums[4];
    for (int n = 0; n < 4; ++n) sums[n] = from_slot<float>(registers[slots[10 + n]]);
    multiply_matrices(sums, a, b, frame.program->place_of(i));
    for (int n = 0; n < 4; ++n) registers[slots[n]] = to_slot(sums[n]);
    return i + 1;
}

template <int count, bool transposed>
void add_moves(Table& table) {
    for (const char* space : {"shared", "shared::cta"}) {
        const std::string rest = fmt::format(".sync.aligned.m8n8.x{}{}.{}.b16", count,
                                             transposed ? ".trans" : "", space);
        table.add("ldmatrix" + rest, load<count, transposed>, count + 1, count);
        table.add("stmatrix" + rest, store<count, transposed>, count + 1, 0);
    }
}

}  // namespace

void add_matrix(Table& table) {
    add_moves<1, false>(table);
    add_moves<2, false>(table);
    add_moves<4, false>(table);
    add_moves<1, true>(table);
    add_moves<2, true>(table);
    add_moves<4, true>(table);
    table.add("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32", multiply, kMultiplySlots, 4);
}

}  // namespace simt::ptx
