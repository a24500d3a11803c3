// What a check build asks of the registers that warpgroup products use, which are local variables
// of the kernel; it does not ask it of interpreted ones. PTX ISA, "wgmma.fence": between an access
// to them by a thread and the product lies a warpgroup_arrive. "wgmma.wait_group": between the
// product and the next access lies a wait.
//
// Sums that nobody wrote are found by the pattern that -ftrivial-auto-var-init=pattern (`checked`
// in the Makefile) fills variables with; a product that adds to them is an error.
//
// Stricter than hardware: if the variable of a left operand ends while its product is under way,
// what takes its place on the stack counts as the operand.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <vector>

#include "kernels/simt/place.h"

namespace simt {

struct FlyingSums;

// A left operand of a product under way.
struct FlyingOperand {
    const uint32_t* registers[32] = {};  // of each lane: [4]
    int group = 0;
    Place place;
};
// Of a warp.
struct ProductRegisters {
    std::vector<FlyingOperand> operands;
    std::map<uintptr_t, uint32_t> touched;  // since the last arrive: words, and by which pc
};

// The sums [count] of a lane, which a product at `place` adds to, must have been written.
void check_written(const float* sums, int count, int lane, Place place);
// What the product brings, of each lane.
void check_left_operand(const uint32_t* const* registers, Place place);
void check_sums(const FlyingSums& sums, bool adds, Place place);
void hold_left_operand(const FlyingOperand& operand);
// A wait for all groups before `group`.
void release_left_operands(int group);
// An arrive: registers touched so far are ordered before products.
void forget_touched_registers();

// The current thread accesses its own memory. If a product under way uses that: how, and which.
struct RegisterUse {
    const char* kind = nullptr;  // null: none
    const Place* product = nullptr;
};
RegisterUse note_register_access(const void* address, size_t bytes, uint32_t pc);

}  // namespace simt
